// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "request.h"

/**
 * xvbd_cursor_init - begin to cut
 * @cur: cursor
 * @max_segs: segments that may be made
 * @max_bytes: bytes that may be taken
 */
void xvbd_cursor_init(struct xvbd_cursor *cur, u32 max_segs, u32 max_bytes)
{
	memset(cur, 0, sizeof(*cur));
	cur->max_segs = max_segs;
	cur->max_bytes = max_bytes;
}

/**
 * xvbd_cursor_feed - take the next piece of memory
 * @cur: cursor
 * @piece: bytes within one frame
 * @done: receives the segment that @piece did not extend, if there was one
 * @taken: receives how many bytes of @piece were taken; fewer than its length
 *	means that a limit is reached
 *
 * A piece that follows the previous one in the same frame extends its
 * segment, as the block layer counts it when it merges.
 *
 * Return: %XVBD_FED_CLOSED when @done was filled in, %XVBD_FED_OK when not,
 * %XVBD_FED_BAD when @piece is not made of whole sectors in one frame.
 */
enum xvbd_fed xvbd_cursor_feed(struct xvbd_cursor *cur, const struct xvbd_seg *piece,
			       struct xvbd_seg *done, u32 *taken)
{
	struct xvbd_seg *open = &cur->open;
	enum xvbd_fed ret = XVBD_FED_OK;
	u32 len;

	*taken = 0;
	if (!piece->len || (piece->offset | piece->len) & (XVBD_SECTOR - 1) ||
	    piece->len > XVBD_FRAME_SIZE || piece->offset > XVBD_FRAME_SIZE - piece->len)
		return XVBD_FED_BAD;

	len = min(piece->len, rounddown(cur->max_bytes - cur->bytes, XVBD_SECTOR));
	if (!len)
		return XVBD_FED_OK;

	if (open->len && open->frame == piece->frame &&
	    open->offset + open->len == piece->offset) {
		open->len += len;
	} else {
		if (cur->segs == cur->max_segs)
			return XVBD_FED_OK;
		if (open->len) {
			*done = *open;
			ret = XVBD_FED_CLOSED;
		}
		*open = *piece;
		open->len = len;
		cur->segs++;
	}
	cur->bytes += len;
	*taken = len;
	return ret;
}

/**
 * xvbd_cursor_finish - end the last segment
 * @cur: cursor
 * @done: receives it
 *
 * Return: false when there is none.
 */
bool xvbd_cursor_finish(struct xvbd_cursor *cur, struct xvbd_seg *done)
{
	if (!cur->open.len)
		return false;
	*done = cur->open;
	cur->open.len = 0;
	return true;
}

/**
 * xvbd_fill_segment - describe a segment to the backend
 * @out: descriptor in a request or in an indirect frame
 * @seg: segment
 * @ref: reference of its frame
 */
void xvbd_fill_segment(struct blkif_request_segment *out, const struct xvbd_seg *seg,
		       grant_ref_t ref)
{
	/* One store of the whole, so that padding carries nothing of ours. */
	struct blkif_request_segment wire;

	memset(&wire, 0, sizeof(wire));
	wire.gref = ref;
	wire.first_sect = seg->offset / XVBD_SECTOR;
	wire.last_sect = (seg->offset + seg->len) / XVBD_SECTOR - 1;
	memcpy(out, &wire, sizeof(wire));
}

/**
 * xvbd_build_direct - build a request whose segments are in the request
 * @out: request; seg[] stays as it is, the rest is written
 * @head: what it does
 * @nr_segs: segments; 0 only for a flush or an empty barrier
 *
 * Return: 0 or -EINVAL.
 */
int xvbd_build_direct(struct blkif_request *out, const struct xvbd_head *head, u32 nr_segs)
{
	switch (head->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		if (!nr_segs)
			return -EINVAL;
		break;
	case BLKIF_OP_WRITE_BARRIER:
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
		if (nr_segs)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (nr_segs > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return -EINVAL;

	out->operation = head->op;
	out->u.rw.nr_segments = nr_segs;
	out->u.rw.handle = head->handle;
	out->u.rw.id = head->id;
	out->u.rw.sector_number = head->sector;
	return 0;
}

/**
 * xvbd_build_indirect - build a request whose segments are in another frame
 * @out: request; all of it is written
 * @head: what it does; only reads and writes may be indirect (blkif.h, note 10)
 * @nr_segs: segments described in the frame, 1 to %XVBD_MAX_SEGMENTS
 * @frame_ref: reference of that frame
 *
 * Return: 0 or -EINVAL.
 */
int xvbd_build_indirect(struct blkif_request *out, const struct xvbd_head *head, u32 nr_segs,
			grant_ref_t frame_ref)
{
	if (head->op != BLKIF_OP_READ && head->op != BLKIF_OP_WRITE)
		return -EINVAL;
	if (!nr_segs || nr_segs > XVBD_MAX_SEGMENTS)
		return -EINVAL;

	memset(out, 0, sizeof(*out));
	out->operation = BLKIF_OP_INDIRECT;
	out->u.indirect.indirect_op = head->op;
	out->u.indirect.nr_segments = nr_segs;
	out->u.indirect.id = head->id;
	out->u.indirect.sector_number = head->sector;
	out->u.indirect.handle = head->handle;
	out->u.indirect.indirect_grefs[0] = frame_ref;
	return 0;
}

/**
 * xvbd_build_discard - build a discard
 * @out: request; all of it is written
 * @id: echoed in the response
 * @sector: first sector of 512 bytes
 * @nr_sectors: how many
 * @secure: the data must not be recoverable
 */
void xvbd_build_discard(struct blkif_request *out, u64 id, u64 sector, u64 nr_sectors,
			bool secure)
{
	memset(out, 0, sizeof(*out));
	out->operation = BLKIF_OP_DISCARD;
	out->u.discard.flag = secure ? BLKIF_DISCARD_SECURE : 0;
	out->u.discard.id = id;
	out->u.discard.sector_number = sector;
	out->u.discard.nr_sectors = nr_sectors;
}

/**
 * xvbd_expected_op - the operation that a correct response names
 * @req: request
 *
 * The response to an indirect request names what the request did.
 */
int xvbd_expected_op(const struct blkif_request *req)
{
	if (req->operation == BLKIF_OP_INDIRECT)
		return req->u.indirect.indirect_op;
	return req->operation;
}
