/* SPDX-License-Identifier: GPL-2.0-only */
/* How an amount of memory is made up of 2 MiB blocks and single pages. Pure. */
#ifndef XBAL_EXTENT_H
#define XBAL_EXTENT_H

#include <linux/bits.h>
#include <linux/types.h>

/* The largest extent that Xen lets a guest name (its domu_max_order). */
#define XBAL_BLOCK_ORDER	9
#define XBAL_BLOCK_PAGES	BIT(XBAL_BLOCK_ORDER)

/* Single pages handled in one hypercall: as many as a block has. */
#define XBAL_SINGLES		XBAL_BLOCK_PAGES

/**
 * struct xbal_move - what one hypercall moves
 * @blocks: blocks of %XBAL_BLOCK_PAGES, or 0
 * @pages: single pages, or 0; never both
 * @split: a parked block is to be broken up first
 */
struct xbal_move {
	u32 blocks;
	u32 pages;
	bool split;
};

/**
 * struct xbal_done - what came of a hypercall that may have ended early
 * @whole: extents from the start of the list that are done
 * @loose: pages of the next extent, from its start, that are done as well
 * @unsure: the next extent is in an unknown state and must be left alone
 */
struct xbal_done {
	u32 whole;
	u32 loose;
	bool unsure;
};

struct xbal_move xbal_take_move(u64 want, u32 batch);
struct xbal_move xbal_give_move(u64 want, u64 blocks, u64 singles, u32 batch);
struct xbal_move xbal_give_small(u64 want, u64 blocks, u64 singles);
struct xbal_done xbal_released(u32 order, u32 asked, long rc, u64 before, u64 after);
u32 xbal_carve(u64 pfn, u64 nr);

#endif /* XBAL_EXTENT_H */
