// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <xen/page.h>

#include "compat.h"
#include "gntpool.h"

static int init(struct xenpv_gntpool *pool, u32 nr, u32 preferred, domid_t domid, gfp_t gfp)
{
	grant_ref_t head;
	int err;

	memset(pool, 0, sizeof(*pool));
	pool->domid = domid;
	err = xenpv_pool_init(&pool->idx, nr, preferred, gfp);
	if (err)
		return err;
	pool->ent = kvcalloc(nr, sizeof(*pool->ent), gfp);
	if (!pool->ent) {
		err = -ENOMEM;
		goto fail;
	}
	err = gnttab_alloc_grant_references(nr, &head);
	if (err)
		goto fail;
	while (pool->nr_refs < nr)
		pool->ent[pool->nr_refs++].ref = gnttab_claim_grant_reference(&head);
	return 0;

fail:
	xenpv_gntpool_destroy(pool);
	return err;
}

/**
 * xenpv_gntpool_init - take references from the kernel's grant table
 * @pool: uninitialised pool
 * @nr: how many, 1 to %XENPV_POOL_MAX
 * @domid: peer that will be given access
 * @gfp: allocation flags; may sleep
 *
 * The entries are for pages of others, granted and revoked at each use.
 *
 * Return: 0, -ENOSPC when the grant table has not as many, -ENOMEM or
 * -EINVAL. xenpv_gntpool_destroy() undoes it.
 */
int xenpv_gntpool_init(struct xenpv_gntpool *pool, u32 nr, domid_t domid, gfp_t gfp)
{
	return init(pool, nr, nr, domid, gfp);
}
EXPORT_SYMBOL_GPL(xenpv_gntpool_init);

/**
 * xenpv_gntpool_init_pages - the same, for entries that own their page
 * @pool: uninitialised pool
 * @nr: how many, 1 to %XENPV_POOL_MAX
 * @reserve: how many get their page now, at most @nr
 * @domid: peer that will be given access
 * @gfp: allocation flags; may sleep
 *
 * Return: as xenpv_gntpool_init().
 */
int xenpv_gntpool_init_pages(struct xenpv_gntpool *pool, u32 nr, u32 reserve, domid_t domid,
			     gfp_t gfp)
{
	u32 i;
	int err = init(pool, nr, reserve, domid, gfp);

	for (i = 0; !err && i < reserve; i++) {
		u16 index = i;

		err = xenpv_gntpool_back(pool, &index, 1, gfp);
		if (err)
			xenpv_gntpool_destroy(pool);
	}
	return err;
}
EXPORT_SYMBOL_GPL(xenpv_gntpool_init_pages);

/**
 * xenpv_gntpool_back - see that entries have pages of their own
 * @pool: pool
 * @index: entries the caller took
 * @n: how many
 * @gfp: allocation flags
 *
 * A page is zeroed (XSA-403), and granted read-write until the pool is
 * destroyed: it never holds anything but data meant for this peer.
 *
 * Return: 0, or -ENOMEM; some entries may have got a page then.
 */
int xenpv_gntpool_back(struct xenpv_gntpool *pool, const u16 *index, u32 n, gfp_t gfp)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct xenpv_gnt *ent = &pool->ent[index[i]];
		struct page *page;

		if (ent->page)
			continue;
		page = alloc_page(gfp | __GFP_ZERO);
		if (!page)
			return -ENOMEM;
		gnttab_page_grant_foreign_access_ref_one(ent->ref, pool->domid, page, 0);
		ent->page = page;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(xenpv_gntpool_back);

/**
 * xenpv_gntpool_give - give back entries that may or may not have a page
 * @pool: pool; the caller serialises
 * @index: entries the caller took
 * @n: how many
 */
void xenpv_gntpool_give(struct xenpv_gntpool *pool, const u16 *index, u32 n)
{
	/* Backwards, so that what was taken first is taken first again. */
	while (n--) {
		if (pool->ent[index[n]].page)
			WARN_ON_ONCE(xenpv_pool_give(&pool->idx, 1, &index[n]));
		else
			WARN_ON_ONCE(xenpv_pool_give_spare(&pool->idx, 1, &index[n]));
	}
}
EXPORT_SYMBOL_GPL(xenpv_gntpool_give);

/**
 * xenpv_gntpool_destroy - give everything back
 * @pool: pool, initialised or zeroed; no entry is in use any more
 *
 * A page that the peer still maps stays, with its reference, on the kernel's
 * deferred list until the peer lets go (XSA-396). May sleep.
 *
 * Return: how many references that happened to.
 */
u32 xenpv_gntpool_destroy(struct xenpv_gntpool *pool)
{
	u32 i, deferred = 0;

	for (i = 0; i < pool->nr_refs; i++) {
		struct xenpv_gnt *ent = &pool->ent[i];

		if (!ent->page) {
			gnttab_free_grant_reference(ent->ref);
		} else if (gnttab_try_end_foreign_access(ent->ref)) {
			put_page(ent->page);
		} else {
			xenpv_gnttab_retire(ent->ref, ent->page);
			deferred++;
		}
	}
	kvfree(pool->ent);
	xenpv_pool_destroy(&pool->idx);
	memset(pool, 0, sizeof(*pool));
	return deferred;
}
EXPORT_SYMBOL_GPL(xenpv_gntpool_destroy);
