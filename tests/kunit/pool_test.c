// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "core/pool.c"

static void bounds(struct kunit *test)
{
	struct xenpv_pool pool;

	KUNIT_EXPECT_EQ(test, xenpv_pool_init(&pool, 0, 0, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, xenpv_pool_init(&pool, XENPV_POOL_MAX + 1, 0, GFP_KERNEL), -EINVAL);
	KUNIT_EXPECT_EQ(test, xenpv_pool_init(&pool, 4, 5, GFP_KERNEL), -EINVAL);
	KUNIT_ASSERT_EQ(test, xenpv_pool_init(&pool, XENPV_POOL_MAX, XENPV_POOL_MAX, GFP_KERNEL),
			0);
	KUNIT_EXPECT_EQ(test, pool.avail, XENPV_POOL_MAX);
	xenpv_pool_destroy(&pool);
	/* Twice, and without init, it does nothing. */
	xenpv_pool_destroy(&pool);
}

static void all_or_nothing(struct kunit *test)
{
	struct xenpv_pool pool;
	u16 out[8] = {};
	u32 i;

	KUNIT_ASSERT_EQ(test, xenpv_pool_init(&pool, 6, 6, GFP_KERNEL), 0);
	KUNIT_EXPECT_FALSE(test, xenpv_pool_take(&pool, 7, out));
	KUNIT_EXPECT_EQ(test, pool.avail, 6u);
	KUNIT_EXPECT_TRUE(test, xenpv_pool_take(&pool, 0, out));
	KUNIT_EXPECT_TRUE(test, xenpv_pool_take(&pool, 6, out));
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_EQ(test, out[i], (u16)i);
	KUNIT_EXPECT_FALSE(test, xenpv_pool_take(&pool, 1, out + 6));
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 6, out), 0u);
	KUNIT_EXPECT_EQ(test, pool.avail, 6u);
	xenpv_pool_destroy(&pool);
}

/* What was used last is used next: few pages stay in use under a light load. */
static void lifo(struct kunit *test)
{
	struct xenpv_pool pool;
	u16 first[3], again[3];

	KUNIT_ASSERT_EQ(test, xenpv_pool_init(&pool, 100, 100, GFP_KERNEL), 0);
	KUNIT_ASSERT_TRUE(test, xenpv_pool_take(&pool, 3, first));
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 3, first), 0u);
	KUNIT_ASSERT_TRUE(test, xenpv_pool_take(&pool, 3, again));
	KUNIT_EXPECT_EQ(test, memcmp(first, again, sizeof(first)), 0);
	xenpv_pool_destroy(&pool);
}

static void mistakes_are_refused(struct kunit *test)
{
	static const u16 out_of_range[] = { 4, 5, 0xffff };
	struct xenpv_pool pool;
	u16 out[4];

	KUNIT_ASSERT_EQ(test, xenpv_pool_init(&pool, 4, 4, GFP_KERNEL), 0);
	KUNIT_ASSERT_TRUE(test, xenpv_pool_take(&pool, 2, out));
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 3, out_of_range), 3u);
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 1, out), 0u);
	/* the same once more, by either way */
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 1, out), 1u);
	KUNIT_EXPECT_EQ(test, xenpv_pool_give_spare(&pool, 1, out), 1u);
	/* one that never was out */
	out[0] = 3;
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 1, out), 1u);
	KUNIT_EXPECT_EQ(test, pool.avail, 3u);
	xenpv_pool_destroy(&pool);
}

static void preferred_first(struct kunit *test)
{
	struct xenpv_pool pool;
	u16 out[5];

	KUNIT_ASSERT_EQ(test, xenpv_pool_init(&pool, 5, 2, GFP_KERNEL), 0);
	KUNIT_ASSERT_TRUE(test, xenpv_pool_take(&pool, 3, out));
	KUNIT_EXPECT_EQ(test, out[0], (u16)0);
	KUNIT_EXPECT_EQ(test, out[1], (u16)1);
	KUNIT_EXPECT_EQ(test, out[2], (u16)2);
	KUNIT_EXPECT_EQ(test, pool.avail, 0u);
	KUNIT_EXPECT_EQ(test, pool.spare, 2u);
	/* The third got its page in between, the others lost nothing. */
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 3, out), 0u);
	KUNIT_EXPECT_EQ(test, pool.avail, 3u);
	KUNIT_ASSERT_TRUE(test, xenpv_pool_take(&pool, 5, out));
	KUNIT_EXPECT_EQ(test, xenpv_pool_give_spare(&pool, 2, out + 3), 0u);
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, 3, out), 0u);
	KUNIT_EXPECT_EQ(test, pool.avail, 3u);
	KUNIT_EXPECT_EQ(test, pool.spare, 2u);
	xenpv_pool_destroy(&pool);
}

/* Whatever the order of taking and giving, every index is in one place. */
static void no_index_is_lost(struct kunit *test)
{
	enum { NR = 37, ROUNDS = 20000 };
	struct xenpv_pool pool;
	u16 held[NR];
	u32 nr_held = 0, i, seed = 12345;

	KUNIT_ASSERT_EQ(test, xenpv_pool_init(&pool, NR, 5, GFP_KERNEL), 0);
	for (i = 0; i < ROUNDS; i++) {
		u32 n;

		seed = seed * 1103515245 + 12345;
		n = (seed >> 16) % 8;
		if (seed & 0x1000) {
			bool ok = xenpv_pool_take(&pool, n, held + nr_held);

			KUNIT_EXPECT_EQ(test, ok, n <= NR - nr_held);
			if (ok)
				nr_held += n;
		} else {
			n = min(n, nr_held);
			nr_held -= n;
			if (seed & 0x2000)
				KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, n, held + nr_held),
						0u);
			else
				KUNIT_EXPECT_EQ(test,
						xenpv_pool_give_spare(&pool, n, held + nr_held),
						0u);
		}
		KUNIT_EXPECT_EQ(test, pool.avail + pool.spare + nr_held, (u32)NR);
		KUNIT_EXPECT_EQ(test, bitmap_weight(pool.taken, NR), nr_held);
	}
	KUNIT_EXPECT_EQ(test, xenpv_pool_give(&pool, nr_held, held), 0u);
	xenpv_pool_destroy(&pool);
}

static struct kunit_case pool_cases[] = {
	KUNIT_CASE(bounds),
	KUNIT_CASE(all_or_nothing),
	KUNIT_CASE(lifo),
	KUNIT_CASE(mistakes_are_refused),
	KUNIT_CASE(preferred_first),
	KUNIT_CASE(no_index_is_lost),
	{}
};

static struct kunit_suite pool_suite = {
	.name = "xenpv-pool",
	.test_cases = pool_cases,
};

kunit_test_suite(pool_suite);
