// SPDX-License-Identifier: GPL-2.0-only
/* From the block layer to the ring. */
#include <linux/module.h>
#include <xen/events.h>

#include "vbd.h"

/**
 * xvbd_take - take a ring slot and grant entries, all or nothing
 * @ring: ring
 * @req: receives the entries
 * @segs: entries of @req->ent, at most its room
 * @frame: take a frame for indirect segments too
 *
 * Return: false when there are too few; the ring's queues run again when some
 * are given back.
 */
bool xvbd_take(struct xvbd_ring *ring, struct xvbd_req *req, u32 segs, bool frame)
{
	struct xenpv_gntpool *data = ring->vbd->copy ? &ring->pages : &ring->refs;
	unsigned long flags;
	bool ok;

	req->ring = ring;
	req->nr_ents = 0;
	req->frame = XVBD_NO_FRAME;

	spin_lock_irqsave(&ring->res_lock, flags);
	ok = ring->unused && xenpv_pool_take(&data->idx, segs, req->ent);
	if (ok && frame && !xenpv_pool_take(&ring->pages.idx, 1, &req->frame)) {
		xenpv_gntpool_give(data, req->ent, segs);
		req->frame = XVBD_NO_FRAME;
		ok = false;
	}
	if (ok) {
		req->nr_ents = segs;
		ring->unused--;
	} else {
		/* Seen by whoever gives something back after us. */
		ring->starved = true;
	}
	spin_unlock_irqrestore(&ring->res_lock, flags);
	if (!ok)
		xenpv_stat_inc(ring->stats, XENPV_STAT_BUSY);
	return ok;
}

static void give_data(struct xvbd_ring *ring, struct xvbd_req *req)
{
	if (!req->nr_ents)
		return;
	if (ring->vbd->copy)
		xenpv_gntpool_give(&ring->pages, req->ent, req->nr_ents);
	else
		WARN_ON_ONCE(xenpv_pool_give(&ring->refs.idx, req->nr_ents, req->ent));
}

/**
 * xvbd_give_back - give back what xvbd_take() took, and run who waits for it
 * @ring: ring
 * @req: request; none of its pages is granted any more
 */
void xvbd_give_back(struct xvbd_ring *ring, struct xvbd_req *req)
{
	struct xvbd *vbd = ring->vbd;
	struct blk_mq_hw_ctx *hctx;
	unsigned long flags, i;
	bool starved;

	spin_lock_irqsave(&ring->res_lock, flags);
	give_data(ring, req);
	if (req->frame != XVBD_NO_FRAME)
		xenpv_gntpool_give(&ring->pages, &req->frame, 1);
	ring->unused++;
	starved = ring->starved;
	ring->starved = false;
	spin_unlock_irqrestore(&ring->res_lock, flags);
	req->nr_ents = 0;
	req->frame = XVBD_NO_FRAME;

	if (starved) {
		queue_for_each_hw_ctx(vbd->gd->queue, hctx, i)
			if (hctx->queue_num % vbd->nr_rings == ring->index)
				blk_mq_run_hw_queue(hctx, true);
	}
	if (READ_ONCE(vbd->draining))
		wake_up(&vbd->idle);
}

/*
 * Show the backend all requests written so far. True when it wants to be
 * notified of that.
 */
static bool push(struct xvbd_ring *ring)
{
	u32 old = ring->prod_pub, new = ring->prod_pvt;

	lockdep_assert_held(&ring->submit_lock);
	if (old == new)
		return false;
	/* The consumer must know the index before the backend can answer. */
	WRITE_ONCE(ring->prod_pub, new);
	/* Requests, too, are there before the index that covers them. */
	virt_wmb();
	WRITE_ONCE(ring->sring->req_prod, new);
	/* Either the backend sees the index, or we see that it wants an event. */
	virt_mb();
	xenpv_stat_inc(ring->stats, XENPV_STAT_PUSHES);
	if (xenpv_ring_must_notify(old, new, READ_ONCE(ring->sring->req_event)))
		return true;
	xenpv_stat_inc(ring->stats, XENPV_STAT_SUPPRESSED);
	return false;
}

/**
 * xvbd_notify - send the backend an event
 * @ring: ring that is not being torn down
 */
void xvbd_notify(struct xvbd_ring *ring)
{
	notify_remote_via_irq(ring->shared.irq);
	xenpv_stat_inc(ring->stats, XENPV_STAT_NOTIFIED);
}

static void push_and_notify(struct xvbd_ring *ring)
{
	unsigned long flags;
	bool notify;

	spin_lock_irqsave(&ring->submit_lock, flags);
	notify = push(ring);
	spin_unlock_irqrestore(&ring->submit_lock, flags);
	if (notify)
		xvbd_notify(ring);
}

/* Give a request to the backend, at once or with the rest of its batch. */
static void send(struct xvbd_ring *ring, struct request *rq, struct xvbd_req *req,
		 const struct blkif_request *wire, bool last)
{
	u64 id = xvbd_id(rq->mq_hctx->queue_num, rq->tag);
	struct xvbd_slot *slot = xvbd_slot_get(&ring->vbd->slots, id);
	bool notify = false;
	unsigned long flags;
	u32 at;

	req->op = xvbd_expected_op(wire);
	req->timeouts = 0;
	blk_mq_start_request(rq);

	spin_lock_irqsave(&ring->submit_lock, flags);
	slot->rq = rq;
	slot->op = req->op;
	slot->ring = ring->index;
	/* Pairs with the consumer: what it finds sent is complete. */
	smp_store_release(&slot->state, XVBD_SLOT_SENT);
	/* xvbd_take() gave us a slot, so there is one at the producer's end. */
	at = ring->prod_pvt++ & (ring->nr_ents - 1);
	memcpy(&ring->sring->ring[at].req, wire, sizeof(*wire));
	if (last)
		notify = push(ring);
	spin_unlock_irqrestore(&ring->submit_lock, flags);
	if (notify)
		xvbd_notify(ring);
}

static void count(struct xvbd_ring *ring, const struct xvbd_req *req,
		  const struct blkif_request *wire)
{
	xenpv_stat_inc(ring->stats, XENPV_STAT_REQUESTS);
	switch (xvbd_expected_op(wire)) {
	case BLKIF_OP_READ:
		xenpv_stat_add(ring->stats, XENPV_STAT_READ_BYTES, req->bytes);
		break;
	case BLKIF_OP_WRITE:
		xenpv_stat_add(ring->stats, XENPV_STAT_WRITTEN_BYTES, req->bytes);
		break;
	case BLKIF_OP_WRITE_BARRIER:
		if (wire->u.rw.nr_segments)
			xenpv_stat_add(ring->stats, XENPV_STAT_WRITTEN_BYTES, req->bytes);
		if (!wire->u.rw.nr_segments)
			xenpv_stat_inc(ring->stats, XENPV_STAT_FLUSHES);
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
		xenpv_stat_inc(ring->stats, XENPV_STAT_FLUSHES);
		break;
	case BLKIF_OP_DISCARD:
		xenpv_stat_inc(ring->stats, XENPV_STAT_DISCARDS);
		break;
	}
	if (wire->operation == BLKIF_OP_INDIRECT)
		xenpv_stat_inc(ring->stats, XENPV_STAT_INDIRECT);
}

static blk_status_t prepare_flush(struct xvbd_ring *ring, struct request *rq,
				  struct xvbd_req *req, struct blkif_request *wire, u8 cache)
{
	struct xvbd_head head = {
		.id = xvbd_id(rq->mq_hctx->queue_num, rq->tag),
		.op = cache == XVBD_CACHE_FLUSH ? BLKIF_OP_FLUSH_DISKCACHE :
						  BLKIF_OP_WRITE_BARRIER,
		.handle = ring->vbd->handle,
	};

	if (!xvbd_take(ring, req, 0, false))
		return BLK_STS_DEV_RESOURCE;
	/* All of the request is done when this is: 0, or data already written. */
	req->bytes = blk_rq_bytes(rq);
	req->copied = false;
	return xvbd_build_direct(wire, &head, 0) ? BLK_STS_IOERR : BLK_STS_OK;
}

static blk_status_t prepare_discard(struct xvbd_ring *ring, struct request *rq,
				    struct xvbd_req *req, struct blkif_request *wire)
{
	bool secure = req_op(rq) == REQ_OP_SECURE_ERASE;

	if (secure && !READ_ONCE(ring->vbd->secure))
		return BLK_STS_NOTSUPP;
	if (!xvbd_take(ring, req, 0, false))
		return BLK_STS_DEV_RESOURCE;
	req->bytes = blk_rq_bytes(rq);
	req->copied = false;
	xvbd_build_discard(wire, xvbd_id(rq->mq_hctx->queue_num, rq->tag), blk_rq_pos(rq),
			   blk_rq_sectors(rq), secure);
	return BLK_STS_OK;
}

static blk_status_t xvbd_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct xvbd *vbd = hctx->queue->queuedata;
	struct xvbd_req *req = blk_mq_rq_to_pdu(bd->rq);
	struct request *rq = bd->rq;
	struct blkif_request wire;
	struct xvbd_ring *ring;
	blk_status_t status;
	u8 cache;

	if (unlikely(READ_ONCE(vbd->failed) || !vbd->nr_rings))
		return BLK_STS_IOERR;
	ring = &vbd->rings[hctx->queue_num % vbd->nr_rings];
	memset(&wire, 0, sizeof(wire));
	if (!(rq->rq_flags & RQF_DONTPREP)) {
		rq->rq_flags |= RQF_DONTPREP;
		req->flush = false;
	}

	switch (req->flush ? REQ_OP_FLUSH : req_op(rq)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		status = xvbd_prepare(ring, rq, req, &wire);
		break;
	case REQ_OP_FLUSH:
		cache = READ_ONCE(vbd->cache);
		if (cache == XVBD_CACHE_NONE) {
			/* The backend has no cache it could write back. */
			blk_mq_start_request(rq);
			blk_mq_end_request(rq, BLK_STS_OK);
			if (bd->last)
				push_and_notify(ring);
			return BLK_STS_OK;
		}
		status = prepare_flush(ring, rq, req, &wire, cache);
		break;
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		status = prepare_discard(ring, rq, req, &wire);
		break;
	default:
		status = BLK_STS_NOTSUPP;
		break;
	}
	if (status != BLK_STS_OK) {
		/* No more may come for now: do not let the rest of the batch wait. */
		push_and_notify(ring);
		return status;
	}
	count(ring, req, &wire);
	send(ring, rq, req, &wire, bd->last);
	return BLK_STS_OK;
}

static void xvbd_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct xvbd *vbd = hctx->queue->queuedata;

	if (vbd->nr_rings)
		push_and_notify(&vbd->rings[hctx->queue_num % vbd->nr_rings]);
}

XENPV_TIMEOUT_OP(xvbd_timeout)

const struct blk_mq_ops xvbd_mq_ops = {
	.queue_rq = xvbd_queue_rq,
	.commit_rqs = xvbd_commit_rqs,
	.complete = xvbd_complete,
	.timeout = xvbd_timeout_op,
};
