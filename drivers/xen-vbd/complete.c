// SPDX-License-Identifier: GPL-2.0-only
/* From the ring back to the block layer. */
#include <linux/module.h>
#include <xen/events.h>

#include "vbd.h"

/* Responses consumed before other soft interrupts get their turn. */
#define CONSUME_BATCH 256

/**
 * xvbd_interrupt - the backend may have answered
 * @irq: interrupt
 * @data: &struct xvbd_ring
 *
 * The event channel stays masked until the tasklet has consumed everything and
 * ends the interrupt, so a busy backend causes few of them.
 */
irqreturn_t xvbd_interrupt(int irq, void *data)
{
	struct xvbd_ring *ring = data;

	xenpv_stat_inc(ring->stats, XENPV_STAT_INTERRUPTS);
	tasklet_schedule(&ring->tasklet);
	return IRQ_HANDLED;
}

static void fault(struct xvbd_ring *ring, const char *what)
{
	xenpv_stat_inc(ring->stats, XENPV_STAT_PROTOCOL_ERRORS);
	xenpv_link_fault(&ring->vbd->link, "ring %u: backend sent %s", ring->index, what);
}

/*
 * Copy one response and take its request off the ring. NULL on a protocol
 * error, after which nothing more of this ring is believed.
 */
static struct xvbd_req *consume_one(struct xvbd_ring *ring)
{
	struct blkif_response rsp;
	enum xvbd_verdict verdict;
	struct xvbd_slot *slot;
	struct xvbd_req *req;
	char text[96];

	/* Once, so that what is checked is what is used (XSA-155). */
	RING_COPY_RESPONSE(ring, ring->cons, &rsp);
	verdict = xvbd_rsp_check(&ring->vbd->slots, ring->index, &rsp, &slot);
	if (unlikely(verdict != XVBD_RSP_OK)) {
		xvbd_rsp_describe(verdict, &rsp, slot, text, sizeof(text));
		fault(ring, text);
		return NULL;
	}
	req = blk_mq_rq_to_pdu(slot->rq);
	req->status = rsp.status;
	slot->state = XVBD_SLOT_HELD;
	ring->cons++;
	ring->eoi.progress = true;
	return req;
}

/* Take off the ring what was answered, oldest first; true if more is there. */
static bool consume_batch(struct xvbd_ring *ring, struct xvbd_req **list)
{
	u32 budget = CONSUME_BATCH, published, prod;
	struct xvbd_req **tail = list;
	char text[64];

	lockdep_assert_held(&ring->consume_lock);
again:
	prod = READ_ONCE(ring->sring->rsp_prod);
	/* Responses, and what we published before, are read after the index. */
	virt_rmb();
	published = READ_ONCE(ring->prod_pub);
	if (unlikely(!xenpv_ring_rsp_prod_ok(ring->cons, published, prod))) {
		snprintf(text, sizeof(text), "response index %u, possible are %u to %u", prod,
			 ring->cons, published);
		fault(ring, text);
		goto broken;
	}
	while (ring->cons != prod) {
		struct xvbd_req *req;

		if (!budget--)
			return true;
		req = consume_one(ring);
		if (unlikely(!req))
			goto broken;
		req->next = NULL;
		*tail = req;
		tail = &req->next;
	}
	WRITE_ONCE(ring->sring->rsp_event, ring->cons + 1);
	/* Either we see the next response, or the backend sees our wish. */
	virt_mb();
	if (READ_ONCE(ring->sring->rsp_prod) != ring->cons) {
		/* Answered after we had asked for an event: one is under way. */
		ring->eoi.owed = true;
		goto again;
	}
	return false;

broken:
	/* Recovery unbinds the interrupt; until then it stays masked. */
	ring->dead = true;
	return false;
}

static void end_list(struct xvbd_ring *ring, struct xvbd_req *req)
{
	struct xvbd_req *next;

	for (; req; req = next) {
		struct request *rq = blk_mq_rq_from_pdu(req);
		u64 id = xvbd_id(rq->mq_hctx->queue_num, rq->tag);
		struct xvbd_slot *slot = xvbd_slot_get(&ring->vbd->slots, id);

		next = req->next;
		if (unlikely(!xvbd_revoke(req))) {
			xenpv_stat_inc(ring->stats, XENPV_STAT_STILL_MAPPED);
			fault(ring, "a response while it still maps pages of the request");
			continue;
		}
		/* The slot stays held, for recovery to replay it. */
		if (unlikely(blk_should_fake_timeout(rq->q)))
			continue;
		/* Pairs with the next submitter of this tag. */
		smp_store_release(&slot->state, XVBD_SLOT_FREE);
		blk_mq_complete_request(rq);
	}
}

/**
 * xvbd_consume - end all requests that the backend answered
 * @ring: ring
 * @eoi: called for an interrupt, which is to be ended
 *
 * Process context or soft interrupt.
 *
 * Return: true when responses are left and the interrupt is not ended yet.
 */
bool xvbd_consume(struct xvbd_ring *ring, bool eoi)
{
	struct xvbd_req *list = NULL;
	bool more = false;

	spin_lock_bh(&ring->consume_lock);
	if (!ring->dead)
		more = consume_batch(ring, &list);
	if (eoi && !more && !ring->dead) {
		bool spurious = xenpv_eoi_spurious(&ring->eoi);

		if (spurious)
			xenpv_stat_inc(ring->stats, XENPV_STAT_SPURIOUS);
		xen_irq_lateeoi(ring->shared.irq, spurious ? XEN_EOI_FLAG_SPURIOUS : 0);
	}
	spin_unlock_bh(&ring->consume_lock);
	end_list(ring, list);
	return more;
}

/**
 * xvbd_tasklet - soft interrupt of a ring
 * @t: &xvbd_ring.tasklet
 */
void xvbd_tasklet(struct tasklet_struct *t)
{
	struct xvbd_ring *ring = from_tasklet(ring, t, tasklet);

	if (xvbd_consume(ring, true))
		tasklet_schedule(&ring->tasklet);
}

/* The backend does not know an operation: never ask again. */
static void refuse(struct xvbd *vbd, enum xvbd_refused what)
{
	static const char * const names[] = { "flush", "barrier", "discard", "secure discard" };

	if (test_and_set_bit(what, &vbd->refused))
		return;
	dev_warn(&vbd->link.xdev->dev, "%s: backend does not support %s after all\n",
		 vbd->gd->disk_name, names[what]);
	/* The queue's limits follow in process context. */
	xenpv_link_backend_changed(&vbd->link);
}

/* What to do with a request that the backend calls unsupported. */
static blk_status_t unsupported(struct xvbd *vbd, struct xvbd_req *req, struct request *rq,
				bool *again)
{
	xenpv_stat_inc(req->ring->stats, XENPV_STAT_UNSUPPORTED);
	switch (req->op) {
	case BLKIF_OP_FLUSH_DISKCACHE:
		/* A backend that knows neither flush nor barrier writes through. */
		WRITE_ONCE(vbd->cache,
			   READ_ONCE(vbd->barrier) ? XVBD_CACHE_BARRIER : XVBD_CACHE_NONE);
		refuse(vbd, XVBD_REFUSED_FLUSH);
		*again = true;
		return BLK_STS_OK;
	case BLKIF_OP_WRITE_BARRIER:
		WRITE_ONCE(vbd->barrier, false);
		WRITE_ONCE(vbd->cache, XVBD_CACHE_NONE);
		refuse(vbd, XVBD_REFUSED_BARRIER);
		*again = true;
		return BLK_STS_OK;
	case BLKIF_OP_DISCARD:
		refuse(vbd, req_op(rq) == REQ_OP_SECURE_ERASE ? XVBD_REFUSED_SECURE :
								XVBD_REFUSED_DISCARD);
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_NOTSUPP;
	}
}

/**
 * xvbd_complete - end a request, or send what is left of it
 * @rq: answered; its pages are not granted any more, or the ring's own
 *
 * Soft interrupt.
 */
void xvbd_complete(struct request *rq)
{
	struct xvbd_req *req = blk_mq_rq_to_pdu(rq);
	struct xvbd_ring *ring = req->ring;
	blk_status_t status = BLK_STS_OK;
	bool again = false;

	if (unlikely(req->status == BLKIF_RSP_EOPNOTSUPP)) {
		status = unsupported(ring->vbd, req, rq, &again);
	} else if (unlikely(req->status != BLKIF_RSP_OKAY)) {
		xenpv_stat_inc(ring->stats, XENPV_STAT_IO_ERRORS);
		status = BLK_STS_IOERR;
	} else if (req->copied && req->op == BLKIF_OP_READ) {
		xvbd_copy_in(req, rq);
	} else if (unlikely((rq->cmd_flags & REQ_FUA) && req->op == BLKIF_OP_WRITE &&
			    req->bytes == blk_rq_bytes(rq) &&
			    READ_ONCE(ring->vbd->cache) == XVBD_CACHE_FLUSH)) {
		/*
		 * Asked for when the backend, or another before it, had
		 * barriers: the block layer relies on us for the flush.
		 */
		req->flush = true;
		again = true;
	}
	xvbd_give_back(ring, req);

	if (unlikely(again)) {
		blk_mq_requeue_request(rq, true);
	} else if (unlikely(status == BLK_STS_OK && req->bytes < blk_rq_bytes(rq))) {
		xenpv_stat_inc(ring->stats, XENPV_STAT_PARTIAL);
		blk_update_request(rq, BLK_STS_OK, req->bytes);
		blk_mq_requeue_request(rq, true);
	} else {
		blk_mq_end_request(rq, status);
	}
}

/**
 * xvbd_timeout - a request was not answered in time
 * @rq: request
 *
 * First the ring is looked at and the backend notified once more, in case an
 * event was lost; the next time the connection is made anew and the request
 * sent again. The link ends the request, if need be with an error.
 */
enum blk_eh_timer_return xvbd_timeout(struct request *rq)
{
	struct xvbd *vbd = rq->q->queuedata;
	struct xvbd_req *req = blk_mq_rq_to_pdu(rq);
	u8 times = req->timeouts;

	if (times < U8_MAX)
		req->timeouts++;
	if (!times) {
		xenpv_stat_inc(vbd->stats[0], XENPV_STAT_TIMEOUTS);
		dev_warn_ratelimited(&vbd->link.xdev->dev,
				     "%s: no answer to operation %u at sector %llu for %u s\n",
				     vbd->gd->disk_name, req->op, (u64)blk_rq_pos(rq),
				     jiffies_to_msecs(rq->timeout) / 1000);
		xenpv_link_event(&vbd->link, XENPV_EV_KICK);
	} else {
		xenpv_link_fault(&vbd->link,
				 "no answer to operation %u at sector %llu, after a reminder",
				 req->op, (u64)blk_rq_pos(rq));
	}
	return BLK_EH_RESET_TIMER;
}
