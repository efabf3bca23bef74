/* SPDX-License-Identifier: GPL-2.0-only */
/* What both ends can do, settled as numbers. Pure. */
#ifndef XVBD_NEGOTIATE_H
#define XVBD_NEGOTIATE_H

#include <linux/types.h>

/**
 * struct xvbd_wish - what this end is willing to do
 * @cpus: virtual CPUs
 * @max_queues: rings at most
 * @max_ring_order: log2 of a ring's pages at most
 * @max_segments: segments of a request at most
 * @grants: data grants of the device at most
 */
struct xvbd_wish {
	u32 cpus;
	u32 max_queues;
	u32 max_ring_order;
	u32 max_segments;
	u32 grants;
};

/**
 * struct xvbd_offer - what the backend wrote, unchecked
 * @max_queues: multi-queue-max-queues, or 1
 * @max_ring_order: max-ring-page-order, or 0
 * @max_segments: feature-max-indirect-segments, or 0
 */
struct xvbd_offer {
	u32 max_queues;
	u32 max_ring_order;
	u32 max_segments;
};

/**
 * struct xvbd_geometry - what the two settle on
 * @queues: rings
 * @ring_order: log2 of a ring's pages
 * @segments: segments of a request at most, at least 11
 * @indirect: requests with more than 11 segments are possible
 * @grants: data grants a ring, at least @segments
 */
struct xvbd_geometry {
	u32 queues;
	u32 ring_order;
	u32 segments;
	bool indirect;
	u32 grants;
};

/**
 * struct xvbd_media - what the backend says of the disk, unchecked
 * @sectors: size in units of 512 bytes
 * @sector_size: "sector-size", bytes of a logical block
 * @physical_size: "physical-sector-size"
 * @info: VDISK_* bits
 */
struct xvbd_media {
	u64 sectors;
	u32 sector_size;
	u32 physical_size;
	u32 info;
};

void xvbd_settle_rings(const struct xvbd_wish *wish, const struct xvbd_offer *offer,
		       struct xvbd_geometry *out);
void xvbd_settle_segments(const struct xvbd_wish *wish, const struct xvbd_offer *offer,
			  struct xvbd_geometry *io);
u32 xvbd_auto_grants(u64 table_refs, u64 ram_pages);
const char *xvbd_media_check(struct xvbd_media *media);

#endif /* XVBD_NEGOTIATE_H */
