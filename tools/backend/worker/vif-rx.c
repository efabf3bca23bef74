/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the tap to the guest. Packets are read as long as there is room for them in
 * the ring, copied into the guest's pages in one go, and answered in order. A packet
 * without room waits, and with it the tap: its queue is the bounded one. When the
 * frontend gives no buffers for VIF_STALL_MS packets are dropped, so that it finds
 * fresh ones when it wakes up.
 * Where several packets are expected they are taken from the tap in one call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/vif-io.h"

#define MAX_EXTRAS  3u   /* GSO, XDP, hash */
#define READ_BUDGET 256u /* packets read in one pass, whatever becomes of them */
#define NS_PER_MS   UINT64_C(1000000)

/* As Linux has it in its netif.h. */
struct extra_xdp {
	uint8_t type;
	uint8_t flags;
	uint16_t headroom;
	uint16_t pad[2];
};
_Static_assert(sizeof(struct extra_xdp) == sizeof(struct netif_extra_info), "an extra info");
_Static_assert(sizeof(struct netif_rx_response) == sizeof(struct netif_extra_info), "a slot");

int vif_rx_init(struct vif_queue *q)
{
	q->rx.arena = malloc(VIF_ARENA_SIZE);
	return q->rx.arena ? 0 : -ENOMEM;
}

void vif_rx_free(struct vif_queue *q)
{
	free(q->rx.arena);
	q->rx.arena = NULL;
	free(q->rx.segment_buf);
	q->rx.segment_buf = NULL;
	vif_stage_free(&q->rx.stage);
}

static void drop(struct vif_queue *q)
{
	VIF_STAT_ADD(q, rx_dropped, 1);
}

/* Is it a multicast packet that the frontend has not asked for? */
static bool filtered(const struct vif_queue *q, const uint8_t *frame)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (!(frame[0] & 1) || !atomic_load_explicit(&q->common->filter, memory_order_relaxed))
		return false;
	return memcmp(frame, broadcast, sizeof(broadcast)) != 0 &&
	       !vif_mcast_has(&q->common->mcast, vif_mcast_key(frame));
}

/*
 * What the hash says of a packet. True: it belongs to another queue, and went there.
 * @buf: header and frame
 */
static bool steer(struct vif_queue *q, const uint8_t *buf, size_t size, const struct packet *p,
		  bool mine, struct vif_rx_packet *ret)
{
	struct vif_common *c = q->common;
	struct vif_queue *other;

	if (!vif_hash_wanted(&q->hash))
		return false;
	ret->hashed = vif_hash_packet(&q->hash, buf + TAP_HEADER, p, &ret->hash, &ret->hash_type);
	other = c->queue[vif_hash_queue(&q->hash, ret->hash, c->nr_queues)];
	if (mine || other == q)
		return false;
	if (!vif_inbox_put(&other->inbox, buf, size)) {
		drop(q);
		return true;
	}
	if (atomic_load(&other->asleep))
		vif_kick(other);
	return true;
}

/* Keep a packet that has to be cut up. False: out of memory. */
static bool begin_segments(struct vif_queue *q, const struct vif_rx_packet *whole,
			   const struct packet *p, uint32_t size)
{
	struct vif_rx *rx = &q->rx;

	if (!rx->segment_buf)
		rx->segment_buf = malloc(PACKET_MAX);
	if (!rx->segment_buf)
		return false;
	memcpy(rx->segment_buf, whole->frame, whole->len);
	rx->whole = *whole;
	segment_begin(&rx->segment, rx->segment_buf, p, size);
	return true;
}

/*
 * Judge what was read to @buf. True: @ret is for our ring. False: it was dropped, went to
 * another queue, or is cut up. @mine: it comes from our inbox
 */
static bool accept(struct vif_queue *q, uint8_t *buf, size_t size, bool mine,
		   struct vif_rx_packet *ret)
{
	uint8_t *frame = buf + TAP_HEADER;
	size_t len = size - TAP_HEADER;
	struct virtio_net_hdr hdr;
	struct packet p = { 0 };

	memcpy(&hdr, buf, sizeof(hdr));
	*ret = (struct vif_rx_packet){ .frame = frame, .len = len };
	if (len < PACKET_ETH_HEADER || len > PACKET_MAX || filtered(q, frame)) {
		drop(q);
		return false;
	}
	if (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE ||
	    vif_hash_wanted(&q->hash))
		packet_parse(frame, len, &p);
	if (steer(q, buf, size, &p, mine, ret))
		return false;
	switch (offload_to_guest(frame, len, &p, &hdr, &q->common->caps, &ret->offload)) {
	case OFFLOAD_PASS:
		return true;
	case OFFLOAD_SEGMENT:
		if (p.protocol && hdr.gso_size && begin_segments(q, ret, &p, hdr.gso_size))
			return false;
		break;
	case OFFLOAD_DROP:
		break;
	}
	drop(q);
	return false;
}

/* The tap has no more packets, because of @r. */
static void note_end(struct vif_queue *q, int r)
{
	if (r == -EPIPE)
		q->tap_gone = true;
	vif_ahead_end(&q->rx.ahead);
	q->rx.drained = true;
}

/* Fill the stage, which is empty. @room: slots of the ring. 0, or why not. */
static int look_ahead(struct vif_queue *q, uint32_t room)
{
	bool freely = q->batch && tap_batch_never_waits(q->batch);
	uint32_t most = room < VIF_STAGE_PACKETS ? room : VIF_STAGE_PACKETS;
	struct vif_rx *rx = &q->rx;
	struct tap_batch *batch;
	uint32_t n;
	int r;

	n = vif_ahead_next(&rx->ahead, most, freely);
	batch = n ? vif_batch(q) : NULL;
	if (!batch)
		return 0;
	/* in the next pass, which comes at once */
	if (rx->stage.in_use)
		return -EBUSY;
	r = vif_stage_fill(&rx->stage, batch, q->tap, n);
	if (r < 0)
		return 0;
	vif_ahead_found(&rx->ahead, (uint32_t)r);
	for (uint32_t i = 0; i < (uint32_t)r; i++)
		q->taken += rx->stage.packet[i].result >= 0;
	return 0;
}

/* The next packet of the tap, and where it lies. Errors: those of tap_read(), -EBUSY. */
static ssize_t take_from_tap(struct vif_queue *q, uint32_t room, uint8_t **ret)
{
	struct vif_rx *rx = &q->rx;
	ssize_t n;
	int r;

	if (!vif_stage_left(&rx->stage) && !rx->stage.end && !q->tap_gone) {
		r = look_ahead(q, room);
		if (r < 0)
			return r;
	}
	if (vif_stage_left(&rx->stage))
		return vif_stage_take(&rx->stage, ret);
	if (q->tap_gone)
		return -EPIPE;
	n = rx->stage.end;
	rx->stage.end = 0;
	if (!n) {
		*ret = rx->arena + rx->used;
		n = tap_read(q->tap, *ret, VIF_BUFFER_SIZE);
		q->taken += n >= 0;
		if (n >= 0 || n == -EMSGSIZE) {
			vif_ahead_found(&rx->ahead, 1);
			return n;
		}
	}
	note_end(q, (int)n);
	return n;
}

/* The next packet, where it was read to or at the end of the arena. False: there is none. */
static bool next_packet(struct vif_queue *q, uint32_t room, struct vif_rx_packet *ret)
{
	struct vif_rx *rx = &q->rx;
	uint8_t *buf = rx->arena + rx->used, *from;
	ssize_t n;

	if (vif_rx_waits(q)) {
		*ret = rx->wait;
		return true;
	}
	for (;;) {
		if (segment_left(&rx->segment)) {
			*ret = rx->whole;
			ret->frame = buf;
			ret->len = segment_next(&rx->segment, buf);
			ret->offload = (struct offload_info){ .validated = true };
			return true;
		}
		if (!rx->budget)
			return false;
		rx->budget--;
		n = (ssize_t)vif_inbox_take(&q->inbox, buf);
		if (n > 0) {
			if (accept(q, buf, (size_t)n, true, ret))
				return true;
			continue;
		}
		n = take_from_tap(q, room, &from);
		if (n == -EMSGSIZE) {
			drop(q);
			continue;
		}
		if (n < 0)
			return false;
		if (accept(q, from, (size_t)n, false, ret))
			return true;
	}
}

/* The extra infos that go with @p, in the order in which they are sent. */
static uint32_t make_extras(const struct vif_queue *q, const struct vif_rx_packet *p,
			    uint32_t headroom, struct netif_extra_info ret[MAX_EXTRAS])
{
	uint32_t n = 0;

	memset(ret, 0, MAX_EXTRAS * sizeof(*ret));
	if (p->offload.gso_type != XEN_NETIF_GSO_TYPE_NONE) {
		ret[n].type = XEN_NETIF_EXTRA_TYPE_GSO;
		ret[n].u.gso.type = p->offload.gso_type;
		ret[n++].u.gso.size = p->offload.gso_size;
	}
	if (headroom) {
		struct extra_xdp xdp = { .type = VIF_EXTRA_XDP, .headroom = (uint16_t)headroom };

		memcpy(&ret[n++], &xdp, sizeof(xdp));
	}
	if (p->hashed) {
		ret[n].type = XEN_NETIF_EXTRA_TYPE_HASH;
		ret[n].u.hash.type = p->hash_type;
		ret[n].u.hash.algorithm = (uint8_t)q->hash.config.algorithm;
		for (unsigned int i = 0; i < 4; i++)
			ret[n].u.hash.value[i] = (uint8_t)(p->hash >> 8 * i);
		n++;
	}
	for (uint32_t i = 0; i + 1 < n; i++)
		ret[i].flags = XEN_NETIF_EXTRA_FLAG_MORE;
	return n;
}

/* The request of the slot that the next reply goes to. */
static struct netif_rx_request take_request(struct vif_queue *q)
{
	struct netif_rx_request req;
	uint8_t slot[ABI_MAX_SLOT];

	ring_copy_request(&q->rx.ring, q->rx.ring.req_cons++, slot);
	memcpy(&req, slot, sizeof(req));
	return req;
}

static void put_data(struct vif_queue *q, const struct vif_rx_slot *slot, const uint8_t *from,
		     uint16_t flags)
{
	struct netif_rx_request req = take_request(q);
	struct vif_rx *rx = &q->rx;
	struct vif_rx_reply *reply = &rx->reply[rx->nr_replies++];
	uint8_t *page = vif_grants_find(&q->grants, req.gref, true);

	*reply = (struct vif_rx_reply){ .piece = -1 };
	reply->rsp = (struct netif_rx_response){
		.id = req.id,
		.offset = slot->offset,
		.flags = flags,
		.status = (int16_t)slot->len,
	};
	if (page) {
		memcpy(page + slot->offset, from, slot->len);
		VIF_STAT_ADD(q, static_hits, 1);
		return;
	}
	reply->piece = (int32_t)rx->nr_pieces;
	rx->piece[rx->nr_pieces++] = (struct host_gnt_copy){
		.ref = req.gref,
		.offset = slot->offset,
		.len = slot->len,
		/* only read from: to_guest */
		.local = (void *)(uintptr_t)from,
		.to_guest = 1,
	};
}

/* Into the ring. Returns 0, or how many slots it would take, or UINT32_MAX: never. */
static uint32_t place(struct vif_queue *q, const struct vif_rx_packet *p, uint32_t room)
{
	uint32_t headroom = atomic_load_explicit(&q->common->headroom, memory_order_relaxed);
	struct netif_extra_info extra[MAX_EXTRAS];
	struct vif_rx_slot slot[VIF_MAX_FRAGS];
	const uint8_t *from = p->frame;
	uint32_t data, extras;
	uint16_t flags = 0;

	data = vif_rx_layout((uint32_t)p->len, headroom, slot);
	extras = make_extras(q, p, headroom, extra);
	if (!data || (data > 1 && !q->common->sg))
		return UINT32_MAX;
	if (data + extras > room)
		return data + extras;

	if (p->offload.csum_blank)
		flags |= NETRXF_csum_blank;
	if (p->offload.validated)
		flags |= NETRXF_data_validated;
	if (extras)
		flags |= NETRXF_extra_info;
	for (uint32_t i = 0; i < data; i++) {
		if (i + 1 < data)
			flags |= NETRXF_more_data;
		put_data(q, &slot[i], from, flags);
		from += slot[i].len;
		flags = 0;
		for (uint32_t e = 0; i == 0 && e < extras; e++) {
			take_request(q);
			q->rx.reply[q->rx.nr_replies++] =
				(struct vif_rx_reply){ .extra = true, .info = extra[e] };
		}
	}
	VIF_STAT_ADD(q, rx_packets, 1);
	VIF_STAT_ADD(q, rx_bytes, p->len);
	return 0;
}

/* Copy what was placed, and answer. True: the frontend wants an event. */
static bool flush(struct vif_queue *q)
{
	struct vif_rx *rx = &q->rx;
	int r = 0;

	if (rx->nr_pieces) {
		r = host_gnt_copy(q->common->gnt, rx->piece, rx->nr_pieces);
		VIF_STAT_ADD(q, grant_copies, 1);
	}
	for (uint32_t i = 0; i < rx->nr_replies; i++) {
		struct vif_rx_reply *reply = &rx->reply[i];
		int error = 0;

		if (reply->extra) {
			ring_put_raw(&rx->ring, &reply->info, sizeof(reply->info));
			continue;
		}
		if (reply->piece >= 0)
			error = r < 0 ? r : rx->piece[reply->piece].status;
		if (error) {
			reply->rsp.status = NETIF_RSP_ERROR;
			if (vif_may_log(q))
				log_full(LOG_WARNING, &q->common->about, error,
					 "queue %u: grant %u of a receive request cannot be "
					 "written: %m",
					 q->number, rx->piece[reply->piece].ref);
		}
		ring_put_raw(&rx->ring, &reply->rsp, sizeof(reply->rsp));
	}
	rx->nr_pieces = rx->nr_replies = 0;
	rx->stage.in_use = false;
	return ring_publish(&rx->ring);
}

static void set_stalled(struct vif_queue *q, bool stalled)
{
	q->rx.stalled = stalled;
	VIF_STAT_SET(q, rx_stalled, stalled);
}

/* No room for @p in the ring. False: it was dropped, go on with the next. */
static bool wait_for_room(struct vif_queue *q, const struct vif_rx_packet *p, uint32_t need)
{
	struct vif_rx *rx = &q->rx;
	uint64_t now = vif_now();

	if (!vif_rx_waits(q))
		rx->wait_since = now;
	rx->wait = *p;
	rx->need = need;
	if (!rx->stalled && now - rx->wait_since < VIF_STALL_MS * NS_PER_MS)
		return true;
	if (!rx->stalled) {
		set_stalled(q, true);
		VIF_STAT_ADD(q, rx_stalls, 1);
		log_full(LOG_INFO, &q->common->about, 0,
			 "queue %u: the frontend has given no buffers for %u ms; packets are "
			 "dropped until it does",
			 q->number, VIF_STALL_MS);
	}
	rx->wait.frame = NULL;
	drop(q);
	return false;
}

/* The packet that waits moves to the start of the arena, which is empty but for it. */
static void settle(struct vif_queue *q)
{
	struct vif_rx *rx = &q->rx;

	rx->used = 0;
	if (!vif_rx_waits(q))
		return;
	memmove(rx->arena, rx->wait.frame, rx->wait.len);
	rx->wait.frame = rx->arena;
	rx->used = rx->wait.len;
}

bool vif_rx_pass(struct vif_queue *q, bool *want_event)
{
	struct vif_rx *rx = &q->rx;
	bool busy = false, placed = false;
	struct vif_rx_packet p;

	rx->budget = READ_BUDGET;
	rx->drained = false;
	/* what the tap said in an earlier pass may be no longer so */
	if (rx->stage.end != -EPIPE)
		rx->stage.end = rx->quiet && !vif_stage_left(&rx->stage) ? -EAGAIN : 0;
	rx->quiet = false;
	while (VIF_ARENA_SIZE - rx->used >= VIF_BUFFER_SIZE) {
		bool waited = vif_rx_waits(q);
		uint32_t need;
		int room;

		room = ring_pending(&rx->ring);
		if (room < 0) {
			vif_fail(q, "receive request index %u, %u were taken", rx->ring.bad_prod,
				 rx->ring.req_cons);
			break;
		}
		if (waited && !rx->stalled && (uint32_t)room < rx->need &&
		    vif_now() - rx->wait_since < VIF_STALL_MS * NS_PER_MS)
			break;
		if (!next_packet(q, (uint32_t)room, &p))
			break;
		need = place(q, &p, (uint32_t)room);
		if (need == UINT32_MAX || need > VIF_RING_SLOTS) {
			rx->wait.frame = NULL;
			busy = true;
			drop(q);
			continue;
		}
		if (need) {
			if (wait_for_room(q, &p, need)) {
				busy |= !waited;
				break;
			}
			busy = true;
			continue;
		}
		placed = true;
		if (rx->stalled)
			set_stalled(q, false);
		rx->wait.frame = NULL;
		/* one that waited lies at the start, where it has been counted */
		if (vif_stage_has(&rx->stage, p.frame))
			rx->stage.in_use = true;
		else if (!waited)
			rx->used = (size_t)(p.frame - rx->arena) + p.len;
	}
	if (placed && !q->failed && flush(q))
		*want_event = true;
	settle(q);
	return busy || placed || !rx->budget;
}
