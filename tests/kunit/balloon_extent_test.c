// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "balloon/extent.c"

#define GB_PAGES (1ull << (30 - 12))

static void take_amounts(struct kunit *test)
{
	static const struct {
		u64 want;
		u32 batch, blocks, pages;
	} t[] = {
		{ 0, 32, 0, 0 },
		{ 1, 32, 0, 1 },
		{ 511, 32, 0, 511 },
		{ 512, 32, 1, 0 },
		{ 513, 32, 1, 0 },
		{ 1023, 32, 1, 0 },
		{ 32 * 512, 32, 32, 0 },
		{ 33 * 512, 32, 32, 0 },
		{ 256 * GB_PAGES, 256, 256, 0 },
		{ U64_MAX, 1, 1, 0 },
		/* PV: single pages only */
		{ 512, 0, 0, 512 },
		{ 256 * GB_PAGES, 0, 0, 512 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct xbal_move m = xbal_take_move(t[i].want, t[i].batch);

		KUNIT_EXPECT_EQ_MSG(test, m.blocks, t[i].blocks, "row %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, m.pages, t[i].pages, "row %zu", i);
		KUNIT_EXPECT_FALSE(test, m.split);
	}
}

static void give_amounts(struct kunit *test)
{
	static const struct {
		u64 want, have_blocks, have_singles;
		u32 batch, blocks, pages;
		bool split;
	} t[] = {
		{ 0, 5, 5, 32, 0, 0, false },
		{ 512, 0, 0, 32, 0, 0, false },
		/* blocks before singles, and never more than there are */
		{ 2048, 3, 600, 32, 3, 0, false },
		{ 2048, 100, 600, 2, 2, 0, false },
		{ 2048, 0, 600, 32, 0, 512, false },
		{ 2048, 0, 6, 32, 0, 6, false },
		/* less than a block: singles, or a block is broken */
		{ 511, 3, 600, 32, 0, 511, false },
		{ 511, 3, 10, 32, 0, 10, false },
		{ 511, 3, 0, 32, 0, 511, true },
		{ 1, 1, 0, 32, 0, 1, true },
		{ 256 * GB_PAGES, 131072, 0, 256, 256, 0, false },
		{ U64_MAX, U64_MAX, 0, 256, 256, 0, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct xbal_move m = xbal_give_move(t[i].want, t[i].have_blocks, t[i].have_singles,
						    t[i].batch);

		KUNIT_EXPECT_EQ_MSG(test, m.blocks, t[i].blocks, "row %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, m.pages, t[i].pages, "row %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, m.split, t[i].split, "row %zu", i);
	}
}

/* Xen gave no block: one is broken only when no single page is left. */
static void give_small_amounts(struct kunit *test)
{
	static const struct {
		u64 want, have_blocks, have_singles;
		u32 pages;
		bool split;
	} t[] = {
		{ 2048, 3, 600, 512, false },
		{ 2048, 3, 512, 512, false },
		{ 2048, 3, 1, 1, false },
		{ 2048, 3, 0, 512, true },
		{ 512, 1, 0, 512, true },
		{ 2048, 0, 0, 0, false },
		{ 0, 3, 0, 0, false },
		{ U64_MAX, U64_MAX, 0, 512, true },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct xbal_move m = xbal_give_small(t[i].want, t[i].have_blocks,
						     t[i].have_singles);

		KUNIT_EXPECT_EQ_MSG(test, m.blocks, 0, "row %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, m.pages, t[i].pages, "row %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, m.split, t[i].split, "row %zu", i);
	}
}

/* All of an amount goes out in moves and comes back in moves, and nothing is left. */
static void out_and_back(struct kunit *test)
{
	static const u64 amounts[] = {
		1, 511, 512, 513, 24576, GB_PAGES + 1, 16 * GB_PAGES - 3,
		256 * GB_PAGES + 777,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(amounts); i++) {
		u64 left = amounts[i], blocks = 0, singles = 0, calls = 0;

		while (left) {
			struct xbal_move m = xbal_take_move(left, 32);

			KUNIT_ASSERT_TRUE(test, m.blocks || m.pages);
			left -= m.blocks * XBAL_BLOCK_PAGES + m.pages;
			blocks += m.blocks;
			singles += m.pages;
			calls++;
		}
		KUNIT_EXPECT_EQ(test, singles, amounts[i] % 512);
		/* A thirty-second of what single pages would take, or a little more. */
		KUNIT_EXPECT_LE(test, calls, amounts[i] / 512 / 32 + 2);
		for (left = amounts[i]; left;) {
			struct xbal_move m = xbal_give_move(left, blocks, singles, 32);

			KUNIT_ASSERT_TRUE(test, m.blocks || m.pages);
			KUNIT_EXPECT_FALSE(test, m.split);
			left -= m.blocks * XBAL_BLOCK_PAGES + m.pages;
			blocks -= m.blocks;
			singles -= m.pages;
		}
		KUNIT_EXPECT_EQ(test, blocks, 0);
		KUNIT_EXPECT_EQ(test, singles, 0);
	}
}

static void partial_results(struct kunit *test)
{
	static const struct {
		u32 order, asked;
		long rc;
		u64 before, after;
		u32 whole, loose;
		bool unsure;
	} t[] = {
		{ 9, 4, 4, 10000, 0, 4, 0, false },		/* all: not looked at */
		{ 9, 4, 99, 10000, 10000, 4, 0, false },	/* more than asked */
		{ 9, 4, 0, 10000, 10000, 0, 0, false },
		{ 9, 4, 2, 10000, 8976, 2, 0, false },
		{ 9, 4, 2, 10000, 8975, 2, 1, false },		/* one page into the third */
		{ 9, 4, 2, 10000, 8976 - 511, 2, 511, false },
		{ 9, 4, 2, 10000, 8976 - 512, 2, 0, true },	/* a block more than it said */
		{ 9, 4, 2, 10000, 10000, 2, 0, true },		/* promised memory: no change */
		{ 9, 4, 2, 10000, 10001, 2, 0, true },		/* it grew meanwhile */
		{ 9, 4, -22, 10000, 10000, 0, 0, false },
		{ 9, 4, -22, 10000, 9990, 0, 10, false },
		{ 9, 4, LONG_MIN, 0, U64_MAX, 0, 0, true },
		{ 0, 512, 100, 10000, 5, 100, 0, false },	/* single pages are never partial */
		{ 0, 512, -1, 10000, 10000, 0, 0, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct xbal_done d = xbal_released(t[i].order, t[i].asked, t[i].rc, t[i].before,
						   t[i].after);

		KUNIT_EXPECT_EQ_MSG(test, d.whole, t[i].whole, "row %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, d.loose, t[i].loose, "row %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, d.unsure, t[i].unsure, "row %zu", i);
	}
}

/* Any range is cut into aligned blocks with single pages at its edges only. */
static void carve(struct kunit *test)
{
	u64 start, nr;

	for (start = 0; start < 1030; start += 103) {
		for (nr = 0; nr < 3000; nr += 37) {
			u64 pfn = start, left = nr, blocks = 0, pieces = 0;

			while (left) {
				u32 n = xbal_carve(pfn, left);

				KUNIT_ASSERT_GT(test, n, 0);
				KUNIT_ASSERT_LE(test, n, left);
				if (n == XBAL_BLOCK_PAGES) {
					KUNIT_EXPECT_EQ(test, pfn % XBAL_BLOCK_PAGES, 0);
					blocks++;
				}
				pfn += n;
				left -= n;
				pieces++;
			}
			KUNIT_EXPECT_LE(test, pieces, blocks + 2);
		}
	}
	KUNIT_EXPECT_EQ(test, xbal_carve(0, 0), 0);
	KUNIT_EXPECT_EQ(test, xbal_carve(7, 0), 0);
	KUNIT_EXPECT_EQ(test, xbal_carve(1ull << 40, U64_MAX), XBAL_BLOCK_PAGES);
}

static struct kunit_case balloon_extent_cases[] = {
	KUNIT_CASE(take_amounts),
	KUNIT_CASE(give_amounts),
	KUNIT_CASE(give_small_amounts),
	KUNIT_CASE(out_and_back),
	KUNIT_CASE(partial_results),
	KUNIT_CASE(carve),
	{}
};

static struct kunit_suite balloon_extent_suite = {
	.name = "xen-balloon-extent",
	.test_cases = balloon_extent_cases,
};

kunit_test_suite(balloon_extent_suite);
