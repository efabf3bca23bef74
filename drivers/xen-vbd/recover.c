// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stopping, and starting again without losing a request. All of it runs in the
 * link's work, so no two of these functions run at once.
 */
#include <linux/delay.h>
#include <linux/module.h>

#include "vbd.h"

/* Longest wait for a backend to unmap the pages of requests in flight. */
#define REVOKE_WAIT_MS	5000
/* Longest wait for requests in flight when the disk is detached. */
#define DRAIN_WAIT_MS	5000

/**
 * xvbd_kick - an event may have been lost, either way
 * @link: link, connected
 */
void xvbd_kick(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);
	u32 i;

	for (i = 0; i < vbd->nr_rings; i++) {
		struct xvbd_ring *ring = &vbd->rings[i];

		while (xvbd_consume(ring, false))
			cond_resched();
		if (!ring->dead)
			xvbd_notify(ring);
	}
}

/**
 * xvbd_quiesce - stop I/O and interrupts; keep what is in flight
 * @link: link
 *
 * On return no request is being sent, no response is being consumed, and what
 * was answered has been completed. Idempotent.
 */
void xvbd_quiesce(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);
	u32 i;

	if (vbd->gd && !vbd->quiesced) {
		blk_mq_quiesce_queue(vbd->gd->queue);
		vbd->quiesced = true;
	}
	for (i = 0; i < vbd->nr_rings; i++) {
		struct xvbd_ring *ring = &vbd->rings[i];

		/* Nobody ends an interrupt of a dead ring, whose number may be reused. */
		spin_lock_bh(&ring->consume_lock);
		ring->dead = true;
		spin_unlock_bh(&ring->consume_lock);
		if (ring->shared.irq)
			irq_update_affinity_hint(ring->shared.irq, NULL);
		xenpv_shring_unbind(&ring->shared);
		tasklet_kill(&ring->tasklet);
	}
	if (vbd->gd)
		blk_mq_tagset_wait_completed_request(&vbd->tag_set);
}

/* Revoke the grants of a request, waiting while there is time left. */
static bool revoke_bounded(struct xvbd_req *req, unsigned int *left_ms)
{
	unsigned int step = 10;

	while (!xvbd_revoke(req)) {
		if (!*left_ms)
			return false;
		step = min(step, *left_ms);
		msleep(step);
		*left_ms -= step;
		step *= 2;
	}
	return true;
}

/**
 * xvbd_release - take back what is in flight, free rings and grants
 * @link: link, quiesced
 *
 * Requests are put on the requeue list as wholes: they are cut again for
 * whatever backend comes next. A request whose pages the old backend will not
 * unmap fails, because it cannot be known what becomes of its data.
 * Idempotent.
 */
void xvbd_release(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);
	size_t i, nr = (size_t)vbd->slots.nr_queues * vbd->slots.depth;
	unsigned int left_ms = REVOKE_WAIT_MS;
	u32 replayed = 0, failed = 0;

	for (i = 0; i < nr; i++) {
		struct xvbd_slot *slot = &vbd->slots.slot[i];
		struct request *rq = slot->rq;
		struct xvbd_req *req;

		if (slot->state == XVBD_SLOT_FREE)
			continue;
		req = blk_mq_rq_to_pdu(rq);
		slot->state = XVBD_SLOT_FREE;
		if (revoke_bounded(req, &left_ms)) {
			xenpv_stat_inc(req->ring->stats, XENPV_STAT_REQUEUED);
			blk_mq_requeue_request(rq, false);
			replayed++;
		} else {
			xvbd_abandon(req, rq);
			blk_mq_end_request(rq, BLK_STS_IOERR);
			failed++;
		}
	}
	if (replayed || failed)
		dev_info(&link->xdev->dev, "%u requests kept for replay, %u failed\n", replayed,
			 failed);
	xvbd_free_rings(vbd);
}

/**
 * xvbd_fail - end all I/O, kept and new, with an error
 * @link: link, released
 */
void xvbd_fail(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);

	WRITE_ONCE(vbd->failed, true);
	if (!vbd->gd)
		return;
	if (vbd->quiesced) {
		vbd->quiesced = false;
		blk_mq_unquiesce_queue(vbd->gd->queue);
	}
	blk_mq_kick_requeue_list(vbd->gd->queue);
}

static bool idle(struct xvbd *vbd)
{
	bool idle = true;
	u32 i;

	for (i = 0; i < vbd->nr_rings; i++) {
		struct xvbd_ring *ring = &vbd->rings[i];

		spin_lock_irq(&ring->res_lock);
		if (ring->unused != ring->nr_ents)
			idle = false;
		spin_unlock_irq(&ring->res_lock);
	}
	return idle;
}

/**
 * xvbd_drain - the disk is being detached
 * @link: link, in any state
 *
 * New I/O is refused from here on. What is in flight may finish, if there is
 * somebody to finish it; what does not finish in time fails later.
 */
void xvbd_drain(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);

	if (!vbd->gd || vbd->dead)
		return;
	vbd->dead = true;
	blk_mark_disk_dead(vbd->gd);
	set_capacity(vbd->gd, 0);
	if (link->state != XENPV_CONNECTED)
		return;
	WRITE_ONCE(vbd->draining, true);
	wait_event_timeout(vbd->idle, idle(vbd), msecs_to_jiffies(DRAIN_WAIT_MS));
	WRITE_ONCE(vbd->draining, false);
}
