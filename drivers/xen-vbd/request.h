/* SPDX-License-Identifier: GPL-2.0-only */
/* Building requests of the blkif protocol. Pure: no Xen call, no shared page. */
#ifndef XVBD_REQUEST_H
#define XVBD_REQUEST_H

#include <linux/types.h>
#include <xen/interface/io/blkif.h>

/* Frames are 4 KiB whatever PAGE_SIZE is (ring.h, "Xen page size"). */
#define XVBD_FRAME_SIZE		4096u
#define XVBD_SECTOR		512u
#define XVBD_SEGS_PER_FRAME	(XVBD_FRAME_SIZE / sizeof(struct blkif_request_segment))
/* One frame of descriptors is enough for the largest request we make. */
#define XVBD_MAX_SEGMENTS	256u

/**
 * struct xvbd_seg - bytes of one frame
 * @frame: number of the frame; any number that tells frames apart
 * @offset: first byte, a multiple of 512
 * @len: bytes, a multiple of 512; @offset + @len is at most 4096
 */
struct xvbd_seg {
	unsigned long frame;
	u32 offset;
	u32 len;
};

/**
 * struct xvbd_cursor - cuts a list of memory pieces into segments
 * @max_segs: segments that may be made
 * @max_bytes: bytes that may be taken
 * @segs: segments made so far, the open one included
 * @bytes: bytes taken so far
 * @open: segment that the next piece may still extend; its @len is 0 when none
 */
struct xvbd_cursor {
	u32 max_segs;
	u32 max_bytes;
	u32 segs;
	u32 bytes;
	struct xvbd_seg open;
};

/**
 * struct xvbd_head - what all data requests carry
 * @id: echoed in the response
 * @sector: first sector, in units of 512 bytes
 * @op: %BLKIF_OP_READ, %BLKIF_OP_WRITE or %BLKIF_OP_WRITE_BARRIER
 * @handle: device number within the backend's domain
 */
struct xvbd_head {
	u64 id;
	u64 sector;
	u8 op;
	blkif_vdev_t handle;
};

enum xvbd_fed {
	XVBD_FED_BAD = -1,
	XVBD_FED_OK = 0,
	XVBD_FED_CLOSED = 1,
};

void xvbd_cursor_init(struct xvbd_cursor *cur, u32 max_segs, u32 max_bytes);
enum xvbd_fed xvbd_cursor_feed(struct xvbd_cursor *cur, const struct xvbd_seg *piece,
			       struct xvbd_seg *done, u32 *taken);
bool xvbd_cursor_finish(struct xvbd_cursor *cur, struct xvbd_seg *done);

void xvbd_fill_segment(struct blkif_request_segment *out, const struct xvbd_seg *seg,
		       grant_ref_t ref);
int xvbd_build_direct(struct blkif_request *out, const struct xvbd_head *head, u32 nr_segs);
int xvbd_build_indirect(struct blkif_request *out, const struct xvbd_head *head, u32 nr_segs,
			grant_ref_t frame_ref);
void xvbd_build_discard(struct blkif_request *out, u64 id, u64 sector, u64 nr_sectors,
			bool secure);
int xvbd_expected_op(const struct blkif_request *req);

#endif /* XVBD_REQUEST_H */
