// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves memory between the guest and Xen. A page in the balloon is parked: it is
 * allocated, marked offline, and nothing is behind it. Parked pages are kept as
 * blocks of 2 MiB as long as possible, so that Xen can back each with one large
 * page when it comes back.
 */
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "../core/compat.h"
#include "balloon.h"
#include "books.h"
#include "extent.h"
#include "hyper.h"

/* Asking for memory must not make the guest suffer: no OOM killer, no reserves. */
#define GFP_SINGLE	(GFP_HIGHUSER | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC)
/* A block that is free already, without moving other pages for it. */
#define GFP_BLOCK	(GFP_SINGLE & ~__GFP_RECLAIM)

/* All of it is guarded by xbal_lock. */
static struct {
	struct list_head blocks;	/* by the lru of the first page */
	struct list_head singles;	/* by the lru of each page */
	u64 nr_blocks;
	u64 nr_singles;
	u64 nr_lost;			/* pages in an unknown state, never to be used */
	u64 fallbacks;			/* times that no free block was found */
	u64 drift;			/* pages that Xen's figure differed by, in all */
	bool can_grow;
	struct xbal_books books;
	struct xbal_calls calls;
	struct page *pages[XBAL_SINGLES];
	xen_pfn_t frames[XBAL_SINGLES];
} engine = {
	.blocks = LIST_HEAD_INIT(engine.blocks),
	.singles = LIST_HEAD_INIT(engine.singles),
};

static u64 current_reservation(void)
{
	long pages = xbal_reservation();

	/* It never fails for DOMID_SELF; should it, the accounts stay as they are. */
	return pages > 0 ? pages : xbal_books_owned(&engine.books) + engine.books.special;
}

/* The page leaves the guest's books; nobody uses it. */
static void take_out(struct page *page)
{
	if (xbal_scrub())
		clear_highpage(page);
	adjust_managed_page_count(page, -1);
	if (!PageOffline(page))
		__SetPageOffline(page);
}

/* The page is memory of the guest, free to be used. */
static void put_in(struct page *page)
{
	__ClearPageOffline(page);
	/* Pages that were added to the machine have not been in use before. */
	ClearPageReserved(page);
	init_page_count(page);
	adjust_managed_page_count(page, 1);
	__free_page(page);
}

static void park_single(struct page *page)
{
	list_add(&page->lru, &engine.singles);
	engine.nr_singles++;
}

static void park_block(struct page *page)
{
	list_add(&page->lru, &engine.blocks);
	engine.nr_blocks++;
}

static struct page *unpark_single(void)
{
	struct page *page = list_first_entry(&engine.singles, struct page, lru);

	list_del(&page->lru);
	engine.nr_singles--;
	return page;
}

static struct page *unpark_block(void)
{
	struct page *page = list_first_entry(&engine.blocks, struct page, lru);

	list_del(&page->lru);
	engine.nr_blocks--;
	return page;
}

static void break_block(void)
{
	struct page *page = unpark_block();
	u32 i;

	for (i = XBAL_BLOCK_PAGES; i-- > 0;)
		park_single(nth_page(page, i));
}

/* Find blocks that are free; one is worth some compaction. Returns how many. */
static u32 alloc_blocks(u32 want)
{
	struct page *page;
	u32 n, i;

	for (n = 0; n < want; n++) {
		page = alloc_pages(GFP_BLOCK, XBAL_BLOCK_ORDER);
		if (!page && !n)
			page = alloc_pages(GFP_SINGLE, XBAL_BLOCK_ORDER);
		if (!page)
			break;
		split_page(page, XBAL_BLOCK_ORDER);
		for (i = 0; i < XBAL_BLOCK_PAGES; i++)
			take_out(nth_page(page, i));
		engine.pages[n] = page;
		engine.frames[n] = page_to_pfn(page);
		cond_resched();
	}
	return n;
}

/* Xen stopped inside of this block: what is gone is parked, the rest returns. */
static u64 settle_block(struct page *page, const struct xbal_done *done)
{
	u32 i;

	if (done->unsure) {
		pr_err("xen-balloon: Xen released a part of a block at frame %lx, not known which; it stays unused\n",
		       page_to_pfn(page));
		engine.nr_lost += XBAL_BLOCK_PAGES;
		engine.books.ram -= min_t(u64, engine.books.ram - engine.books.parked,
					  XBAL_BLOCK_PAGES);
		return 0;
	}
	for (i = 0; i < XBAL_BLOCK_PAGES; i++) {
		if (i < done->loose)
			park_single(nth_page(page, i));
		else
			put_in(nth_page(page, i));
	}
	return done->loose;
}

/* Returns the pages that Xen has got. */
static u64 take_blocks(u32 want, enum xbal_reason *why)
{
	u32 n = alloc_blocks(want), i, k;
	struct xbal_done done;
	u64 before, moved = 0;
	long rc;

	if (!n)
		return 0;
	before = current_reservation();
	rc = xbal_decrease(&engine.calls, engine.frames, n, XBAL_BLOCK_ORDER);
	done = xbal_released(XBAL_BLOCK_ORDER, n, rc, before,
			     rc == n ? 0 : current_reservation());
	for (i = 0; i < n; i++) {
		if (i < done.whole) {
			park_block(engine.pages[i]);
			moved += XBAL_BLOCK_PAGES;
		} else if (i == done.whole && (done.loose || done.unsure)) {
			moved += settle_block(engine.pages[i], &done);
		} else {
			for (k = 0; k < XBAL_BLOCK_PAGES; k++)
				put_in(nth_page(engine.pages[i], k));
		}
	}
	if (done.whole < n)
		*why = XBAL_REFUSED;
	return moved;
}

/* Returns the pages that Xen has got. */
static u64 take_singles(u32 want, enum xbal_reason *why)
{
	u32 n, i, done;
	long rc;

	for (n = 0; n < want; n++) {
		struct page *page = alloc_page(GFP_SINGLE);

		if (!page) {
			*why = XBAL_NO_MEMORY;
			break;
		}
		take_out(page);
		engine.pages[n] = page;
	}
	if (!n)
		return 0;
	for (i = 0; i < n; i++)
		engine.frames[i] = xbal_detach_page(engine.pages[i]);
	xbal_detached();

	rc = xbal_decrease(&engine.calls, engine.frames, n, 0);
	done = max(rc, 0l);
	for (i = 0; i < n; i++) {
		if (i < done) {
			park_single(engine.pages[i]);
		} else {
			xbal_attach_page(engine.pages[i], engine.frames[i]);
			put_in(engine.pages[i]);
		}
	}
	if (done < n)
		*why = XBAL_REFUSED;
	return done;
}

/* Returns the pages that Xen gave. */
static u64 give_blocks(u32 want)
{
	struct page *page;
	u32 n = 0, i, k;
	long rc;

	list_for_each_entry(page, &engine.blocks, lru) {
		if (n == want)
			break;
		engine.frames[n++] = page_to_pfn(page);
	}
	rc = xbal_populate(&engine.calls, engine.frames, n, XBAL_BLOCK_ORDER);
	for (i = 0; (long)i < rc; i++) {
		page = unpark_block();
		for (k = 0; k < XBAL_BLOCK_PAGES; k++)
			put_in(nth_page(page, k));
		cond_resched();
	}
	return (u64)i << XBAL_BLOCK_ORDER;
}

/* Returns the pages that Xen gave. */
static u64 give_singles(u32 want)
{
	struct page *page;
	u32 n = 0, i;
	long rc;

	list_for_each_entry(page, &engine.singles, lru) {
		if (n == want)
			break;
		engine.frames[n++] = page_to_pfn(page);
	}
	rc = xbal_populate(&engine.calls, engine.frames, n, 0);
	for (i = 0; (long)i < rc; i++) {
		page = unpark_single();
		xbal_attach_page(page, engine.frames[i]);
		put_in(page);
	}
	return i;
}

static u64 take(u64 want, enum xbal_reason *why)
{
	struct xbal_move move = xbal_take_move(want, xbal_translated() ? xbal_batch() : 0);
	u64 moved = 0;

	if (move.blocks) {
		moved = take_blocks(move.blocks, why);
		if (!moved && *why == XBAL_FINE) {
			engine.fallbacks++;
			move.pages = XBAL_SINGLES;
		}
	}
	if (move.pages)
		moved = take_singles(move.pages, why);
	if (moved)
		xbal_books_park(&engine.books, moved,
				engine.books.promised ? current_reservation() : 0);
	return moved;
}

static u64 give(u64 want, enum xbal_reason *why)
{
	struct xbal_move move = xbal_give_move(want, engine.nr_blocks, engine.nr_singles,
					       xbal_batch());
	u64 moved = 0;

	if (move.blocks) {
		moved = give_blocks(move.blocks);
		/* No large page is left in Xen, or our limit is inside of this block. */
		if (!moved)
			move = xbal_give_small(want, engine.nr_blocks, engine.nr_singles);
	}
	if (move.split)
		break_block();
	if (move.pages)
		moved = give_singles(move.pages);
	if (!moved)
		*why = XBAL_REFUSED;
	xbal_books_return(&engine.books, moved);
	return moved;
}

static int engine_open(const struct xbal_orders *orders)
{
	long reservation = xbal_reservation();

	if (reservation <= 0)
		return reservation ? reservation : -EIO;
	xbal_books_open(&engine.books, xbal_translated(), orders->static_max, orders->target,
			reservation);
	if (engine.books.promised)
		pr_info("xen-balloon: %llu KiB are not there yet, releasing as much\n",
			XBAL_PAGES_TO_KB(engine.books.promised));
	return 0;
}

static s64 engine_step(s64 pages, enum xbal_reason *why)
{
	*why = XBAL_FINE;
	return pages < 0 ? -(s64)take(-pages, why) : (s64)give(pages, why);
}

static u64 engine_rescue(u64 pages)
{
	u64 want = min_t(u64, pages, engine.books.parked), moved = 0, n;
	enum xbal_reason why = XBAL_FINE;

	while (moved < want && why == XBAL_FINE) {
		n = give(want - moved, &why);
		moved += n;
	}
	return moved;
}

static void engine_look(struct xbal_view *v)
{
	s64 drift = xbal_books_check(&engine.books, current_reservation());

	if (drift) {
		engine.drift += abs(drift);
		pr_debug("xen-balloon: Xen counts %lld pages more than expected\n", drift);
	}
	v->ram = engine.books.ram;
	v->owned = xbal_books_owned(&engine.books);
	v->growable = engine.can_grow;
	/* What is only promised has to go, or Xen ends the guest when it runs out. */
	if (engine.books.promised) {
		v->floor = 0;
		v->hold = 0;
	}
}

static u64 engine_parked(u64 *blocks)
{
	*blocks = engine.nr_blocks;
	return engine.books.parked;
}

static void engine_show(struct seq_file *m)
{
	const struct xbal_calls *c = &engine.calls;

	seq_printf(m, "decrease_hypercalls %llu\n", c->decrease);
	seq_printf(m, "populate_hypercalls %llu\n", c->populate);
	seq_printf(m, "pages_out %llu\n", c->pages_out);
	seq_printf(m, "pages_in %llu\n", c->pages_in);
	seq_printf(m, "blocks_out %llu\n", c->blocks_out);
	seq_printf(m, "blocks_in %llu\n", c->blocks_in);
	seq_printf(m, "partial_hypercalls %llu\n", c->partial);
	seq_printf(m, "refused_hypercalls %llu\n", c->refused);
	seq_printf(m, "no_free_block %llu\n", engine.fallbacks);
	seq_printf(m, "blocks_parked %llu\n", engine.nr_blocks);
	seq_printf(m, "singles_parked %llu\n", engine.nr_singles);
	seq_printf(m, "pages_lost %llu\n", engine.nr_lost);
	seq_printf(m, "pages_promised %llu\n", engine.books.promised);
	seq_printf(m, "pages_special %lld\n", engine.books.special);
	seq_printf(m, "pages_drift %llu\n", engine.drift);
}

static const struct xbal_ops engine_ops = {
	.mode = "engine",
	.open = engine_open,
	.look = engine_look,
	.step = engine_step,
	.rescue = engine_rescue,
	.grow = xbal_hotplug_add,
	.parked = engine_parked,
	.show = engine_show,
};

/**
 * xbal_engine_adopt - RAM was added to the machine, with nothing behind it
 * @pfn: first frame
 * @nr: frames
 *
 * The caller holds xbal_lock.
 */
void xbal_engine_adopt(u64 pfn, u64 nr)
{
	u32 piece, i;

	xbal_books_added(&engine.books, nr);
	for (; nr; pfn += piece, nr -= piece) {
		piece = xbal_carve(pfn, nr);
		for (i = 0; i < piece; i++) {
			struct page *page = pfn_to_page(pfn + i);

			if (!PageOffline(page))
				__SetPageOffline(page);
			if (piece < XBAL_BLOCK_PAGES)
				park_single(page);
		}
		if (piece == XBAL_BLOCK_PAGES)
			park_block(pfn_to_page(pfn));
	}
}

/**
 * xbal_engine_init - take charge of the guest's memory
 *
 * Nobody else may balloon. There is no way back after open(): parked pages cannot
 * be left alone.
 *
 * Return: the engine's operations or an error pointer.
 */
const struct xbal_ops *xbal_engine_init(void)
{
	long reservation = xbal_reservation();

	if (reservation <= 0) {
		pr_err("xen-balloon: Xen does not say how much memory the guest has: %ld\n",
		       reservation);
		return ERR_PTR(reservation ? reservation : -EIO);
	}
	/* A PV guest would have to clear its map of the new range first. */
	engine.can_grow = xbal_translated() && !xbal_hotplug_init();
	return &engine_ops;
}

/** xbal_engine_exit - undo xbal_engine_init() */
void xbal_engine_exit(void)
{
	if (engine.can_grow)
		xbal_hotplug_exit();
}
