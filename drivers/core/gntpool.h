/* SPDX-License-Identifier: GPL-2.0-only */
/* A private pool of grant references, with or without pages of their own. */
#ifndef XENPV_GNTPOOL_H
#define XENPV_GNTPOOL_H

#include <xen/grant_table.h>

#include "pool.h"

struct page;

/**
 * struct xenpv_gnt - one reference of a pool
 * @ref: reference; ours from init to destroy
 * @page: page granted for good to the peer, or NULL
 */
struct xenpv_gnt {
	grant_ref_t ref;
	struct page *page;
};

/**
 * struct xenpv_gntpool - grant references taken from the kernel once
 *
 * In a pool whose entries get pages of their own, the entries that have one
 * are the preferred ones of @idx and the others its spare ones, so that an
 * idle pool can always serve as many as have been given a page.
 *
 * @idx: which entries are free; guarded by the caller's lock
 * @ent: @idx.nr entries; an entry belongs to whoever took its index
 * @nr_refs: entries that hold a reference (less than idx.nr only during init)
 * @domid: the peer
 */
struct xenpv_gntpool {
	struct xenpv_pool idx;
	struct xenpv_gnt *ent;
	u32 nr_refs;
	domid_t domid;
};

int xenpv_gntpool_init(struct xenpv_gntpool *pool, u32 nr, domid_t domid, gfp_t gfp);
int xenpv_gntpool_init_pages(struct xenpv_gntpool *pool, u32 nr, u32 reserve, domid_t domid,
			     gfp_t gfp);
int xenpv_gntpool_back(struct xenpv_gntpool *pool, const u16 *index, u32 n, gfp_t gfp);
void xenpv_gntpool_give(struct xenpv_gntpool *pool, const u16 *index, u32 n);
u32 xenpv_gntpool_destroy(struct xenpv_gntpool *pool);

/**
 * xenpv_gntpool_grant - let the peer use a page through an entry, lock-free
 * @pool: pool
 * @index: entry the caller took
 * @page: page; must stay until the grant is revoked
 * @readonly: the peer may only read
 *
 * Return: the reference to tell the peer.
 */
static inline grant_ref_t xenpv_gntpool_grant(struct xenpv_gntpool *pool, u16 index,
					      struct page *page, bool readonly)
{
	grant_ref_t ref = pool->ent[index].ref;

	gnttab_page_grant_foreign_access_ref_one(ref, pool->domid, page, readonly);
	return ref;
}

#endif /* XENPV_GNTPOOL_H */
