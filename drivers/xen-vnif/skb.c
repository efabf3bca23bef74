// SPDX-License-Identifier: GPL-2.0-only
/* A received packet becomes an skb, after its data is there. */
#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/skbuff.h>

#include "gso.h"
#include "vnif.h"

/* Headers are looked for in this many bytes. */
#define HEAD_MAX	256u

/* All of it fits a small buffer; its pages stay where they are. */
static struct sk_buff *copy_whole(struct xvif_queue *q, const struct xvif_rx_packet *p)
{
	struct xvif_rx *rx = &q->rx;
	struct sk_buff *skb = napi_alloc_skb(&q->napi, p->len);
	u32 i;

	if (unlikely(!skb))
		return NULL;
	for (i = 0; i < p->frags; i++) {
		const struct xvif_rx_frag *f = &p->frag[i];
		u16 ent = rx->at[(rx->cons + f->at) & (rx->nr_ents - 1)];

		/* Once: the backend may still write there. */
		skb_put_data(skb, page_address(rx->page[ent]) + f->offset, f->len);
	}
	xvif_stat_inc(q->stats, XVIF_RX_COPIED);
	return skb;
}

/* Headers are copied, the rest stays in its pages. */
static struct sk_buff *with_pages(struct xvif_queue *q, const struct xvif_rx_packet *p)
{
	struct xvif_rx *rx = &q->rx;
	const struct xvif_rx_frag *f = &p->frag[0];
	struct sk_buff *skb;
	struct page *page;
	u32 i, head;
	void *data;

	page = xvif_rx_take(q, f);
	if (unlikely(!page))
		return NULL;
	data = page_address(page) + f->offset;
	if (unlikely(p->frags > MAX_SKB_FRAGS))
		head = f->len;
	else
		head = eth_get_headlen(q->vif->dev, data, min_t(u32, f->len, HEAD_MAX));

	skb = napi_alloc_skb(&q->napi, max(head, HEAD_MAX));
	if (unlikely(!skb)) {
		page_pool_recycle_direct(rx->pool, page);
		return NULL;
	}
	skb_put_data(skb, data, head);
	if (head < f->len)
		xenpv_skb_add_pool_page(skb, rx->pool, page, f->offset + head, f->len - head);
	else
		page_pool_recycle_direct(rx->pool, page);

	for (i = 1; i < p->frags; i++) {
		f = &p->frag[i];
		page = xvif_rx_take(q, f);
		if (unlikely(!page)) {
			kfree_skb(skb);
			return NULL;
		}
		xenpv_skb_add_pool_page(skb, rx->pool, page, f->offset, f->len);
	}
	return skb;
}

static const char *set_gso(struct xvif_queue *q, struct sk_buff *skb,
			   const struct xvif_extras *extras)
{
	const char *bad = xvif_gso_check(extras, skb->data, skb_headlen(skb), skb->len);

	if (bad)
		return bad;
	skb_shinfo(skb)->gso_size = extras->gso_size;
	skb_shinfo(skb)->gso_type = extras->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ?
					    SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
	/* The stack checks the headers and counts the segments. */
	skb_shinfo(skb)->gso_type |= SKB_GSO_DODGY;
	skb_shinfo(skb)->gso_segs = 0;
	xvif_stat_inc(q->stats, XVIF_RX_GSO_PACKETS);
	return NULL;
}

static int set_csum(struct xvif_queue *q, struct sk_buff *skb, u16 flags)
{
	enum xvif_csum csum = xvif_csum(flags, q->vif->dev->features & NETIF_F_RXCSUM);
	bool fix = false;

	if (skb_is_gso(skb) && csum != XVIF_CSUM_BLANK) {
		/* Segments get their checksums from it, so it must be blank. */
		xvif_stat_inc(q->stats, XVIF_RX_CSUM_FIXED);
		csum = XVIF_CSUM_BLANK;
		fix = true;
	}
	switch (csum) {
	case XVIF_CSUM_BLANK:
		skb->ip_summed = CHECKSUM_PARTIAL;
		return skb_checksum_setup(skb, fix);
	case XVIF_CSUM_VALID:
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		return 0;
	default:
		return 0;
	}
}

static void set_hash(struct sk_buff *skb, const struct xvif_extras *extras)
{
	bool l4 = extras->hash_type == _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP ||
		  extras->hash_type == _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;

	skb_set_hash(skb, extras->hash, l4 ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
}

/**
 * xvif_skb_deliver - finish a packet and give it to the network stack
 * @q: queue
 * @skb: all of the packet, as it came; taken over
 * @p: what is known of it
 *
 * NAPI poll only.
 */
void xvif_skb_deliver(struct xvif_queue *q, struct sk_buff *skb, const struct xvif_rx_packet *p)
{
	/* The first slot may be shorter than a header (XSA-522). */
	if (unlikely(!pskb_may_pull(skb, ETH_HLEN)))
		goto bad;
	if (xvif_extra_has(&p->extras, XEN_NETIF_EXTRA_TYPE_GSO) &&
	    unlikely(set_gso(q, skb, &p->extras)))
		goto bad;
	xvif_stat_add(q->stats, XVIF_RX_BYTES, skb->len);
	skb->protocol = eth_type_trans(skb, q->vif->dev);
	skb_reset_network_header(skb);
	if (unlikely(set_csum(q, skb, p->flags)))
		goto bad;
	if (xvif_extra_has(&p->extras, XEN_NETIF_EXTRA_TYPE_HASH))
		set_hash(skb, &p->extras);
	skb_record_rx_queue(skb, q->index);
	xvif_stat_inc(q->stats, XVIF_RX_PACKETS);
	napi_gro_receive(&q->napi, skb);
	return;

bad:
	xvif_stat_inc(q->stats, XVIF_RX_ERRORS);
	kfree_skb(skb);
}

/**
 * xvif_skb_receive - make a packet of what was received
 * @q: queue
 * @p: complete packet at the ring's next response, of at least %ETH_HLEN bytes
 *
 * Slots whose page it gave away are empty afterwards; the others are the
 * caller's to post again. NAPI poll only.
 */
void xvif_skb_receive(struct xvif_queue *q, const struct xvif_rx_packet *p)
{
	struct sk_buff *skb;

	skb = p->len <= q->rx.copybreak ? copy_whole(q, p) : with_pages(q, p);
	if (likely(skb))
		xvif_skb_deliver(q, skb, p);
	else
		xvif_stat_inc(q->stats, XVIF_RX_DROPPED);
}
