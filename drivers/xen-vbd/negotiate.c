// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/log2.h>

#include "../core/ring.h"
#include "negotiate.h"
#include "request.h"

#define DIRECT BLKIF_MAX_SEGMENTS_PER_REQUEST

/**
 * xvbd_settle_rings - number and size of rings
 * @wish: this end
 * @offer: the other end; any value
 * @out: @queues and @ring_order are set
 */
void xvbd_settle_rings(const struct xvbd_wish *wish, const struct xvbd_offer *offer,
		       struct xvbd_geometry *out)
{
	out->queues = min3(wish->cpus, wish->max_queues, offer->max_queues);
	out->queues = max(out->queues, 1u);
	out->ring_order = min3(wish->max_ring_order, offer->max_ring_order,
			       (u32)XENPV_RING_MAX_ORDER);
}

/**
 * xvbd_settle_segments - size of requests, and grants for them
 * @wish: this end
 * @offer: the other end; any value
 * @io: @queues is read; the fields other than the rings' are set
 *
 * Each ring gets its share of the grants, and no request may need more than
 * half of that, so that two can be in flight; 11 segments are always
 * possible. A backend that offers 11 indirect segments or fewer gets direct
 * requests only, which carry as many.
 */
void xvbd_settle_segments(const struct xvbd_wish *wish, const struct xvbd_offer *offer,
			  struct xvbd_geometry *io)
{
	u32 share = max(wish->grants / max(io->queues, 1u), 2u * DIRECT);
	u32 segs = min3(wish->max_segments, offer->max_segments, XVBD_MAX_SEGMENTS);

	segs = min(segs, share / 2);
	io->indirect = segs > DIRECT;
	io->segments = io->indirect ? segs : DIRECT;
	io->grants = share;
}

/**
 * xvbd_auto_grants - data grants of a device when the user set no number
 * @table_refs: references the domain's grant table can hold
 * @ram_pages: pages of memory
 *
 * A 32nd of the table, so that many disks fit, and where memory is small a
 * 128th of it, since each grant may get a page of its own.
 */
u32 xvbd_auto_grants(u64 table_refs, u64 ram_pages)
{
	u64 n = min(table_refs / 32, ram_pages / 128);

	return clamp_t(u64, n, 2 * DIRECT, 4096);
}

/**
 * xvbd_media_check - validate what the backend says of the disk
 * @media: as read; @physical_size is corrected if it makes no sense
 *
 * Return: NULL, or the name of the node whose value cannot be used.
 */
const char *xvbd_media_check(struct xvbd_media *media)
{
	if (media->sector_size < XVBD_SECTOR || media->sector_size > XVBD_FRAME_SIZE ||
	    !is_power_of_2(media->sector_size))
		return "sector-size";
	/* More than this cannot be expressed in bytes. */
	if (media->sectors > (u64)LLONG_MAX / XVBD_SECTOR)
		return "sectors";
	if (media->physical_size < media->sector_size || !is_power_of_2(media->physical_size) ||
	    media->physical_size > 1u << 20)
		media->physical_size = media->sector_size;
	/* A trailing part of a block cannot be reached. */
	media->sectors &= ~(u64)(media->sector_size / XVBD_SECTOR - 1);
	return NULL;
}
