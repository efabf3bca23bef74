/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/netif.h>

#include "host/host.h"

const struct abi vif_abi_tx = { .slot_size = sizeof(struct netif_tx_request) };
const struct abi vif_abi_rx = { .slot_size = sizeof(struct netif_rx_request) };
const struct abi vif_abi_control = { .slot_size = sizeof(struct xen_netif_ctrl_request) };

_Static_assert(sizeof(struct netif_tx_request) == 12, "netif.h: ring slot size is 12 octets");
_Static_assert(sizeof(struct netif_rx_request) == 8, "netif.h: ring slot size is 8 octets");
_Static_assert(VIF_MAX_FRAGS == XEN_NETIF_NR_SLOTS_MIN, "what netif.h promises to frontends");
_Static_assert(VIF_MAX_SLOTS <= 64, "struct vif_tx_request.extra");

__attribute__((format(printf, 2, 3))) static int refuse(char *text, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, WORKER_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return -EPROTO;
}

static void bad(struct vif_tx_request *ret, const char *why)
{
	if (ret->kind != VIF_TX_BAD)
		ret->why = why;
	ret->kind = VIF_TX_BAD;
}

/* The next slot of the packet. */
static int next_slot(const struct ring *ring, uint32_t pending, struct vif_tx_request *ret,
		     uint8_t slot[static ABI_MAX_SLOT], char *text)
{
	if (ret->slots == pending)
		return refuse(text, "a packet goes on behind its last slot, the %uth", ret->slots);
	ring_copy_request(ring, ring->req_cons + ret->slots, slot);
	ret->slots++;
	return 0;
}

static int take_gso(const struct netif_extra_info *extra, struct vif_tx_request *ret, char *text)
{
	if (!extra->u.gso.size)
		return refuse(text, "GSO with segments of 0 bytes");
	if (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
	    extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
		return refuse(text, "GSO type %u is unknown", extra->u.gso.type);
	ret->offload.gso_type = extra->u.gso.type;
	ret->offload.gso_size = extra->u.gso.size;
	return 0;
}

static int take_extras(const struct ring *ring, uint32_t pending, struct vif_tx_request *ret,
		       char *text)
{
	struct netif_extra_info extra;
	uint8_t slot[ABI_MAX_SLOT];
	unsigned int n = 0;
	int r;

	do {
		if (n++ == VIF_MAX_EXTRAS)
			return refuse(text, "more than %u extra infos in one packet",
				      VIF_MAX_EXTRAS);
		ret->extra |= UINT64_C(1) << ret->slots;
		r = next_slot(ring, pending, ret, slot, text);
		if (r < 0)
			return r;
		memcpy(&extra, slot, sizeof(extra));
		switch (extra.type) {
		case XEN_NETIF_EXTRA_TYPE_GSO:
			r = take_gso(&extra, ret, text);
			if (r < 0)
				return r;
			break;
		case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
		case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
			ret->kind = extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ? VIF_TX_MCAST_ADD
										 : VIF_TX_MCAST_DEL;
			memcpy(ret->mac, extra.u.mcast.addr, sizeof(ret->mac));
			break;
		case XEN_NETIF_EXTRA_TYPE_HASH: /* the host computes its own */
		case VIF_EXTRA_XDP:             /* of no use on a tap */
			break;
		default:
			return refuse(text, "extra info of type %u is unknown", extra.type);
		}
	} while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

static void take_frag(const struct netif_tx_request *req, uint32_t size, struct vif_tx_request *ret)
{
	if (ret->nr_frags < VIF_MAX_FRAGS)
		ret->frag[ret->nr_frags] =
			(struct vif_frag){ req->gref, req->offset, (uint16_t)size };
	else
		bad(ret, "has more slots than a packet may have");
	ret->nr_frags++;
}

/* The slots behind the first. Their sizes add up to @ret_rest. */
static int take_rest(const struct ring *ring, uint32_t pending, struct vif_tx_request *ret,
		     uint32_t *ret_rest, char *text)
{
	struct netif_tx_request req;
	uint8_t slot[ABI_MAX_SLOT];
	int r;

	do {
		if (ret->nr_frags == VIF_FATAL)
			return refuse(text, "more than %u slots of data in one packet", VIF_FATAL);
		r = next_slot(ring, pending, ret, slot, text);
		if (r < 0)
			return r;
		memcpy(&req, slot, sizeof(req));
		ret->id[ret->slots - 1] = req.id;
		if (req.offset + (uint32_t)req.size > HOST_PAGE_SIZE)
			return refuse(text, "a slot of %u bytes at offset %u leaves its page",
				      req.size, req.offset);
		*ret_rest += req.size;
		take_frag(&req, req.size, ret);
	} while (req.flags & NETTXF_more_data);
	return 0;
}

int vif_tx_parse(const struct ring *ring, uint32_t pending, struct vif_tx_request *ret,
		 char text[static WORKER_ERROR_SIZE])
{
	struct netif_tx_request first;
	uint8_t slot[ABI_MAX_SLOT];
	uint32_t rest = 0;
	int r;

	ret->kind = VIF_TX_PACKET;
	ret->why = NULL;
	ret->slots = 0;
	ret->nr_frags = 0;
	ret->extra = 0;
	ret->offload = (struct offload_info){ .gso_type = XEN_NETIF_GSO_TYPE_NONE };

	r = next_slot(ring, pending, ret, slot, text);
	if (r < 0)
		return r;
	memcpy(&first, slot, sizeof(first));
	ret->id[0] = first.id;
	ret->size = first.size;
	ret->offload.csum_blank = first.flags & NETTXF_csum_blank;
	ret->offload.validated = first.flags & NETTXF_data_validated;
	if (first.flags & NETTXF_extra_info) {
		r = take_extras(ring, pending, ret, text);
		if (r < 0)
			return r;
		if (ret->kind != VIF_TX_PACKET)
			return 0; /* a carrier of messages only: its other fields mean nothing */
	}
	take_frag(&first, first.size, ret);
	if (first.flags & NETTXF_more_data) {
		r = take_rest(ring, pending, ret, &rest, text);
		if (r < 0)
			return r;
	}
	if (rest > first.size) {
		/* old frontends send more than 64 KiB at times, which the size cannot say */
		bad(ret, "has slots that are larger than the packet");
		return 0;
	}
	ret->frag[0].len = (uint16_t)(first.size - rest);
	if (first.offset + (uint32_t)ret->frag[0].len > HOST_PAGE_SIZE)
		return refuse(text, "a first slot of %u bytes at offset %u leaves its page",
			      ret->frag[0].len, first.offset);
	if (first.size < PACKET_ETH_HEADER)
		bad(ret, "is shorter than an Ethernet header");
	return 0;
}

uint32_t vif_rx_layout(uint32_t len, uint32_t headroom,
		       struct vif_rx_slot ret[static VIF_MAX_FRAGS])
{
	uint32_t offset = headroom, n = 0, piece;

	do {
		if (n == VIF_MAX_FRAGS)
			return 0;
		piece = HOST_PAGE_SIZE - offset;
		if (piece > len)
			piece = len;
		ret[n++] = (struct vif_rx_slot){ (uint16_t)offset, (uint16_t)piece };
		len -= piece;
		offset = 0;
	} while (len);
	return n;
}
