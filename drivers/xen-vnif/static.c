// SPDX-License-Identifier: GPL-2.0-only
/*
 * Static grants (netif.h): the backend keeps our pages mapped, and both copy,
 * so that a packet costs no grant operation. Any refusal leaves a queue as it
 * was, granting page by page.
 */
#include <linux/module.h>

#include "vnif.h"

/* Tell the backend of all references of a pool, in lists of a page each. */
static int tell(struct xvif_queue *q, u16 type, const struct xenpv_gntpool *pool, u16 flags)
{
	u32 done, n, i;
	int err = 0;

	for (done = 0; done < pool->nr_refs && !err; done += n) {
		struct xen_netif_gref *list = (void *)get_zeroed_page(GFP_NOIO);

		if (!list)
			return -ENOMEM;
		n = min_t(u32, pool->nr_refs - done, XVIF_GREFS_MAX);
		for (i = 0; i < n; i++) {
			list[i].ref = pool->ent[done + i].ref;
			list[i].flags = flags;
		}
		err = xvif_ctrl_call_list(q->vif, type, q->index, list, n);
	}
	return err;
}

static int add(struct xvif_queue *q, const struct xenpv_gntpool *pool, u16 flags)
{
	return tell(q, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, pool, flags);
}

static int keep_tx(struct xvif_queue *q)
{
	struct xvif_tx *tx = &q->tx;
	struct xenpv_gntpool pages;
	int err;

	err = xenpv_gntpool_init_pages(&pages, XVIF_TX_ENTS, XVIF_TX_ENTS,
				       q->vif->link.backend_id, GFP_NOIO);
	if (err)
		return err;
	err = add(q, &pages, XEN_NETIF_CTRLF_GREF_readonly);
	if (!err && tx->small.nr_refs) {
		err = add(q, &tx->small, XEN_NETIF_CTRLF_GREF_readonly);
		/* The backend is not to keep what is given back. */
		if (err)
			tell(q, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, &pages, 0);
	}
	if (err) {
		xenpv_gntpool_destroy(&pages);
		return err;
	}
	/* Nothing was sent yet. */
	xenpv_gntpool_destroy(&tx->pages);
	xenpv_gntpool_destroy(&tx->refs);
	tx->pages = pages;
	tx->pages_full = true;
	tx->rules.pack = true;
	return 0;
}

static int keep_rx(struct xvif_queue *q)
{
	struct xvif_rx *rx = &q->rx;
	struct xenpv_gntpool refs;
	u32 i;
	int err;

	err = xenpv_gntpool_init_pages(&refs, XVIF_RX_ENTS, XVIF_RX_ENTS,
				       q->vif->link.backend_id, GFP_NOIO);
	if (err)
		return err;
	err = add(q, &refs, 0);
	if (err) {
		xenpv_gntpool_destroy(&refs);
		return err;
	}
	/* Nothing was posted yet. */
	xenpv_gntpool_destroy(&rx->refs);
	rx->refs = refs;
	rx->fixed = true;
	rx->nr_empty = 0;
	rx->nr_ready = 0;
	for (i = 0; i < XVIF_RX_ENTS; i++) {
		rx->page[i] = refs.ent[i].page;
		rx->ready[rx->nr_ready++] = XVIF_RX_ENTS - 1 - i;
	}
	return 0;
}

/**
 * xvif_static_connect - let the backend keep pages of a queue mapped, if it wants
 * @q: queue on which nothing was sent or posted yet; in the link's work
 * @wanted: this end wants it
 *
 * What it can keep goes to the transmit ring first, where it saves more.
 */
void xvif_static_connect(struct xvif_queue *q, bool wanted)
{
	u32 room = 0, tx = XVIF_TX_ENTS + q->tx.small.nr_refs;
	int err;

	if (!wanted || !q->vif->ctrl.alive)
		return;
	if (xvif_ctrl_call(q->vif, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, q->index, 0, 0,
			   &room))
		return;
	if (room < tx)
		return;
	err = keep_tx(q);
	q->static_tx = !err;
	if (!err && room - tx >= XVIF_RX_ENTS)
		q->static_rx = !keep_rx(q);
}
