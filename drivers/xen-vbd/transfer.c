// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the data of a request is while the backend works on it: in the pages
 * of the requester, granted for the time (zero-copy), or in pages of the
 * ring's own that stay granted (copied). No lock is held here.
 */
#include <linux/bio.h>
#include <linux/module.h>

#include "vbd.h"

static u8 wire_op(const struct xvbd *vbd, struct request *rq)
{
	if (req_op(rq) == REQ_OP_READ)
		return BLKIF_OP_READ;
	if ((rq->cmd_flags & REQ_FUA) && READ_ONCE(vbd->cache) == XVBD_CACHE_BARRIER)
		return BLKIF_OP_WRITE_BARRIER;
	return BLKIF_OP_WRITE;
}

/* Feeds a request's memory to a cursor; false if it is not made of sectors. */
static bool count_segments(struct request *rq, struct xvbd_cursor *cur)
{
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		struct xvbd_seg piece = {
			.frame = page_to_pfn(bv.bv_page),
			.offset = bv.bv_offset,
			.len = bv.bv_len,
		};
		struct xvbd_seg done;
		u32 taken;

		if (xvbd_cursor_feed(cur, &piece, &done, &taken) == XVBD_FED_BAD)
			return false;
		if (taken < bv.bv_len)
			break;
	}
	return true;
}

/*
 * How much of a request one sending carries: all of it, unless the backend
 * takes fewer segments than the one the request was made for, or the sending
 * is a barrier, which cannot be indirect.
 */
static blk_status_t measure(struct xvbd_ring *ring, struct request *rq, u32 max_segs,
			    struct xvbd_cursor *cur)
{
	u32 mask = ring->vbd->media.sector_size - 1;
	u32 bytes = blk_rq_bytes(rq);

	if (ring->vbd->copy) {
		cur->bytes = min(bytes, max_segs * XVBD_FRAME_SIZE);
		cur->segs = DIV_ROUND_UP(cur->bytes, XVBD_FRAME_SIZE);
		return BLK_STS_OK;
	}
	xvbd_cursor_init(cur, max_segs, bytes);
	if (!count_segments(rq, cur))
		return BLK_STS_IOERR;
	if (cur->bytes == bytes)
		return BLK_STS_OK;

	/* Cut at a logical block. */
	bytes = cur->bytes & ~mask;
	if (!bytes)
		return BLK_STS_IOERR;
	xvbd_cursor_init(cur, max_segs, bytes);
	return count_segments(rq, cur) ? BLK_STS_OK : BLK_STS_IOERR;
}

/* Copies between a request's memory and the pages of its entries. */
static void copy_data(struct xvbd_req *req, struct request *rq, bool to_ring)
{
	struct xenpv_gntpool *pool = &req->ring->pages;
	u32 at = 0;
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		u32 done = 0;

		while (done < bv.bv_len && at < req->bytes) {
			struct page *page = pool->ent[req->ent[at / XVBD_FRAME_SIZE]].page;
			u32 offset = at % XVBD_FRAME_SIZE;
			u32 len = min3(bv.bv_len - done, XVBD_FRAME_SIZE - offset,
				       req->bytes - at);
			char *theirs = kmap_local_page(page);
			char *ours = kmap_local_page(bv.bv_page);

			if (to_ring)
				memcpy(theirs + offset, ours + bv.bv_offset + done, len);
			else
				memcpy(ours + bv.bv_offset + done, theirs + offset, len);
			kunmap_local(ours);
			kunmap_local(theirs);
			done += len;
			at += len;
		}
		if (at == req->bytes)
			break;
	}
	xenpv_stat_add(req->ring->stats, XENPV_STAT_COPIED_BYTES, at);
}

/**
 * xvbd_copy_in - copy what the backend read to where the requester wants it
 * @req: answered with success; its data was copied
 * @rq: its request
 */
void xvbd_copy_in(struct xvbd_req *req, struct request *rq)
{
	copy_data(req, rq, false);
}

static void describe_copied(struct xvbd_req *req, struct blkif_request_segment *out)
{
	u32 i, left = req->bytes;

	for (i = 0; i < req->nr_ents; i++) {
		struct xvbd_seg seg = { .len = min(left, XVBD_FRAME_SIZE) };

		xvbd_fill_segment(&out[i], &seg, req->ring->pages.ent[req->ent[i]].ref);
		left -= seg.len;
	}
}

static void grant_segment(struct xvbd_req *req, const struct xvbd_seg *seg, u32 n, bool readonly,
			  struct blkif_request_segment *out)
{
	grant_ref_t ref = xenpv_gntpool_grant(&req->ring->refs, req->ent[n],
					      pfn_to_page(seg->frame), readonly);

	xvbd_fill_segment(&out[n], seg, ref);
}

static void grant_all(struct xvbd_req *req, struct request *rq, u32 max_segs,
		      struct blkif_request_segment *out)
{
	bool readonly = rq_data_dir(rq) == WRITE;
	struct req_iterator iter;
	struct xvbd_cursor cur;
	struct xvbd_seg done;
	struct bio_vec bv;
	u32 n = 0, taken;

	xvbd_cursor_init(&cur, max_segs, req->bytes);
	rq_for_each_segment(bv, rq, iter) {
		struct xvbd_seg piece = {
			.frame = page_to_pfn(bv.bv_page),
			.offset = bv.bv_offset,
			.len = bv.bv_len,
		};

		if (xvbd_cursor_feed(&cur, &piece, &done, &taken) == XVBD_FED_CLOSED)
			grant_segment(req, &done, n++, readonly, out);
		if (taken < bv.bv_len)
			break;
	}
	if (xvbd_cursor_finish(&cur, &done))
		grant_segment(req, &done, n, readonly, out);
	xenpv_stat_add(req->ring->stats, XENPV_STAT_GRANTED_SEGMENTS, req->nr_ents);
}

/**
 * xvbd_prepare - make a read or write ready to be sent
 * @ring: ring it will be sent on
 * @rq: request
 * @req: its private part; @bytes, @ent and @frame are set
 * @wire: zeroed; receives the request for the backend
 *
 * Return: %BLK_STS_OK; %BLK_STS_DEV_RESOURCE when the ring is full, which
 * runs the queue again once it is not; %BLK_STS_RESOURCE when memory is short;
 * %BLK_STS_IOERR when the request cannot be expressed.
 */
blk_status_t xvbd_prepare(struct xvbd_ring *ring, struct request *rq, struct xvbd_req *req,
			  struct blkif_request *wire)
{
	struct xvbd *vbd = ring->vbd;
	struct xvbd_head head = {
		.id = xvbd_id(rq->mq_hctx->queue_num, rq->tag),
		.sector = blk_rq_pos(rq),
		.op = wire_op(vbd, rq),
		.handle = vbd->handle,
	};
	u32 max_segs = head.op == BLKIF_OP_WRITE_BARRIER ? BLKIF_MAX_SEGMENTS_PER_REQUEST :
							   vbd->geometry.segments;
	struct blkif_request_segment *segs;
	struct xvbd_cursor cur;
	void *mapped = NULL;
	blk_status_t status;
	bool indirect;
	int err;

	/* Made for a backend with smaller sectors. */
	if ((blk_rq_pos(rq) | blk_rq_sectors(rq)) & vbd->sector_mask)
		return BLK_STS_IOERR;
	status = measure(ring, rq, max_segs, &cur);
	if (status != BLK_STS_OK)
		return status;

	indirect = cur.segs > BLKIF_MAX_SEGMENTS_PER_REQUEST;
	if (!xvbd_take(ring, req, cur.segs, indirect))
		return BLK_STS_DEV_RESOURCE;
	req->bytes = cur.bytes;
	req->copied = vbd->copy;
	if ((req->copied && xenpv_gntpool_back(&ring->pages, req->ent, cur.segs,
					       GFP_NOWAIT | __GFP_NOWARN)) ||
	    (indirect && xenpv_gntpool_back(&ring->pages, &req->frame, 1,
					    GFP_NOWAIT | __GFP_NOWARN))) {
		xvbd_give_back(ring, req);
		return BLK_STS_RESOURCE;
	}

	if (indirect) {
		mapped = kmap_local_page(ring->pages.ent[req->frame].page);
		segs = mapped;
	} else {
		segs = wire->u.rw.seg;
	}
	if (req->copied) {
		describe_copied(req, segs);
		if (rq_data_dir(rq) == WRITE)
			copy_data(req, rq, true);
	} else {
		grant_all(req, rq, max_segs, segs);
	}
	if (mapped)
		kunmap_local(mapped);

	if (indirect)
		err = xvbd_build_indirect(wire, &head, cur.segs,
					  ring->pages.ent[req->frame].ref);
	else
		err = xvbd_build_direct(wire, &head, cur.segs);
	if (WARN_ON_ONCE(err)) {
		xvbd_revoke(req);
		xvbd_give_back(ring, req);
		return BLK_STS_IOERR;
	}
	return BLK_STS_OK;
}

/**
 * xvbd_revoke - end the backend's access to the requester's pages
 * @req: answered, or taken back from a dead ring
 *
 * May be called again for what it could not revoke. Lock-free.
 *
 * Return: false when the backend still maps a page.
 */
bool xvbd_revoke(struct xvbd_req *req)
{
	struct xenpv_gntpool *pool = &req->ring->refs;
	bool all = true;
	u32 i;

	if (req->copied)
		return true;
	/* Ending access twice is harmless: a revoked entry is not granted. */
	for (i = 0; i < req->nr_ents; i++)
		if (!xenpv_gnttab_revoke(pool->ent[req->ent[i]].ref))
			all = false;
	return all;
}

/**
 * xvbd_abandon - leave pages that stay mapped to the kernel's deferred list
 * @req: request that xvbd_revoke() failed on
 * @rq: its request, about to be failed
 *
 * Each such page gets a reference of its own, so that it is not given to
 * anybody else under the backend's mapping (XSA-396).
 */
void xvbd_abandon(struct xvbd_req *req, struct request *rq)
{
	struct xenpv_gntpool *pool = &req->ring->refs;
	struct xvbd_cursor cur;
	struct xvbd_seg done;
	struct req_iterator iter;
	struct bio_vec bv;
	u32 n = 0, taken;

	xvbd_cursor_init(&cur, req->nr_ents, req->bytes);
	rq_for_each_segment(bv, rq, iter) {
		struct xvbd_seg piece = {
			.frame = page_to_pfn(bv.bv_page),
			.offset = bv.bv_offset,
			.len = bv.bv_len,
		};
		u32 before = cur.segs;

		xvbd_cursor_feed(&cur, &piece, &done, &taken);
		if (cur.segs > before && n < req->nr_ents) {
			struct xenpv_gnt *ent = &pool->ent[req->ent[n++]];

			/* The pool's teardown retires the page with its reference. */
			if (!xenpv_gnttab_revoke(ent->ref)) {
				get_page(bv.bv_page);
				ent->page = bv.bv_page;
				xenpv_stat_inc(req->ring->stats, XENPV_STAT_STILL_MAPPED);
			}
		}
		if (taken < bv.bv_len)
			break;
	}
}
