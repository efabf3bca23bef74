// SPDX-License-Identifier: GPL-2.0-only
/* A pair of rings: made, polled, taken down. */
#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <xen/events.h>

#include "vnif.h"

/* Buffers for small packets are at least this large, as a power of two. */
#define SMALL_MIN_SHIFT	6

/**
 * xvif_fault - the backend broke the protocol on a queue
 * @q: queue
 * @fmt: what it sent
 *
 * Any context. Nothing of the queue is believed any more; the link reconnects.
 */
void xvif_fault(struct xvif_queue *q, const char *fmt, ...)
{
	char text[96];
	va_list ap;

	/* Its interrupts stay masked, too, until recovery unbinds them. */
	WRITE_ONCE(q->dead, true);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	xvif_stat_inc(q->stats, XVIF_PROTOCOL_ERRORS);
	xenpv_link_fault(&q->vif->link, "queue %u: backend sent %s", q->index, text);
}

static irqreturn_t tx_interrupt(int irq, void *data)
{
	struct xvif_queue *q = data;

	xvif_stat_inc(q->stats, XVIF_TX_INTERRUPTS);
	WRITE_ONCE(q->tx.fired, true);
	napi_schedule(&q->napi);
	return IRQ_HANDLED;
}

static irqreturn_t rx_interrupt(int irq, void *data)
{
	struct xvif_queue *q = data;

	xvif_stat_inc(q->stats, XVIF_RX_INTERRUPTS);
	WRITE_ONCE(q->rx.fired, true);
	napi_schedule(&q->napi);
	return IRQ_HANDLED;
}

/** struct eoi - an end of interrupt that is owed */
struct eoi {
	bool due;
	bool spurious;
};

static struct eoi judge(bool *fired, struct xenpv_eoi *state)
{
	struct eoi eoi = {};

	if (READ_ONCE(*fired)) {
		WRITE_ONCE(*fired, false);
		eoi.due = true;
		eoi.spurious = xenpv_eoi_spurious(state);
	}
	return eoi;
}

static void end_interrupt(const struct xenpv_shring *ring, const struct eoi *eoi)
{
	if (eoi->due)
		xen_irq_lateeoi(ring->irq, eoi->spurious ? XEN_EOI_FLAG_SPURIOUS : 0);
}

/*
 * All is done: end the interrupts that led here. What is owed is settled
 * before another CPU may poll, and paid afterwards.
 */
static void finish(struct xvif_queue *q, int work)
{
	struct eoi tx, rx;

	if (!q->vif->split) {
		q->rx.eoi.progress |= q->tx.eoi.progress;
		q->rx.eoi.owed |= q->tx.eoi.owed;
		q->tx.eoi = (struct xenpv_eoi){};
	}
	tx = judge(&q->tx.fired, &q->tx.eoi);
	rx = judge(&q->rx.fired, &q->rx.eoi);
	if (!napi_complete_done(&q->napi, work)) {
		/* There will be another poll. */
		if (tx.due)
			WRITE_ONCE(q->tx.fired, true);
		if (rx.due)
			WRITE_ONCE(q->rx.fired, true);
		q->tx.eoi.progress |= tx.due && !tx.spurious;
		q->rx.eoi.progress |= rx.due && !rx.spurious;
		return;
	}
	if (tx.spurious)
		xvif_stat_inc(q->stats, XVIF_TX_SPURIOUS);
	if (rx.spurious)
		xvif_stat_inc(q->stats, XVIF_RX_SPURIOUS);
	end_interrupt(&q->tx.shared, &tx);
	end_interrupt(&q->rx.shared, &rx);
}

static int poll(struct napi_struct *napi, int budget)
{
	struct xvif_queue *q = container_of(napi, struct xvif_queue, napi);
	bool more = xvif_tx_reap(q, budget);
	int work;

	/* Netpoll only wants memory back. */
	if (!budget)
		return 0;
	work = xvif_rx_poll(q, budget);
	if (more || work == budget)
		return budget;
	if (likely(!READ_ONCE(q->dead)))
		finish(q, work);
	else
		napi_complete_done(napi, work);
	return work;
}

static void refill_timer(struct timer_list *timer)
{
	struct xvif_queue *q = timer_container_of(q, timer, rx.refill);

	napi_schedule(&q->napi);
}

static int init_tx(struct xvif *vif, struct xvif_queue *q, const struct xvif_params *params)
{
	domid_t domid = vif->link.backend_id;
	struct xvif_tx *tx = &q->tx;
	u32 i, pages;
	int err;

	err = xenpv_shring_alloc(&tx->shared, domid, 0);
	if (err)
		return err;
	tx->sring = tx->shared.addr;
	SHARED_RING_INIT(tx->sring);
	tx->nr_ents = xenpv_ring_entries(XEN_PAGE_SIZE, offsetof(struct xen_netif_tx_sring, ring),
					 sizeof(union xen_netif_tx_sring_entry));
	for (i = 0; i < XVIF_TX_ENTS; i++) {
		tx->free[i] = i;
		tx->slot[i].ent = XVIF_NO_ENT;
	}
	tx->free_tail = XVIF_TX_ENTS;
	tx->rules.max_slots = vif->offer.sg ? XVIF_MAX_SLOTS : 1;
	tx->rules.small = params->tx_copybreak;
	tx->rules.pack = !vif->trusted;

	if (tx->rules.small) {
		tx->small_shift = max_t(u32, SMALL_MIN_SHIFT, order_base_2(tx->rules.small));
		pages = (XVIF_TX_ENTS << tx->small_shift) / XVIF_FRAME;
		err = xenpv_gntpool_init_pages(&tx->small, pages, pages, domid, GFP_NOIO);
		if (err)
			return err;
	}
	if (!vif->trusted) {
		tx->pages_full = true;
		return xenpv_gntpool_init_pages(&tx->pages, XVIF_TX_ENTS, 0, domid, GFP_NOIO);
	}
	err = xenpv_gntpool_init(&tx->refs, XVIF_TX_ENTS, domid, GFP_NOIO);
	if (err)
		return err;
	return xenpv_gntpool_init_pages(&tx->pages, XVIF_TX_SPARE, 0, domid, GFP_NOIO);
}

static int init_pool(struct xvif_queue *q)
{
	struct page_pool_params pp = {
		.pool_size = XVIF_RX_ENTS,
		.nid = NUMA_NO_NODE,
		.dev = &q->vif->dev->dev,
	};
	struct xvif_rx *rx = &q->rx;
	int err;

	rx->pool = page_pool_create(&pp);
	if (IS_ERR(rx->pool)) {
		err = PTR_ERR(rx->pool);
		rx->pool = NULL;
		return err;
	}
	err = xenpv_xdp_rxq_reg(&rx->xdp_rxq, q->vif->dev, q->index, &q->napi);
	if (err)
		return err;
	return xdp_rxq_info_reg_mem_model(&rx->xdp_rxq, MEM_TYPE_PAGE_POOL, rx->pool);
}

static int init_rx(struct xvif *vif, struct xvif_queue *q, const struct xvif_params *params)
{
	struct xvif_rx *rx = &q->rx;
	u32 i;
	int err;

	err = xenpv_shring_alloc(&rx->shared, vif->link.backend_id, 0);
	if (err)
		return err;
	rx->sring = rx->shared.addr;
	SHARED_RING_INIT(rx->sring);
	rx->nr_ents = xenpv_ring_entries(XEN_PAGE_SIZE, offsetof(struct xen_netif_rx_sring, ring),
					 sizeof(union xen_netif_rx_sring_entry));
	rx->copybreak = params->rx_copybreak;
	rx->clear = !vif->trusted;
	for (i = 0; i < XVIF_RX_ENTS; i++) {
		rx->at[i] = XVIF_NO_ENT;
		rx->empty[rx->nr_empty++] = XVIF_RX_ENTS - 1 - i;
	}
	err = xenpv_gntpool_init(&rx->refs, XVIF_RX_ENTS, vif->link.backend_id, GFP_NOIO);
	return err ? err : init_pool(q);
}

/* Interrupts of an interface's queues go to different CPUs, as its queues do. */
static void spread_irq(const struct xenpv_shring *ring, u32 index)
{
	if (ring->irq && num_online_cpus() > 1)
		irq_set_affinity_and_hint(ring->irq,
					  cpumask_of(cpumask_local_spread(index, NUMA_NO_NODE)));
}

static int bind(struct xvif *vif, struct xvif_queue *q)
{
	struct xenbus_device *xdev = vif->link.xdev;
	int err;

	err = xenpv_shring_bind(&q->rx.shared, xdev, rx_interrupt,
				vif->split ? "xen-vnif-rx" : "xen-vnif", q);
	if (err)
		return err;
	q->tx.irq = q->rx.shared.irq;
	if (vif->split) {
		err = xenpv_shring_bind(&q->tx.shared, xdev, tx_interrupt, "xen-vnif-tx", q);
		if (err)
			return err;
		q->tx.irq = q->tx.shared.irq;
	}
	spread_irq(&q->rx.shared, q->index);
	spread_irq(&q->tx.shared, q->index);
	return 0;
}

/**
 * xvif_queue_init - make a queue's rings, grants and event channels
 * @vif: interface
 * @q: zeroed queue
 * @index: its number
 * @params: parameters
 *
 * Nothing is posted and no packet can be sent yet. Takes RTNL.
 *
 * Return: 0, -ENOSPC when the grant table is full, or another negative errno.
 * xvif_queue_free() undoes it, in every case.
 */
int xvif_queue_init(struct xvif *vif, struct xvif_queue *q, u32 index,
		    const struct xvif_params *params)
{
	int err;

	q->vif = vif;
	q->index = index;
	q->stats = vif->stats[index];
	spin_lock_init(&q->tx.pages_lock);
	timer_setup(&q->rx.refill, refill_timer, 0);
	/* The stack walks the interface's list of these under RTNL. */
	rtnl_lock();
	xenpv_napi_add(vif->dev, &q->napi, poll);
	rtnl_unlock();

	err = init_tx(vif, q, params);
	if (!err)
		err = init_rx(vif, q, params);
	return err ? err : bind(vif, q);
}

/**
 * xvif_queue_start - let a queue work
 * @q: queue whose backend is connected
 */
void xvif_queue_start(struct xvif_queue *q)
{
	napi_enable(&q->napi);
	q->napi_on = true;
	/* Interrupts that came before are still to be ended. */
	xvif_queue_schedule(q);
}

/**
 * xvif_queue_schedule - look at a queue's rings soon
 * @q: started queue
 *
 * Process context.
 */
void xvif_queue_schedule(struct xvif_queue *q)
{
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

/**
 * xvif_queue_stop - stop polling and interrupts
 * @q: queue, started or not; nobody sends on it any more
 *
 * Idempotent. Sleeps.
 */
void xvif_queue_stop(struct xvif_queue *q)
{
	/* Nobody ends an interrupt afterwards, whose number may be reused. */
	if (q->napi_on)
		napi_disable(&q->napi);
	q->napi_on = false;
	xenpv_del_timer_sync(&q->rx.refill);
	if (q->rx.shared.irq)
		irq_update_affinity_hint(q->rx.shared.irq, NULL);
	if (q->tx.shared.irq)
		irq_update_affinity_hint(q->tx.shared.irq, NULL);
	xenpv_shring_unbind(&q->rx.shared);
	xenpv_shring_unbind(&q->tx.shared);
}

/**
 * xvif_queue_free - free all that a queue has
 * @q: queue, stopped, whose backend is to use it no more
 *
 * Takes RTNL.
 *
 * Return: pages that the backend still maps; they are freed when it lets go.
 */
u32 xvif_queue_free(struct xvif_queue *q)
{
	u32 deferred = 0;

	if (q->tx.sring)
		xvif_tx_abandon(q);
	if (q->rx.pool)
		xvif_rx_abandon(q);
	deferred += xenpv_gntpool_destroy(&q->tx.refs);
	deferred += xenpv_gntpool_destroy(&q->tx.small);
	deferred += xenpv_gntpool_destroy(&q->tx.pages);
	deferred += xenpv_gntpool_destroy(&q->rx.refs);
	deferred += xenpv_shring_free(&q->tx.shared);
	deferred += xenpv_shring_free(&q->rx.shared);

	if (xdp_rxq_info_is_reg(&q->rx.xdp_rxq))
		xdp_rxq_info_unreg(&q->rx.xdp_rxq);
	if (q->rx.pool)
		page_pool_destroy(q->rx.pool);
	q->rx.pool = NULL;
	rtnl_lock();
	netif_napi_del(&q->napi);
	rtnl_unlock();
	return deferred;
}
