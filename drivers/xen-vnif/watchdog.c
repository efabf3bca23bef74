// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that got stuck. One queue is reset first: its rings are looked at,
 * events asked for and sent again, the stack woken. If that does not help, the
 * connection is made anew: the protocol has nothing smaller.
 */
#include <linux/module.h>
#include <net/sch_generic.h>
#include <xen/events.h>

#include "vnif.h"

#define PERIOD		HZ
/* The link is busy for a moment. */
#define RETRY		(HZ / 10)
/* Looks at responses that nobody consumes, and resets of a queue, until it is given up. */
#define RX_LOOKS	5
#define TX_RESETS	2

/**
 * xvif_tx_timeout - the stack waits for a queue too long
 * @dev: interface
 * @index: queue
 *
 * Soft interrupt. The queue itself is looked at under the link's mutex.
 */
void xvif_tx_timeout(struct net_device *dev, unsigned int index)
{
	struct xvif *vif = netdev_priv(dev);

	if (index < XVIF_MAX_QUEUES)
		set_bit(index, vif->timed_out);
	mod_delayed_work(system_wq, &vif->watchdog, 0);
}

static void reset_queue(struct xvif_queue *q)
{
	notify_remote_via_irq(q->tx.irq);
	if (q->vif->split)
		notify_remote_via_irq(q->rx.shared.irq);
	xvif_queue_schedule(q);
}

static void tx_timed_out(struct xvif_queue *q)
{
	u32 cons = READ_ONCE(q->tx.cons);

	xvif_stat_inc(q->stats, XVIF_TX_TIMEOUTS);
	if (cons != q->tx_seen)
		q->tx_stuck = 0;
	q->tx_seen = cons;
	if (++q->tx_stuck > TX_RESETS) {
		xenpv_link_fault(&q->vif->link,
				 "queue %u: no answer to %u packets, after reminders", q->index,
				 READ_ONCE(q->tx.prod_pub) - cons);
		return;
	}
	netdev_warn(q->vif->dev, "queue %u: no answer to %u slots sent, resetting the queue\n",
		    q->index, READ_ONCE(q->tx.prod_pub) - cons);
	reset_queue(q);
}

static void look_at_rx(struct xvif_queue *q)
{
	u32 cons = READ_ONCE(q->rx.cons);
	u32 prod = READ_ONCE(q->rx.sring->rsp_prod);

	if (prod == cons || cons != q->rx_seen) {
		q->rx_seen = cons;
		q->rx_stuck = 0;
		return;
	}
	xvif_stat_inc(q->stats, XVIF_RX_STALLS);
	if (++q->rx_stuck == RX_LOOKS)
		xvif_fault(q, "part of a packet, %u slots, and never the rest", prod - cons);
	else
		reset_queue(q);
}

/*
 * Tell peers where we are. For a moment after the carrier has come back the
 * stack throws away what it is to send. Returns false when that is so.
 */
static bool announced(struct xvif *vif)
{
	if (!vif->announce || !vif->ready)
		return true;
	if (netif_running(vif->dev)) {
		/* Without a carrier there is nobody to tell, and no hurry. */
		if (!netif_carrier_ok(vif->dev))
			return true;
		if (qdisc_tx_is_noop(vif->dev))
			return false;
		netdev_notify_peers(vif->dev);
	}
	vif->announce = false;
	return true;
}

/**
 * xvif_watchdog_work - look for queues that got stuck, and announce the interface
 * @work: &xvif.watchdog; runs from probe to remove
 */
void xvif_watchdog_work(struct work_struct *work)
{
	struct xvif *vif = container_of(work, struct xvif, watchdog.work);
	unsigned long next = PERIOD;
	u32 i;

	/* The link's work may wait for this one, so this must not wait for it. */
	if (mutex_trylock(&vif->link.lock)) {
		for (i = 0; i < vif->nr_queues && vif->ready; i++) {
			if (test_and_clear_bit(i, vif->timed_out))
				tx_timed_out(&vif->queues[i]);
			look_at_rx(&vif->queues[i]);
		}
		if (!announced(vif))
			next = RETRY;
		if (vif->mcast.again)
			xenpv_link_backend_changed(&vif->link);
		mutex_unlock(&vif->link.lock);
	} else {
		next = RETRY;
	}
	schedule_delayed_work(&vif->watchdog, next);
}
