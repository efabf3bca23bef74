// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "balloon/backoff.c"

static void doubles_to_the_limit(struct kunit *test)
{
	static const u32 waits[] = { 1, 2, 4, 8, 16, 32, 32, 32 };
	struct xbal_backoff b = { .max = XBAL_BACKOFF_MAX };
	size_t i;

	xbal_backoff_rearm(&b);
	KUNIT_EXPECT_EQ(test, b.tries, 1);
	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		KUNIT_EXPECT_EQ_MSG(test, xbal_backoff_next(&b), waits[i], "wait %zu", i);
		KUNIT_EXPECT_EQ(test, b.tries, i + 2);
	}
	xbal_backoff_rearm(&b);
	KUNIT_EXPECT_EQ(test, xbal_backoff_next(&b), 1);
}

/* However often it fails: there is a next attempt, within the limit. */
static void never_ends(struct kunit *test)
{
	static const u32 limits[] = { 0, 1, 2, 3, 31, 32, 33, 3600, U32_MAX };
	size_t i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		struct xbal_backoff b = { .max = limits[i] };
		u32 last = 0;

		xbal_backoff_rearm(&b);
		for (n = 0; n < 100; n++) {
			u32 wait = xbal_backoff_next(&b);

			KUNIT_EXPECT_GE(test, wait, max(last, 1u));
			KUNIT_EXPECT_LE(test, wait, max(limits[i], 1u));
			last = wait;
		}
		KUNIT_EXPECT_EQ(test, last, max(limits[i], 1u));
		b.tries = U32_MAX;
		xbal_backoff_next(&b);
		KUNIT_EXPECT_EQ(test, b.tries, U32_MAX);
	}
}

/* Short looks come first, and not again between the waits. */
static void patience_ends(struct kunit *test)
{
	static const u32 waits[] = { 1, 2, 4, 8, 16, 32, 32 };
	struct xbal_backoff b = { .max = XBAL_BACKOFF_MAX };
	size_t i;
	u32 n;

	for (n = 0; n < 2; n++) {
		xbal_backoff_rearm(&b);
		for (i = 0; i < XBAL_BACKOFF_LOOKS; i++)
			KUNIT_EXPECT_TRUE(test, xbal_backoff_look(&b));
		for (i = 0; i < ARRAY_SIZE(waits); i++) {
			KUNIT_EXPECT_FALSE(test, xbal_backoff_look(&b));
			KUNIT_EXPECT_EQ_MSG(test, xbal_backoff_next(&b), waits[i], "wait %zu", i);
		}
	}
}

static void limit_can_change(struct kunit *test)
{
	struct xbal_backoff b = { .max = 32 };
	int i;

	xbal_backoff_rearm(&b);
	for (i = 0; i < 10; i++)
		xbal_backoff_next(&b);
	b.max = 4;
	KUNIT_EXPECT_EQ(test, xbal_backoff_next(&b), 4);
	b.max = 60;
	KUNIT_EXPECT_EQ(test, xbal_backoff_next(&b), 4);
	KUNIT_EXPECT_EQ(test, xbal_backoff_next(&b), 8);
}

static struct kunit_case balloon_backoff_cases[] = {
	KUNIT_CASE(doubles_to_the_limit),
	KUNIT_CASE(never_ends),
	KUNIT_CASE(patience_ends),
	KUNIT_CASE(limit_can_change),
	{}
};

static struct kunit_suite balloon_backoff_suite = {
	.name = "xen-balloon-backoff",
	.test_cases = balloon_backoff_cases,
};

kunit_test_suite(balloon_backoff_suite);
