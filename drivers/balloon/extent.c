// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "extent.h"

/**
 * xbal_take_move - what to hand to Xen next
 * @want: pages to hand over in all
 * @batch: blocks in one hypercall at most; 0 for none
 *
 * Blocks as long as a whole one is wanted, the rest in single pages.
 *
 * Return: the move, of nothing when @want is 0.
 */
struct xbal_move xbal_take_move(u64 want, u32 batch)
{
	struct xbal_move move = { 0 };

	if (batch && want >= XBAL_BLOCK_PAGES)
		move.blocks = min_t(u64, want >> XBAL_BLOCK_ORDER, batch);
	else
		move.pages = min_t(u64, want, XBAL_SINGLES);
	return move;
}

/**
 * xbal_give_move - what to get back from Xen next
 * @want: pages to get in all
 * @blocks: blocks that are parked
 * @singles: single pages that are parked
 * @batch: blocks in one hypercall at most, at least 1
 *
 * Whole blocks first, since Xen may back each with one page of 2 MiB; then
 * single pages; a block is broken only when nothing else is left.
 *
 * Return: the move, of nothing when @want is 0 or nothing is parked.
 */
struct xbal_move xbal_give_move(u64 want, u64 blocks, u64 singles, u32 batch)
{
	struct xbal_move move = { 0 };

	if (want < XBAL_BLOCK_PAGES || !blocks)
		return xbal_give_small(want, blocks, singles);
	move.blocks = min3(want >> XBAL_BLOCK_ORDER, blocks, (u64)batch);
	return move;
}

/**
 * xbal_give_small - what to get back from Xen when it gives no whole block
 * @want: pages to get in all
 * @blocks: blocks that are parked
 * @singles: single pages that are parked
 *
 * Return: the move, as of xbal_give_move().
 */
struct xbal_move xbal_give_small(u64 want, u64 blocks, u64 singles)
{
	struct xbal_move move = { 0 };

	if (singles) {
		move.pages = min3(want, singles, (u64)XBAL_SINGLES);
	} else if (want && blocks) {
		move.split = true;
		move.pages = min_t(u64, want, XBAL_SINGLES);
	}
	return move;
}

/**
 * xbal_released - which extents of a list Xen has released
 * @order: log2 of the pages of an extent
 * @asked: extents in the list
 * @rc: what XENMEM_decrease_reservation returned: extents done, or a negative
 *	errno, with which none is
 * @before: reservation in pages before the call
 * @after: reservation after it
 *
 * Xen works through an extent page by page, from its start, and may stop in
 * the middle of one, which @rc does not show. The difference of the two
 * reservations does, unless something else changed it meanwhile or memory is
 * populated on demand (then a page that never had been touched is released
 * without a change).
 *
 * Return: how far it came. @rc may be anything.
 */
struct xbal_done xbal_released(u32 order, u32 asked, long rc, u64 before, u64 after)
{
	u32 whole = rc < 0 ? 0 : min_t(u64, rc, asked);
	struct xbal_done done = { .whole = whole };
	u64 gone;

	if (whole == asked || !order)
		return done;
	gone = before > after ? before - after : 0;
	if (before < after || gone >> order != whole) {
		done.unsure = true;
		return done;
	}
	done.loose = gone & ((1ul << order) - 1);
	return done;
}

/**
 * xbal_carve - length of the first piece of a range of frames
 * @pfn: first frame
 * @nr: frames in the range
 *
 * Return: %XBAL_BLOCK_PAGES when the range begins with an aligned block, else
 * the number of single pages until it does or ends; 0 for an empty range.
 */
u32 xbal_carve(u64 pfn, u64 nr)
{
	u64 off = pfn & (XBAL_BLOCK_PAGES - 1);

	if (!off && nr >= XBAL_BLOCK_PAGES)
		return XBAL_BLOCK_PAGES;
	return min_t(u64, XBAL_BLOCK_PAGES - off, nr);
}
