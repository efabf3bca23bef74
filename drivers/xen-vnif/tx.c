// SPDX-License-Identifier: GPL-2.0-only
/* From the network stack to the ring. All here runs under a queue's tx lock. */
#include <linux/module.h>
#include <xen/events.h>

#include "extra.h"
#include "vnif.h"

/**
 * struct job - a packet on its way into the ring
 * @q: queue
 * @skb: packet, or NULL
 * @frame: frame of XDP, or NULL
 * @total: its length
 * @left: data slots still to be written
 * @head: id of the first one, or %XVIF_NO_ENT before it
 * @flags: XEN_NETTXF_* of the first slot
 */
struct job {
	struct xvif_queue *q;
	struct sk_buff *skb;
	struct xdp_frame *frame;
	u32 total;
	u32 left;
	u16 head;
	u16 flags;
};

/**
 * xvif_tx_room - ring slots that may be written
 * @tx: ring
 *
 * Ids come back in the backend's order, the first one of a packet last, so
 * both have to be looked at.
 */
u32 xvif_tx_room(const struct xvif_tx *tx)
{
	u32 ids;

	/* Pairs with the poll's release: the ids are there. */
	ids = smp_load_acquire(&tx->free_tail) - READ_ONCE(tx->free_head);
	return min(ids, xenpv_ring_unused(tx->nr_ents, READ_ONCE(tx->prod_pvt),
					  READ_ONCE(tx->cons)));
}

/**
 * xvif_tx_take_id - take a request id
 * @tx: ring with room
 */
u16 xvif_tx_take_id(struct xvif_tx *tx)
{
	u16 id = tx->free[tx->free_head % XVIF_TX_ENTS];

	WRITE_ONCE(tx->free_head, tx->free_head + 1);
	return id;
}

/**
 * xvif_tx_put - write a request, or an extra info, into the ring
 * @tx: ring with room
 * @request: of the size of a request
 */
void xvif_tx_put(struct xvif_tx *tx, const void *request)
{
	union xen_netif_tx_sring_entry *slot = &tx->sring->ring[tx->prod_pvt & (tx->nr_ents - 1)];

	memcpy(&slot->req, request, sizeof(slot->req));
	WRITE_ONCE(tx->prod_pvt, tx->prod_pvt + 1);
}

/* The next request put into the ring is of this slot. */
static void mark_sent(const struct xvif_tx *tx, struct xvif_tx_slot *slot)
{
	WRITE_ONCE(slot->index, tx->prod_pvt);
	/* A poll that sees it sent sees its index, and leaves it alone until published. */
	smp_store_release(&slot->sent, true);
}

/**
 * xvif_tx_push - show the backend all that was written, notify it if it wants that
 * @q: queue
 */
void xvif_tx_push(struct xvif_queue *q)
{
	struct xvif_tx *tx = &q->tx;
	u32 old = tx->prod_pub, new = tx->prod_pvt;

	if (old == new)
		return;
	/*
	 * The poll must know the index before the backend can answer, and with
	 * it all of the packets below it, accounted and ready to be freed.
	 */
	smp_store_release(&tx->prod_pub, new);
	/* Requests, too, are there before the index that covers them. */
	virt_wmb();
	WRITE_ONCE(tx->sring->req_prod, new);
	/* Either the backend sees the index, or we see that it wants an event. */
	virt_mb();
	xvif_stat_inc(q->stats, XVIF_TX_PUSHES);
	if (xenpv_ring_must_notify(old, new, READ_ONCE(tx->sring->req_event))) {
		notify_remote_via_irq(tx->irq);
		xvif_stat_inc(q->stats, XVIF_TX_NOTIFIED);
	}
}

static void measure(const struct sk_buff *skb, struct xvif_tx_shape *shape)
{
	u32 i;

	memset(shape, 0, sizeof(*shape));
	xvif_tx_shape_add(shape, offset_in_page(skb->data), skb_headlen(skb));
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		xvif_tx_shape_add(shape, skb_frag_off(frag), skb_frag_size(frag));
	}
}

static void put_gso(struct job *job)
{
	struct xvif_tx *tx = &job->q->tx;
	union {
		struct xen_netif_extra_info info;
		struct xen_netif_tx_request req;
	} slot = {};

	xvif_extra_gso(&slot.info, skb_shinfo(job->skb)->gso_type & SKB_GSO_TCPV6,
		       skb_shinfo(job->skb)->gso_size);
	/* The poll counts down for each empty answer. */
	atomic_inc(&tx->extras);
	xvif_tx_put(tx, &slot);
	xvif_stat_inc(job->q->stats, XVIF_TX_GSO_PACKETS);
}

/* Write one data slot; the first one is followed by the extra info, if any. */
static void put_data(struct job *job, u16 id, grant_ref_t ref, u32 offset, u32 len,
		     struct page *page, u16 ent)
{
	struct xvif_tx *tx = &job->q->tx;
	struct xvif_tx_slot *slot = &tx->slot[id];
	struct xen_netif_tx_request req = {
		.gref = ref,
		.offset = offset,
		.id = id,
		.size = len,
	};
	bool first = job->head == XVIF_NO_ENT;

	if (first) {
		job->head = id;
		/* The first slot tells the length of the whole packet. */
		req.size = job->total;
		req.flags = job->flags;
		slot->ptr = job->skb ? (void *)job->skb : job->frame;
		slot->kind = job->skb ? XVIF_TX_SKB : XVIF_TX_XDP;
		slot->bytes = job->total;
		slot->left = job->left;
		slot->failed = false;
	}
	slot->head = job->head;
	slot->page = page;
	slot->ent = ent;
	mark_sent(tx, slot);
	if (--job->left)
		req.flags |= XEN_NETTXF_more_data;
	xvif_tx_put(tx, &req);
	if (first && (job->flags & XEN_NETTXF_extra_info))
		put_gso(job);
}

static void grant_piece(struct job *job, struct page *page, u32 offset, u32 len)
{
	struct xvif_tx *tx = &job->q->tx;

	page += offset / XVIF_FRAME;
	offset %= XVIF_FRAME;
	while (len) {
		u32 cut = xvif_tx_cut(offset, len);
		u16 id = xvif_tx_take_id(tx);

		put_data(job, id, xenpv_gntpool_grant(&tx->refs, id, page, true), offset, cut,
			 page, XVIF_NO_ENT);
		len -= cut;
		offset = 0;
		page++;
	}
}

static void send_granted(struct job *job)
{
	struct sk_buff *skb = job->skb;
	u32 i;

	xvif_stat_add(job->q->stats, XVIF_TX_GRANTED_SLOTS, job->left);
	if (!skb) {
		void *data = job->frame->data;

		grant_piece(job, virt_to_page(data), offset_in_page(data), job->total);
		return;
	}
	grant_piece(job, virt_to_page(skb->data), offset_in_page(skb->data), skb_headlen(skb));
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		grant_piece(job, skb_frag_page(frag), skb_frag_off(frag), skb_frag_size(frag));
	}
}

static int copy_to_page(const struct job *job, u32 from, struct page *page, u32 offset, u32 len)
{
	void *to = kmap_local_page(page);
	int err = 0;

	if (job->skb)
		err = skb_copy_bits(job->skb, from, to + offset, len);
	else
		memcpy(to + offset, job->frame->data + from, len);
	kunmap_local(to);
	return err;
}

static int send_small(struct job *job)
{
	struct xvif_tx *tx = &job->q->tx;
	u16 id = tx->free[tx->free_head % XVIF_TX_ENTS];
	u32 at = (u32)id << tx->small_shift;
	struct xenpv_gnt *gnt = &tx->small.ent[at / XVIF_FRAME];

	if (copy_to_page(job, 0, gnt->page, at % XVIF_FRAME, job->total))
		return -EFAULT;
	xvif_tx_take_id(tx);
	put_data(job, id, gnt->ref, at % XVIF_FRAME, job->total, NULL, XVIF_NO_ENT);
	xvif_stat_inc(job->q->stats, XVIF_TX_SMALLS);
	return 0;
}

/* Entries with pages for the ids that come next; all or nothing. */
static int take_pages(struct xvif_tx *tx, u32 n, u16 *ent)
{
	unsigned long irq;
	u32 i;
	bool ok;

	if (tx->pages_full) {
		for (i = 0; i < n; i++)
			ent[i] = tx->free[(tx->free_head + i) % XVIF_TX_ENTS];
		return xenpv_gntpool_back(&tx->pages, ent, n, GFP_ATOMIC | __GFP_NOWARN);
	}
	spin_lock_irqsave(&tx->pages_lock, irq);
	ok = xenpv_pool_take(&tx->pages.idx, n, ent);
	spin_unlock_irqrestore(&tx->pages_lock, irq);
	if (!ok)
		return -ENOSPC;
	if (!xenpv_gntpool_back(&tx->pages, ent, n, GFP_ATOMIC | __GFP_NOWARN))
		return 0;
	spin_lock_irqsave(&tx->pages_lock, irq);
	xenpv_gntpool_give(&tx->pages, ent, n);
	spin_unlock_irqrestore(&tx->pages_lock, irq);
	return -ENOMEM;
}

static void return_pages(struct xvif_tx *tx, u32 n, const u16 *ent)
{
	unsigned long irq;

	if (tx->pages_full)
		return;
	spin_lock_irqsave(&tx->pages_lock, irq);
	xenpv_gntpool_give(&tx->pages, ent, n);
	spin_unlock_irqrestore(&tx->pages_lock, irq);
}

static int send_packed(struct job *job)
{
	struct xvif_tx *tx = &job->q->tx;
	u32 i, n = job->left;
	u16 ent[XVIF_MAX_SLOTS];
	int err;

	err = take_pages(tx, n, ent);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		u32 at = i * XVIF_FRAME;

		err = copy_to_page(job, at, tx->pages.ent[ent[i]].page, 0,
				   min(XVIF_FRAME, job->total - at));
		if (err) {
			return_pages(tx, n, ent);
			return err;
		}
	}
	for (i = 0; i < n; i++)
		put_data(job, xvif_tx_take_id(tx), tx->pages.ent[ent[i]].ref, 0,
			 min(XVIF_FRAME, job->total - i * XVIF_FRAME), NULL,
			 tx->pages_full ? XVIF_NO_ENT : ent[i]);
	xvif_stat_inc(job->q->stats, XVIF_TX_PACKED);
	return 0;
}

static u16 first_flags(const struct sk_buff *skb)
{
	u16 flags = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		flags = XEN_NETTXF_csum_blank | XEN_NETTXF_data_validated;
	else if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		flags = XEN_NETTXF_data_validated;
	if (skb_is_gso(skb))
		flags |= XEN_NETTXF_extra_info;
	return flags;
}

/* Stop the stack when the next packet might not fit; true if stopped. */
static bool maybe_stop(struct xvif_queue *q, struct netdev_queue *txq)
{
	if (likely(xvif_tx_room(&q->tx) >= XVIF_TX_NEED))
		return false;
	netif_tx_stop_queue(txq);
	xvif_stat_inc(q->stats, XVIF_TX_STOPPED);
	/* Either the poll sees that we stopped, or we see what it gave back. */
	smp_mb();
	if (xvif_tx_room(&q->tx) < XVIF_TX_NEED)
		return true;
	netif_tx_start_queue(txq);
	return false;
}

/* Send, into whatever is there; -ENOSPC when packets in flight have all pages to pack into. */
static int send(struct job *job, enum xvif_tx_plan plan)
{
	switch (plan) {
	case XVIF_TX_SMALL:
		return send_small(job);
	case XVIF_TX_PACK:
		return send_packed(job);
	case XVIF_TX_GRANT:
		send_granted(job);
		return 0;
	default:
		return -EMSGSIZE;
	}
}

/*
 * The same; with -ENOSPC the queue is stopped, and woken when the packets that
 * have the pages are answered.
 */
static int send_or_stop(struct job *job, enum xvif_tx_plan plan, struct netdev_queue *txq)
{
	int err = send(job, plan);

	if (likely(err != -ENOSPC))
		return err;
	netif_tx_stop_queue(txq);
	xvif_stat_inc(job->q->stats, XVIF_TX_STOPPED);
	/* Either the poll sees that we stopped, or we see what it gave back. */
	smp_mb();
	err = send(job, plan);
	if (err != -ENOSPC)
		netif_tx_start_queue(txq);
	return err;
}

/**
 * xvif_start_xmit - send a packet
 * @skb: packet; taken over unless the answer is busy
 * @dev: interface
 */
netdev_tx_t xvif_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct xvif *vif = netdev_priv(dev);
	u32 index = skb_get_queue_mapping(skb);
	struct netdev_queue *txq = netdev_get_tx_queue(dev, index);
	bool more = netdev_xmit_more();
	struct xvif_tx_shape shape;
	enum xvif_tx_plan plan;
	struct xvif_queue *q;
	struct job job;
	int err;

	if (unlikely(!READ_ONCE(vif->ready) || index >= vif->nr_queues)) {
		xvif_stat_inc(vif->stats[0], XVIF_TX_DROPPED);
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	q = &vif->queues[index];
	/* Frames of XDP take the same slots. */
	if (unlikely(maybe_stop(q, txq))) {
		xvif_tx_push(q);
		return NETDEV_TX_BUSY;
	}

	measure(skb, &shape);
	plan = xvif_tx_plan(&shape, &q->tx.rules);
	job = (struct job){
		.q = q,
		.skb = skb,
		.total = shape.total,
		.left = xvif_tx_plan_slots(&shape, plan),
		.head = XVIF_NO_ENT,
		.flags = first_flags(skb),
	};
	err = READ_ONCE(q->dead) ? -ENETDOWN : send_or_stop(&job, plan, txq);
	if (unlikely(err == -ENOSPC)) {
		/* What has the pages may be a part of this burst. */
		xvif_tx_push(q);
		return NETDEV_TX_BUSY;
	}
	if (unlikely(err)) {
		xvif_stat_inc(q->stats, XVIF_TX_DROPPED);
		dev_kfree_skb_any(skb);
		/* Do not let the rest of the burst wait. */
		if (!more)
			xvif_tx_push(q);
		return NETDEV_TX_OK;
	}
	skb_tx_timestamp(skb);
	more = !__netdev_tx_sent_queue(txq, shape.total, more);
	if (maybe_stop(q, txq) || !more)
		xvif_tx_push(q);
	return NETDEV_TX_OK;
}

/**
 * xvif_tx_frame - send a frame of XDP
 * @q: queue, whose tx lock is held
 * @frame: frame; belongs to the ring if this succeeds
 * @flags: XEN_NETTXF_* about its checksum
 *
 * The backend is shown it by xvif_tx_push(). Room for a packet of the stack
 * is left, so that the stack need not be stopped.
 *
 * Return: 0, -ENOSPC when the ring is full, or another negative errno.
 */
int xvif_tx_frame(struct xvif_queue *q, struct xdp_frame *frame, u16 flags)
{
	struct xvif_tx_shape shape = {};
	enum xvif_tx_plan plan;
	struct job job;

	if (READ_ONCE(q->dead) || !xenpv_xdp_frame_whole(frame))
		return -EINVAL;
	xvif_tx_shape_add(&shape, offset_in_page(frame->data), frame->len);
	plan = xvif_tx_plan(&shape, &q->tx.rules);
	job = (struct job){
		.q = q,
		.frame = frame,
		.total = shape.total,
		.left = xvif_tx_plan_slots(&shape, plan),
		.head = XVIF_NO_ENT,
		.flags = flags,
	};
	if (xvif_tx_room(&q->tx) < XVIF_TX_NEED + job.left)
		return -ENOSPC;
	return send(&job, plan);
}

/**
 * xvif_tx_mcast - have an address added to the backend's filter, or taken out
 * @q: queue, whose tx lock is held
 * @add: add it
 * @addr: multicast address
 *
 * A request without data that carries an extra info (netif.h). Return: 0,
 * -ENOSPC when the ring is full or -ENETDOWN.
 */
int xvif_tx_mcast(struct xvif_queue *q, bool add, const u8 *addr)
{
	struct xvif_tx *tx = &q->tx;
	union {
		struct xen_netif_extra_info info;
		struct xen_netif_tx_request req;
	} wire = {};
	struct xvif_tx_slot *slot;
	u16 id;

	if (READ_ONCE(q->dead) || !READ_ONCE(q->vif->ready))
		return -ENETDOWN;
	if (xvif_tx_room(tx) < XVIF_TX_NEED + 2)
		return -ENOSPC;
	id = xvif_tx_take_id(tx);
	slot = &tx->slot[id];
	slot->ptr = NULL;
	slot->kind = XVIF_TX_NONE;
	slot->bytes = 0;
	slot->left = 1;
	slot->failed = false;
	slot->head = id;
	slot->page = NULL;
	slot->ent = XVIF_NO_ENT;
	mark_sent(tx, slot);

	wire.req.id = id;
	wire.req.flags = XEN_NETTXF_extra_info;
	xvif_tx_put(tx, &wire);
	memset(&wire, 0, sizeof(wire));
	xvif_extra_mcast(&wire.info, add, addr);
	atomic_inc(&tx->extras);
	xvif_tx_put(tx, &wire);
	return 0;
}
