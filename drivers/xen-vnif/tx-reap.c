// SPDX-License-Identifier: GPL-2.0-only
/* From the ring back to the network stack. All here is the NAPI poll's, or stopped. */
#include <linux/kmemleak.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/xdp.h>

#include "vnif.h"

/** struct done - what was completed since it was last reported */
struct done {
	u32 packets;
	u32 bytes;
};

static void give_id(struct xvif_tx *tx, u16 id)
{
	tx->free[tx->free_tail % XVIF_TX_ENTS] = id;
	/* Pairs with xvif_tx_room(): whoever sees the room sees the id. */
	smp_store_release(&tx->free_tail, tx->free_tail + 1);
}

static void free_packet(struct xvif_queue *q, struct xvif_tx_slot *head, int budget,
			struct done *done)
{
	switch (head->kind) {
	case XVIF_TX_SKB:
		/* The byte queue limit knows of these only. */
		done->packets++;
		done->bytes += head->bytes;
		napi_consume_skb(head->ptr, budget);
		break;
	case XVIF_TX_XDP:
		xdp_return_frame(head->ptr);
		break;
	default:
		break;
	}
	if (head->kind != XVIF_TX_NONE) {
		if (unlikely(head->failed)) {
			xvif_stat_inc(q->stats, XVIF_TX_ERRORS);
		} else {
			xvif_stat_inc(q->stats, XVIF_TX_PACKETS);
			xvif_stat_add(q->stats, XVIF_TX_BYTES, head->bytes);
		}
	}
	head->ptr = NULL;
}

/* One slot is ours again. False when the backend still has its page. */
static bool end_slot(struct xvif_queue *q, u16 id, bool failed, int budget, struct done *done)
{
	struct xvif_tx *tx = &q->tx;
	struct xvif_tx_slot *slot = &tx->slot[id];
	struct xvif_tx_slot *head = &tx->slot[slot->head];
	u16 head_id = slot->head;
	unsigned long irq;

	if (slot->page) {
		if (unlikely(!xenpv_gnttab_revoke(tx->refs.ent[id].ref)))
			return false;
		slot->page = NULL;
	}
	if (unlikely(slot->ent != XVIF_NO_ENT)) {
		spin_lock_irqsave(&tx->pages_lock, irq);
		xenpv_gntpool_give(&tx->pages, &slot->ent, 1);
		spin_unlock_irqrestore(&tx->pages_lock, irq);
		slot->ent = XVIF_NO_ENT;
	}
	WRITE_ONCE(slot->sent, false);
	head->failed |= failed;
	/* The first id stands for the packet until all of it is answered. */
	if (id != head_id)
		give_id(tx, id);
	if (!--head->left) {
		free_packet(q, head, budget, done);
		give_id(tx, head_id);
	}
	return true;
}

/* An id may be in the ring already, but not for the backend to know. */
static bool in_flight(const struct xvif_tx *tx, u16 id, u32 published)
{
	/* Pairs with the sender's release: the index is of this request. */
	return id < XVIF_TX_ENTS && smp_load_acquire(&tx->slot[id].sent) &&
	       xvif_tx_shown(published, READ_ONCE(tx->slot[id].index));
}

/*
 * Netpoll, without a budget, may come with interrupts off, in which a frame of
 * XDP cannot be returned. The poll that has a budget takes it.
 */
static bool must_wait(const struct xvif_tx *tx, const struct xen_netif_tx_response *rsp,
		      u32 published)
{
	if (rsp->status == XEN_NETIF_RSP_NULL || !in_flight(tx, rsp->id, published))
		return false;
	return tx->slot[tx->slot[rsp->id].head].kind == XVIF_TX_XDP;
}

static bool take_response(struct xvif_queue *q, const struct xen_netif_tx_response *rsp,
			  u32 published, int budget, struct done *done)
{
	struct xvif_tx *tx = &q->tx;

	if (rsp->status == XEN_NETIF_RSP_NULL) {
		if (likely(atomic_dec_if_positive(&tx->extras) >= 0))
			return true;
		xvif_fault(q, "an empty answer to no extra info");
		return false;
	}
	if (unlikely(!in_flight(tx, rsp->id, published))) {
		xvif_fault(q, "an answer to packet id %u, which is not in flight", rsp->id);
		return false;
	}
	if (unlikely(rsp->status > XEN_NETIF_RSP_OKAY || rsp->status < XEN_NETIF_RSP_DROPPED)) {
		xvif_fault(q, "status %d for packet id %u", rsp->status, rsp->id);
		return false;
	}
	if (unlikely(!end_slot(q, rsp->id, rsp->status != XEN_NETIF_RSP_OKAY, budget, done))) {
		xvif_stat_inc(q->stats, XVIF_STILL_MAPPED);
		xvif_fault(q, "an answer to packet id %u, whose page it still maps", rsp->id);
		return false;
	}
	return true;
}

static void wake(struct xvif_queue *q, const struct done *done)
{
	struct net_device *dev = q->vif->dev;
	struct netdev_queue *txq = netdev_get_tx_queue(dev, q->index);

	if (done->packets)
		netdev_tx_completed_queue(txq, done->packets, done->bytes);
	/* Pairs with maybe_stop() of the sender. */
	smp_mb();
	if (unlikely(netif_tx_queue_stopped(txq)) && xvif_tx_room(&q->tx) >= 2 * XVIF_TX_NEED &&
	    READ_ONCE(q->vif->ready) && netif_running(dev))
		netif_tx_wake_queue(txq);
}

/* When to be interrupted next: once half of what is in flight is answered. */
static u32 next_event(const struct xvif_queue *q)
{
	u32 flying = READ_ONCE(q->tx.prod_pub) - q->tx.cons;

	return q->tx.cons + clamp(flying / 2, 1u, READ_ONCE(q->vif->tx_frames));
}

/**
 * xvif_tx_reap - free what the backend has sent
 * @q: queue
 * @budget: of the poll, 0 from netpoll
 *
 * Return: true when answers are left.
 */
bool xvif_tx_reap(struct xvif_queue *q, int budget)
{
	struct xvif_tx *tx = &q->tx;
	u32 limit = XVIF_TX_ENTS, prod, published, event;
	struct xen_netif_tx_response rsp;
	struct done done = {};
	bool more = false;

	while (!READ_ONCE(q->dead)) {
		prod = READ_ONCE(tx->sring->rsp_prod);
		/* Responses, and what we published before, are read after the index. */
		virt_rmb();
		/* Packets below what we published are whole; pairs with xvif_tx_push(). */
		published = smp_load_acquire(&tx->prod_pub);
		if (unlikely(!xenpv_ring_rsp_prod_ok(tx->cons, published, prod))) {
			xvif_fault(q, "transmit response index %u, possible are %u to %u", prod,
				   tx->cons, published);
			break;
		}
		for (; tx->cons != prod && limit; limit--) {
			/* Once, so that what is checked is what is used (XSA-155). */
			RING_COPY_RESPONSE(tx, tx->cons, &rsp);
			if (unlikely(!budget && must_wait(tx, &rsp, published)))
				break;
			if (unlikely(!take_response(q, &rsp, published, budget, &done)))
				break;
			tx->eoi.progress = true;
			WRITE_ONCE(tx->cons, tx->cons + 1);
		}
		if (tx->cons != prod) {
			more = !READ_ONCE(q->dead);
			break;
		}
		event = next_event(q);
		WRITE_ONCE(tx->sring->rsp_event, event);
		/* Either we see the answer, or the backend sees our wish. */
		virt_mb();
		prod = READ_ONCE(tx->sring->rsp_prod);
		if ((s32)(prod - event) < 0)
			break;
		/* Answered after we had asked for an event: one is under way. */
		tx->eoi.owed = true;
	}
	wake(q, &done);
	return more;
}

/* Memory of the slab has no page references: it lasts as long as its owner. */
static bool in_slab(const struct xvif_tx_slot *head, struct page *page)
{
	const struct sk_buff *skb = head->ptr;

	return (head->kind == XVIF_TX_SKB || head->kind == XVIF_TX_KEPT) && !skb->head_frag &&
	       virt_to_head_page(skb->head) == compound_head(page);
}

/* Neither the packet nor the reference to its head is ever used again. */
static void keep_packet(struct xvif_tx *tx, u16 id, struct xvif_tx_slot *head)
{
	struct xenpv_gntpool *refs = &tx->refs;
	struct sk_buff *skb = head->ptr;

	/* The last one takes its place in the pool; it was looked at before. */
	refs->ent[id] = refs->ent[--refs->nr_refs];
	if (head->kind == XVIF_TX_KEPT)
		return;
	head->kind = XVIF_TX_KEPT;
	/* Nobody else is to wait for it. What a clone shares is not ours alone to let go. */
	if (!skb_cloned(skb))
		skb_zcopy_clear(skb, false);
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	if (skb->fclone == SKB_FCLONE_CLONE)
		kmemleak_not_leak(container_of(skb, struct sk_buff_fclones, skb2));
	else
		kmemleak_not_leak(skb);
}

/**
 * xvif_tx_abandon - take back what the backend has not answered
 * @q: queue, stopped
 *
 * Packets in flight are lost, as on any wire. A page that the backend still
 * maps is left to the pool of references, which retires it; memory that pages
 * cannot be counted of is never freed.
 */
void xvif_tx_abandon(struct xvif_queue *q)
{
	struct xvif_tx *tx = &q->tx;
	struct done done = {};
	u32 id, kept = 0;

	/* Backwards, see keep_packet(). */
	for (id = XVIF_TX_ENTS; id--;) {
		struct xvif_tx_slot *slot = &tx->slot[id];
		struct xvif_tx_slot *head = &tx->slot[slot->head];

		if (!slot->sent)
			continue;
		if (slot->page && !xenpv_gnttab_revoke(tx->refs.ent[id].ref)) {
			if (in_slab(head, slot->page)) {
				keep_packet(tx, id, head);
				kept++;
			} else {
				get_page(slot->page);
				tx->refs.ent[id].page = slot->page;
			}
			slot->page = NULL;
		}
		end_slot(q, id, true, 0, &done);
	}
	if (!kept)
		return;
	xvif_stat_add(q->stats, XVIF_STILL_MAPPED, kept);
	netdev_warn(q->vif->dev, "queue %u: domain %u still maps %u pages with heads of packets, which are lost for good\n",
		    q->index, q->vif->link.backend_id, kept);
}
