/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "front.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xen/grant_table.h>

#include "host/host.h"
#include "lib/cleanup.h"
#include "vifframe.h"
#include "worker/ring.h"

#define ETH_HEADER 14u
#define MAX_PACKET 65535u
#define MAX_SLOTS  18u

struct front *front_now;

static uint8_t frame[VIFRIG_MAX_FRAME + sizeof(struct virtio_net_hdr)];

static uint16_t take_u16(struct input *in)
{
	uint16_t v;

	take_bytes(in, &v, sizeof(v));
	return v;
}

static struct vifrig_queue *take_queue(struct front *f)
{
	return &f->rig.queue[take_u8(f->in) % f->queues];
}

static void *ring_of(struct front *f, uint8_t which)
{
	struct vifrig_queue *q = &f->rig.queue[(which >> 2) % f->queues];

	switch (which & 3) {
	case 0:
		return q->rx;
	case 1:
		return f->rig.control;
	default:
		return q->tx;
	}
}

/* A grant reference: mostly of a data page, of a few more often; or of a ring, or no one's. */
static uint32_t take_ref(struct front *f)
{
	uint16_t v = take_u16(f->in);
	const struct vifrig_queue *q = &f->rig.queue[v % f->queues];

	switch (v >> 12) {
	case 15:
		return take_u32(f->in);
	case 14:
		return v & 0xfff;
	case 13:
		return v & 8 ? f->rig.control_ref : v & 4 ? q->where.rx_ref : q->where.tx_ref;
	case 10:
	case 11:
	case 12:
		return f->rig.data_ref[v % f->rig.nr_data];
	default:
		return f->rig.data_ref[v % 32];
	}
}

/* A frame as the input wants it, sound or with a byte changed. @ret_where may be NULL. */
static size_t take_frame(struct input *in, uint8_t *to, struct vifframe *f,
			 struct vifframe_where *w)
{
	uint8_t kind = take_u8(in), how = take_u8(in);
	size_t payload = take_u16(in) >> (how & 7), len;

	*f = (struct vifframe){
		.family = kind & 1 ? 6 : 4,
		.protocol = kind & 2 ? IPPROTO_UDP : IPPROTO_TCP,
		.vlan = kind & 4,
		.extension = kind & 8 && kind & 1,
		.blank = kind & 16,
		.payload = payload < MAX_PACKET - 100 ? payload : MAX_PACKET - 100,
		.padding = kind & 32 ? 6 : 0,
		.port = (uint16_t)(1 + (how >> 3)),
	};
	if (kind & 64)
		take_bytes(in, f->dest, sizeof(f->dest));
	len = vifframe_make(f, to, w);
	if (kind & 128) {
		size_t at = take_u8(in);

		to[at % len] = take_u8(in);
		if (how & 8)
			len = 1 + at % len;
	}
	return len;
}

static uint32_t room(void *ring, uint32_t prod)
{
	uint32_t used = prod - *vifrig_index(ring, 2);

	return used < VIFRIG_SLOTS ? VIFRIG_SLOTS - used : 0;
}

void front_send_frame(struct front *f)
{
	struct vifrig_queue *q = take_queue(f);
	uint8_t how = take_u8(f->in), split = take_u8(f->in);
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
	uint16_t sizes[MAX_SLOTS], flags = 0;
	struct vifframe made;
	size_t len = take_frame(f->in, frame, &made, NULL), left = len;
	unsigned int slots = 0;

	/* the last takes what is left, at most a page */
	for (; left; left -= sizes[slots++]) {
		size_t piece = split && slots < 2 ? split * 8u : VIFRIG_PAGE;

		if (slots == MAX_SLOTS)
			return;
		sizes[slots] = (uint16_t)(left < piece ? left : piece);
	}
	if (room(q->tx, q->tx_prod) < slots + 1 && !(how & 128))
		return;
	if (made.blank)
		flags |= NETTXF_csum_blank | NETTXF_data_validated;
	if (how & 1)
		flags |= NETTXF_data_validated;
	if (how & 2) {
		gso.u.gso.type =
			made.family == 6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
		gso.u.gso.size = how & 4 ? take_u16(f->in) : 1448;
	}
	vifrig_put_frame(q, frame, len, sizes, slots, flags, &gso, how & 2 ? 1 : 0);
	if (how & 8)
		vifrig_push_tx(q);
}

/* Slots of a packet that need not be one. */
void front_put_slots(struct front *f)
{
	struct vifrig_queue *q = take_queue(f);
	uint8_t n = take_u8(f->in) % 24;

	for (unsigned int i = 0; i <= n && f->in->size; i++) {
		uint8_t how = take_u8(f->in);
		struct netif_tx_request req = {
			.gref = take_ref(f),
			.id = (uint16_t)q->tx_prod,
			.size = take_u16(f->in),
			.flags = how & 0xf,
		};

		if (how & 16)
			req.offset = take_u16(f->in);
		if (!(how & 32))
			req.offset %= VIFRIG_PAGE;
		if (!(how & 64) && req.size > VIFRIG_PAGE - req.offset % VIFRIG_PAGE)
			req.size = (uint16_t)(VIFRIG_PAGE - req.offset % VIFRIG_PAGE);
		if (!(how & 128))
			req.flags = i < n ? NETTXF_more_data : 0;
		vifrig_put_tx(q, &req);
	}
}

/* A first slot that announces extra infos, and those. */
void front_put_extra(struct front *f)
{
	struct vifrig_queue *q = take_queue(f);
	uint8_t n = take_u8(f->in) % 20;
	struct netif_tx_request first = {
		.gref = take_ref(f),
		.id = (uint16_t)q->tx_prod,
		.flags = NETTXF_extra_info,
		.size = (uint16_t)(take_u16(f->in) % VIFRIG_PAGE),
	};

	vifrig_put_tx(q, &first);
	for (unsigned int i = 0; i <= n && f->in->size; i++) {
		struct netif_extra_info e = { .type = take_u8(f->in), .flags = i < n };
		uint8_t slot[12] = { 0 };

		take_bytes(f->in, &e.u, 6);
		if (e.type & 128)
			e.flags ^= XEN_NETIF_EXTRA_FLAG_MORE;
		if (!(e.type & 64))
			e.type = e.type % 5 + 1;
		/* few addresses, so that they meet again */
		if (e.type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD && e.u.mcast.addr[1] & 1)
			memset(e.u.mcast.addr, 1, sizeof(e.u.mcast.addr) - 1);
		memcpy(slot, &e, sizeof(e));
		vifrig_put_tx(q, slot);
	}
}

void front_push(struct front *f)
{
	struct vifrig_queue *q = take_queue(f);
	uint8_t how = take_u8(f->in);

	if (how & 1) {
		vifrig_push_tx(q);
		return;
	}
	*vifrig_index(q->tx, 0) = q->tx_prod;
	if (how & 2)
		*vifrig_index(q->tx, 3) = *vifrig_index(q->tx, 2) + 1;
}

void front_post_rx(struct front *f)
{
	struct vifrig_queue *q = take_queue(f);
	uint8_t how = take_u8(f->in);
	unsigned int n = how & 15 ? how & 15 : 200, may = room(q->rx, q->rx_prod);

	if (n > may && !(how & 64))
		n = may;
	if (how & 16) {
		/* with references of any kind, and without a word */
		for (unsigned int i = 0; i < n && f->in->size; i++) {
			struct netif_rx_request req = {
				.id = (uint16_t)q->rx_prod,
				.gref = take_ref(f),
			};

			memcpy(q->rx + ABI_RING_HEADER + q->rx_prod++ % VIFRIG_SLOTS * sizeof(req),
			       &req, sizeof(req));
		}
		n = 0;
	}
	if (how & 32)
		vifrig_post_rx_silently(q, n);
	else
		vifrig_post_rx(q, n);
}

/* Anywhere in a ring: indices, slots that are published, slots that are not. */
void front_scribble(struct front *f)
{
	uint8_t *ring = ring_of(f, take_u8(f->in));
	uint16_t at = take_u16(f->in) % VIFRIG_PAGE;
	uint8_t n = take_u8(f->in) % 24;
	uint8_t bytes[24];

	take_bytes(f->in, bytes, n);
	memcpy(ring + at, bytes, n < VIFRIG_PAGE - at ? n : VIFRIG_PAGE - at);
}

void front_set_index(struct front *f)
{
	uint8_t which = take_u8(f->in), how = take_u8(f->in);
	uint32_t *index = vifrig_index(ring_of(f, which), how & 3);

	if (how & 4)
		*index += (uint32_t)(int8_t)take_u8(f->in);
	else if (how & 8)
		*index = take_u32(f->in);
	else
		*index += VIFRIG_SLOTS;
}

/* The grant of a data page becomes another, or none, whether it is in use or not. */
void front_spoil_grant(struct front *f)
{
	uint8_t how = take_u8(f->in);
	uint16_t v = take_u16(f->in);
	uint32_t page = how & 128 ? v % f->rig.nr_data : v % 32u;
	static const uint16_t flags[] = { 0, GTF_permit_access | GTF_readonly, GTF_permit_access,
					  GTF_accept_transfer };

	if (f->nr_spoiled == sizeof(f->spoiled) / sizeof(f->spoiled[0]))
		return;
	f->spoiled[f->nr_spoiled++] = page;
	loopfront_grant_raw(f->rig.lf, f->rig.data_ref[page], flags[how & 3], how & 4 ? 5 : 0,
			    how & 8    ? take_u32(f->in)
			    : how & 16 ? 100 + v % 200u /* another page */
				       : f->first_frame + page);
}

void front_restore(struct front *f)
{
	while (f->nr_spoiled) {
		uint32_t page = f->spoiled[--f->nr_spoiled];

		loopfront_grant_raw(f->rig.lf, f->rig.data_ref[page], GTF_permit_access, 0,
				    f->first_frame + page);
	}
}

/* What a request of @type would find in its page. */
static void fill_list(struct front *f, uint16_t type, uint8_t *page, uint32_t n)
{
	for (uint32_t i = 0; i < n && i < 512 && f->in->size; i++) {
		if (type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING) {
			uint8_t v = take_u8(f->in);
			uint32_t entry = v < 250 ? v % f->queues : v * 1000u;

			memcpy(page + i * sizeof(entry), &entry, sizeof(entry));
		} else {
			struct xen_netif_gref e = { .ref = take_ref(f) };

			e.flags = take_u8(f->in);
			e.flags = e.flags < 250 ? e.flags & XEN_NETIF_CTRLF_GREF_readonly : e.flags;
			memcpy(page + i * sizeof(e), &e, sizeof(e));
		}
	}
}

void front_request(struct front *f)
{
	struct vifrig *rig = &f->rig;
	uint8_t how = take_u8(f->in), small = take_u8(f->in);
	uint16_t type = how % 13;
	uint32_t page = 16 + small % 8u, d[3];

	if (!f->control || (room(rig->control, rig->control_prod) <= 128 && !(how & 128)))
		return;
	switch (type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		d[0] = small % 3;
		d[1] = d[2] = 0;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		d[0] = small % 20;
		d[1] = d[2] = 0;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		d[0] = small & 1 ? small : take_u16(f->in);
		d[1] = d[2] = 0;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		d[0] = small & 64 ? take_ref(f) : rig->data_ref[page];
		d[1] = take_u8(f->in);
		d[2] = 0;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		d[0] = small & 64 ? take_ref(f) : rig->data_ref[page];
		d[1] = take_u8(f->in);
		d[2] = take_u8(f->in);
		break;
	default:
		d[0] = small % 4;
		d[1] = small & 64 ? take_ref(f) : rig->data_ref[page];
		d[2] = 1 + take_u8(f->in) % 9;
		break;
	}
	if (small & 128)
		d[take_u8(f->in) % 3] = take_u32(f->in);
	if (!(small & 32))
		fill_list(f, type, rig->data + (size_t)page * VIFRIG_PAGE,
			  type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING ? d[1] : d[2]);
	vifrig_control_put(rig, type, d[0], d[1], d[2]);
}

void front_notify(struct front *f)
{
	struct vifrig_queue *q = take_queue(f);
	uint8_t which = take_u8(f->in) % 3;

	loopfront_notify(f->rig.lf, which == 0   ? q->where.tx_evtchn
				    : which == 1 ? q->where.rx_evtchn
						 : f->rig.control_port);
}

void front_notify_all(struct front *f)
{
	for (uint32_t i = 0; i < f->queues; i++) {
		loopfront_notify(f->rig.lf, f->rig.queue[i].where.tx_evtchn);
		loopfront_notify(f->rig.lf, f->rig.queue[i].where.rx_evtchn);
	}
	loopfront_notify(f->rig.lf, f->rig.control_port);
}

void front_tap_send(struct front *f)
{
	struct vifrig_queue *q = take_queue(f);
	uint8_t how = take_u8(f->in), times = how >> 5 ? 1 : 30;
	struct virtio_net_hdr hdr = { 0 };
	struct vifframe made;
	struct vifframe_where w;
	size_t len = take_frame(f->in, frame + sizeof(hdr), &made, &w);

	if (q->tap < 0)
		return;
	if (how & 1) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = (uint16_t)w.l4;
		hdr.csum_offset = made.protocol == IPPROTO_TCP ? 16 : 6;
	}
	if (how & 2) {
		hdr.gso_type =
			made.family == 6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		hdr.gso_size = how & 4 ? take_u16(f->in) : 1448;
		hdr.hdr_len = (uint16_t)w.payload;
	}
	if (how & 8)
		take_bytes(f->in, &hdr, sizeof(hdr));
	memcpy(frame, &hdr, sizeof(hdr));
	if (how & 16)
		len = take_u16(f->in);
	/* what does not fit is lost before it is there */
	while (times-- && write(q->tap, frame, sizeof(hdr) + len) > 0)
		;
}

void front_tap_hang_up(struct front *f)
{
	close_fd(&take_queue(f)->tap);
}

static void check_packet(size_t n)
{
	struct virtio_net_hdr hdr;
	size_t len = n - sizeof(hdr);

	MUST_HOLD(n >= sizeof(hdr) + ETH_HEADER && len <= MAX_PACKET);
	memcpy(&hdr, frame, sizeof(hdr));
	MUST_HOLD(!(hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
		  (size_t)hdr.csum_start + hdr.csum_offset + 2 <= len);
	MUST_HOLD(hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE ||
		  ((hdr.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 ||
		    hdr.gso_type == VIRTIO_NET_HDR_GSO_TCPV6) &&
		   hdr.gso_size && hdr.hdr_len <= len));
}

bool front_tap_drain(struct front *f, struct vifrig_queue *q, unsigned int n)
{
	bool any = false;
	ssize_t got;

	(void)f;
	while (n-- && q->tap >= 0) {
		got = read(q->tap, frame, sizeof(frame));
		if (got <= 0)
			break;
		check_packet((size_t)got);
		any = true;
	}
	return any;
}

/* The frontend's other processor. */
static void meddle(void)
{
	struct front *f = front_now;
	uint8_t what;

	if (!f || !f->meddle)
		return;
	f->meddle--;
	what = take_u8(f->in);
	if (what < 64)
		front_scribble(f);
	else if (what < 96)
		front_set_index(f);
	else if (what < 128)
		front_spoil_grant(f);
}

/* By the linker's --wrap. */
void __real_ring_copy_request(const struct ring *ring, uint32_t index, uint8_t *ret);
void __wrap_ring_copy_request(const struct ring *ring, uint32_t index, uint8_t *ret);
void __wrap_ring_copy_request(const struct ring *ring, uint32_t index, uint8_t *ret)
{
	__real_ring_copy_request(ring, index, ret);
	if (front_now && front_now->poison)
		memset((uint8_t *)ring->shared + ABI_RING_HEADER +
			       (size_t)(index & (ring->slots - 1)) * ring->abi->slot_size,
		       0xff, ring->abi->slot_size);
	meddle();
}

int __real_host_gnt_copy(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n);
int __wrap_host_gnt_copy(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n);
int __wrap_host_gnt_copy(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n)
{
	int r;

	meddle();
	r = __real_host_gnt_copy(gnt, pieces, n);
	meddle();
	return r;
}
