// SPDX-License-Identifier: GPL-2.0-only
/* The receive ring: pages posted, packets taken off. All here is the NAPI poll's. */
#include <linux/module.h>
#include <xen/events.h>

#include "vnif.h"

/* How soon to look for memory again. */
#define REFILL_RETRY	(HZ / 10)

static u16 entry_at(const struct xvif_rx *rx, u32 index)
{
	return rx->at[index & (rx->nr_ents - 1)];
}

/**
 * xvif_rx_ready - a slot's page stays granted and is posted again
 * @rx: ring
 * @index: ring index of a response that was consumed
 */
void xvif_rx_ready(struct xvif_rx *rx, u32 index)
{
	u16 *at = &rx->at[index & (rx->nr_ents - 1)];

	if (*at == XVIF_NO_ENT)
		return;
	rx->ready[rx->nr_ready++] = *at;
	*at = XVIF_NO_ENT;
}

/**
 * xvif_rx_page - a page of the ring's page pool
 * @rx: ring
 * @gfp: how to allocate
 *
 * All pages of the pool come from here, for whatever they are used at first:
 * they return to the pool, and are granted then as they are.
 *
 * Return: page, or NULL when memory is short.
 */
struct page *xvif_rx_page(struct xvif_rx *rx, gfp_t gfp)
{
	/* What the backend can see of a new page is nothing (XSA-403). */
	return page_pool_alloc_pages(rx->pool, gfp | __GFP_NOWARN | __GFP_ZERO);
}

/**
 * xvif_rx_take - get the page with a slot's data for good
 * @q: queue
 * @f: fragment of the packet at the ring's next response; not taken yet
 *
 * The backend has no access to the page any more.
 *
 * Return: page of the queue's page pool; or NULL when memory is short, or
 * after a protocol error: the backend still maps the page. The slot stays
 * untaken then.
 */
struct page *xvif_rx_take(struct xvif_queue *q, const struct xvif_rx_frag *f)
{
	struct xvif_rx *rx = &q->rx;
	u32 index = rx->cons + f->at;
	u16 *at = &rx->at[index & (rx->nr_ents - 1)];
	u16 ent = *at;
	struct page *page = rx->page[ent];

	if (rx->fixed) {
		struct page *copy = xvif_rx_page(rx, GFP_ATOMIC);

		if (!copy)
			return NULL;
		memcpy(page_address(copy) + f->offset, page_address(page) + f->offset, f->len);
		xvif_rx_ready(rx, index);
		return copy;
	}
	if (unlikely(!xenpv_gnttab_revoke(rx->refs.ent[ent].ref))) {
		xvif_stat_inc(q->stats, XVIF_STILL_MAPPED);
		xvif_fault(q, "a packet in a page that it still maps");
		return NULL;
	}
	rx->page[ent] = NULL;
	rx->empty[rx->nr_empty++] = ent;
	*at = XVIF_NO_ENT;
	return page;
}

/* An entry with a granted page; XVIF_NO_ENT when memory is short. */
static u16 next_entry(struct xvif_rx *rx, gfp_t gfp)
{
	struct page *page;
	u16 ent;

	if (rx->nr_ready) {
		ent = rx->ready[--rx->nr_ready];
		if (unlikely(rx->clear))
			clear_page(page_address(rx->page[ent]));
		return ent;
	}
	if (!rx->nr_empty)
		return XVIF_NO_ENT;
	page = xvif_rx_page(rx, gfp);
	if (!page)
		return XVIF_NO_ENT;
	if (unlikely(rx->clear))
		clear_page(page_address(page));
	ent = rx->empty[--rx->nr_empty];
	rx->page[ent] = page;
	xenpv_gntpool_grant(&rx->refs, ent, page, false);
	return ent;
}

static void push(struct xvif_queue *q)
{
	struct xvif_rx *rx = &q->rx;
	u32 old = rx->prod_pub, new = rx->prod_pvt;

	if (old == new)
		return;
	rx->prod_pub = new;
	virt_wmb(); /* requests are there before the index that covers them */
	WRITE_ONCE(rx->sring->req_prod, new);
	/* Either the backend sees the index, or we see that it wants an event. */
	virt_mb();
	if (xenpv_ring_must_notify(old, new, READ_ONCE(rx->sring->req_event))) {
		notify_remote_via_irq(rx->shared.irq);
		xvif_stat_inc(q->stats, XVIF_RX_NOTIFIED);
	}
}

/**
 * xvif_rx_refill - post a page in each free slot
 * @q: queue
 * @gfp: how to allocate; tried again a little later when memory is short
 */
void xvif_rx_refill(struct xvif_queue *q, gfp_t gfp)
{
	struct xvif_rx *rx = &q->rx;

	while (xenpv_ring_unused(rx->nr_ents, rx->prod_pvt, rx->cons)) {
		u16 pos = rx->prod_pvt & (rx->nr_ents - 1);
		struct xen_netif_rx_request req = { .id = pos };
		u16 ent = next_entry(rx, gfp);

		if (unlikely(ent == XVIF_NO_ENT)) {
			xvif_stat_inc(q->stats, XVIF_RX_NO_MEMORY);
			mod_timer(&rx->refill, jiffies + REFILL_RETRY);
			break;
		}
		rx->at[pos] = ent;
		req.gref = rx->refs.ent[ent].ref;
		memcpy(&rx->sring->ring[pos].req, &req, sizeof(req));
		rx->prod_pvt++;
	}
	push(q);
}

/* Put a packet together; it is not taken off the ring. */
static enum xvif_rx_fed next_packet(struct xvif_queue *q, u32 prod, struct xvif_rx_packet *p)
{
	struct xvif_rx *rx = &q->rx;
	struct xen_netif_rx_response rsp;
	enum xvif_rx_fed fed = XVIF_RX_MORE;
	const char *what;

	xvif_rx_begin(p);
	while (fed == XVIF_RX_MORE && rx->cons + p->slots != prod) {
		u32 index = rx->cons + p->slots;

		RING_COPY_RESPONSE(rx, index, &rsp);
		fed = xvif_rx_feed(p, &rsp, index & (rx->nr_ents - 1), &what);
	}
	if (unlikely(fed == XVIF_RX_BAD))
		xvif_fault(q, "%s: id %u, offset %u, flags %#x, status %d", what, rsp.id,
			   rsp.offset, rsp.flags, rsp.status);
	return fed;
}

static void receive(struct xvif_queue *q, const struct xvif_rx_packet *p)
{
	struct xvif_rx *rx = &q->rx;
	u32 i;

	if (unlikely(!netif_running(q->vif->dev))) {
		xvif_stat_inc(q->stats, XVIF_RX_DROPPED);
	} else if (unlikely(p->failed || p->len < ETH_HLEN)) {
		xvif_stat_inc(q->stats, XVIF_RX_ERRORS);
	} else {
		if (!xvif_xdp_receive(q, p))
			xvif_skb_receive(q, p);
		if (unlikely(READ_ONCE(q->dead)))
			return;
	}
	/* Whatever page was not given away is posted again. */
	for (i = 0; i < p->slots; i++)
		if (entry_at(rx, rx->cons + i) != XVIF_NO_ENT)
			xvif_rx_ready(rx, rx->cons + i);
}

/**
 * xvif_rx_poll - receive packets
 * @q: queue
 * @budget: packets at most
 *
 * Return: packets taken off the ring; less than @budget when none is left.
 */
int xvif_rx_poll(struct xvif_queue *q, int budget)
{
	struct xvif_rx *rx = &q->rx;
	struct xvif_rx_packet p;
	enum xvif_rx_fed fed = XVIF_RX_DONE;
	int work = 0;
	u32 prod;

	while (!READ_ONCE(q->dead)) {
		prod = READ_ONCE(rx->sring->rsp_prod);
		virt_rmb(); /* responses are read after the index */
		if (unlikely(!xenpv_ring_rsp_prod_ok(rx->cons, rx->prod_pub, prod))) {
			xvif_fault(q, "receive response index %u, possible are %u to %u", prod,
				   rx->cons, rx->prod_pub);
			break;
		}
		while (rx->cons != prod && work < budget) {
			fed = next_packet(q, prod, &p);
			if (fed != XVIF_RX_DONE)
				break;
			receive(q, &p);
			if (unlikely(READ_ONCE(q->dead)))
				break;
			rx->eoi.progress = true;
			rx->cons += p.slots;
			work++;
		}
		if (work == budget || READ_ONCE(q->dead))
			break;
		/* The rest of a packet is news, its beginning is not. */
		WRITE_ONCE(rx->sring->rsp_event, prod + 1);
		/* Either we see the next response, or the backend sees our wish. */
		virt_mb();
		if (READ_ONCE(rx->sring->rsp_prod) == prod)
			break;
		/* Answered after we had asked for an event: one is under way. */
		rx->eoi.owed = true;
	}
	xvif_xdp_flush(q);
	if (likely(!READ_ONCE(q->dead)))
		xvif_rx_refill(q, GFP_ATOMIC);
	return work;
}

/**
 * xvif_rx_abandon - take back all pages
 * @q: queue, stopped; the backend is to use it no more
 *
 * Return: pages that it still maps; they are retired with their reference.
 */
u32 xvif_rx_abandon(struct xvif_queue *q)
{
	struct xvif_rx *rx = &q->rx;
	u32 ent, stuck = 0;

	for (ent = 0; ent < XVIF_RX_ENTS && !rx->fixed; ent++) {
		struct page *page = rx->page[ent];

		if (!page)
			continue;
		if (!xenpv_gnttab_revoke(rx->refs.ent[ent].ref)) {
			/* With a reference of ours the page pool lets it go. */
			get_page(page);
			rx->refs.ent[ent].page = page;
			stuck++;
		}
		page_pool_put_full_page(rx->pool, page, false);
		rx->page[ent] = NULL;
	}
	return stuck;
}
