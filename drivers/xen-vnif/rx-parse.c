// SPDX-License-Identifier: GPL-2.0-only
#include <linux/build_bug.h>
#include <linux/string.h>

#include "rx-parse.h"

/**
 * xvif_rx_begin - begin a packet
 * @p: packet
 */
void xvif_rx_begin(struct xvif_rx_packet *p)
{
	p->slots = 0;
	p->parts = 0;
	p->frags = 0;
	p->len = 0;
	p->flags = 0;
	p->failed = false;
	p->extra_next = false;
	p->more = true;
	memset(&p->extras, 0, sizeof(p->extras));
}

static const char *take_data(struct xvif_rx_packet *p, const struct xen_netif_rx_response *rsp,
			     u16 id)
{
	bool first = !p->slots;

	if (rsp->id != id)
		return "a response with a wrong id";
	if (rsp->flags & XEN_NETRXF_gso_prefix)
		return "a GSO prefix, which it was not offered";
	if (!first && (rsp->flags & XEN_NETRXF_extra_info))
		return "an extra info after the first slot of a packet";
	if (p->parts == XVIF_MAX_SLOTS)
		return "a packet with too many slots";
	p->parts++;
	p->more = rsp->flags & XEN_NETRXF_more_data;
	if (first) {
		p->flags = rsp->flags;
		p->extra_next = rsp->flags & XEN_NETRXF_extra_info;
	}
	if (rsp->status < 0) {
		/* It could not copy; the slot is ours again all the same. */
		p->failed = true;
		return NULL;
	}
	if (rsp->offset > XVIF_FRAME || rsp->status > XVIF_FRAME - rsp->offset)
		return "data that ends after its page";

	p->frag[p->frags].at = p->slots;
	p->frag[p->frags].offset = rsp->offset;
	p->frag[p->frags].len = rsp->status;
	p->frags++;
	return NULL;
}

static const char *take_extra(struct xvif_rx_packet *p, const struct xen_netif_rx_response *rsp)
{
	struct xen_netif_extra_info info;

	/* An extra info overlays a response. */
	BUILD_BUG_ON(sizeof(info) != sizeof(*rsp));
	memcpy(&info, rsp, sizeof(info));
	return xvif_extra_take(&p->extras, &info, &p->extra_next);
}

/*
 * With headroom asked for, xen-netback leaves it in each slot, says offset 0
 * and counts it into the length. A backend that names the offset of its first
 * slot means it, in all slots.
 */
static const char *finish(struct xvif_rx_packet *p)
{
	bool counted = p->frags && p->extras.headroom && !p->frag[0].offset;
	u16 room = p->extras.headroom;
	u32 i, kept = 0;

	for (i = 0; i < p->frags; i++) {
		struct xvif_rx_frag *f = &p->frag[i];

		if (counted) {
			if (f->offset || f->len < room)
				return "less data than headroom";
			f->offset = room;
			f->len -= room;
		}
		/* An empty slot has nothing for a packet. */
		if (!f->len)
			continue;
		p->len += f->len;
		p->frag[kept++] = *f;
	}
	p->frags = kept;
	return NULL;
}

/**
 * xvif_rx_feed - add a response to a packet
 * @p: packet that is not complete
 * @rsp: private copy of the response (XSA-155)
 * @id: id of the request that was in the same ring slot
 * @what: receives what is wrong with it, for %XVIF_RX_BAD
 *
 * When the packet is complete, its fragments are in order, none is empty, and
 * their lengths add up to @p->len, which may be anything from 0.
 */
enum xvif_rx_fed xvif_rx_feed(struct xvif_rx_packet *p, const struct xen_netif_rx_response *rsp,
			      u16 id, const char **what)
{
	if (p->extra_next)
		*what = take_extra(p, rsp);
	else
		*what = take_data(p, rsp, id);
	if (*what)
		return XVIF_RX_BAD;
	p->slots++;
	if (p->extra_next || p->more)
		return XVIF_RX_MORE;
	*what = finish(p);
	return *what ? XVIF_RX_BAD : XVIF_RX_DONE;
}
