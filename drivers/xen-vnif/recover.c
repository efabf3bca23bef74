// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stopping, and starting again. All of it runs in the link's work, so no two of
 * these functions run at once. Packets in flight are lost, as on any wire; the
 * interface keeps its link for a moment, since most outages are short.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <xen/events.h>

#include "vnif.h"

/* How long the link stays up without a backend, before routes and leases go. */
#define GRACE_MS	2000

/**
 * xvif_grace_work - no backend came back soon
 * @work: &xvif.grace
 */
void xvif_grace_work(struct work_struct *work)
{
	struct xvif *vif = container_of(work, struct xvif, grace.work);

	if (!READ_ONCE(vif->ready))
		netif_carrier_off(vif->dev);
}

/**
 * xvif_kick - an event may have been lost, either way
 * @link: link, connected
 */
void xvif_kick(struct xenpv_link *link)
{
	struct xvif *vif = xvif_of(link);
	u32 i;

	for (i = 0; i < vif->nr_queues && vif->ready; i++) {
		struct xvif_queue *q = &vif->queues[i];

		notify_remote_via_irq(q->tx.irq);
		if (vif->split)
			notify_remote_via_irq(q->rx.shared.irq);
		xvif_queue_schedule(q);
	}
}

/* Nobody sends any more, and the stack's watchdog does not mind. */
static void stop_sending(struct net_device *dev)
{
	u32 i;

	for (i = 0; i < dev->num_tx_queues; i++)
		txq_trans_cond_update(netdev_get_tx_queue(dev, i));
	netif_tx_disable(dev);
}

/**
 * xvif_quiesce - stop sending, receiving and interrupts
 * @link: link
 *
 * Idempotent.
 */
void xvif_quiesce(struct xenpv_link *link)
{
	struct xvif *vif = xvif_of(link);
	u32 i;

	if (vif->ready) {
		WRITE_ONCE(vif->ready, false);
		/* Takes each tx lock, so that every sender has seen it. */
		stop_sending(vif->dev);
		schedule_delayed_work(&vif->grace, msecs_to_jiffies(GRACE_MS));
	}
	xvif_ctrl_stop(vif);
	for (i = 0; i < vif->nr_queues; i++)
		xvif_queue_stop(&vif->queues[i]);
	/* A poll that had just found room may have woken a queue. */
	if (vif->nr_queues)
		stop_sending(vif->dev);
}

/**
 * xvif_release - free queues that no backend uses any more
 * @link: link, quiesced
 *
 * Idempotent.
 */
void xvif_release(struct xenpv_link *link)
{
	struct xvif *vif = xvif_of(link);
	u32 i, deferred = xvif_ctrl_free(vif);

	for (i = 0; i < vif->nr_queues; i++)
		deferred += xvif_queue_free(&vif->queues[i]);
	if (deferred) {
		xvif_stat_add(vif->stats[0], XVIF_STILL_MAPPED, deferred);
		dev_warn(&link->xdev->dev,
			 "domain %u still maps %u pages; they are freed when it lets go\n",
			 link->backend_id, deferred);
	}
	kvfree(vif->queues);
	vif->queues = NULL;
	vif->nr_queues = 0;
}

/**
 * xvif_fail - there is no backend, for the time being or for good
 * @link: link, released
 */
void xvif_fail(struct xenpv_link *link)
{
	netif_carrier_off(xvif_of(link)->dev);
}

/**
 * xvif_drain - the interface is being detached
 * @link: link, in any state
 *
 * Packets in flight need not arrive.
 */
void xvif_drain(struct xenpv_link *link)
{
	netif_carrier_off(xvif_of(link)->dev);
}
