// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "balloon/spans.c"

#define FIRST	BIT_ULL(20)	/* the frame at 4 GiB */
#define BLOCK	32768u		/* frames of a memory block of 128 MiB */

static struct xbal_spans *make(struct kunit *test)
{
	struct xbal_spans *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

/* As often as it likes, up or down. */
static void grows_on(struct kunit *test)
{
	struct xbal_spans *s = make(test);
	u32 i;

	for (i = 0; i < 10 * XBAL_SPANS_MAX; i++) {
		KUNIT_ASSERT_TRUE(test, xbal_spans_add(s, FIRST + i * BLOCK, BLOCK));
		KUNIT_ASSERT_TRUE(test, xbal_spans_add(s, FIRST - (i + 1) * BLOCK / 32,
						       BLOCK / 32));
	}
	KUNIT_EXPECT_EQ(test, s->nr, 1);
	KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, FIRST + i * BLOCK - 1));
	KUNIT_EXPECT_FALSE(test, xbal_spans_have(s, FIRST + i * BLOCK));
	KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, FIRST - i * BLOCK / 32));
	KUNIT_EXPECT_FALSE(test, xbal_spans_have(s, FIRST - i * BLOCK / 32 - 1));
}

static void has_a_limit(struct kunit *test)
{
	struct xbal_spans *s = make(test);
	u32 i;

	for (i = 0; i < XBAL_SPANS_MAX; i++)
		KUNIT_ASSERT_TRUE(test, xbal_spans_add(s, FIRST + 2 * i * BLOCK, BLOCK));
	KUNIT_EXPECT_FALSE(test, xbal_spans_add(s, FIRST + 2 * i * BLOCK, BLOCK));
	KUNIT_EXPECT_FALSE(test, xbal_spans_have(s, FIRST + 2 * i * BLOCK));
	KUNIT_EXPECT_FALSE(test, xbal_spans_have(s, FIRST + BLOCK));
	/* What fills a gap needs no place. */
	KUNIT_EXPECT_TRUE(test, xbal_spans_add(s, FIRST + BLOCK, BLOCK));
	KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, FIRST + BLOCK));
}

/* Whatever it was merged with: that is there still, and it alone is gone. */
static void is_undone(struct kunit *test)
{
	static const u64 at[] = {
		FIRST + BLOCK, FIRST - BLOCK, FIRST + 2 * BLOCK, FIRST + 8 * BLOCK,
	};
	struct xbal_spans *s = make(test);
	size_t i;

	KUNIT_ASSERT_TRUE(test, xbal_spans_add(s, FIRST, BLOCK));
	KUNIT_ASSERT_TRUE(test, xbal_spans_add(s, FIRST + 3 * BLOCK, BLOCK));
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		KUNIT_ASSERT_TRUE(test, xbal_spans_add(s, at[i], BLOCK));
		KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, at[i]));
		KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, at[i] + BLOCK - 1));
		xbal_spans_undo(s, at[i], BLOCK);
		KUNIT_EXPECT_FALSE_MSG(test, xbal_spans_have(s, at[i]), "row %zu", i);
		KUNIT_EXPECT_FALSE_MSG(test, xbal_spans_have(s, at[i] + BLOCK - 1), "row %zu", i);
		KUNIT_EXPECT_EQ(test, s->nr, 2);
		KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, FIRST));
		KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, FIRST + BLOCK - 1));
		KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, FIRST + 3 * BLOCK));
		KUNIT_EXPECT_TRUE(test, xbal_spans_have(s, FIRST + 4 * BLOCK - 1));
		KUNIT_EXPECT_FALSE(test, xbal_spans_have(s, FIRST + 4 * BLOCK));
	}
}

static struct kunit_case balloon_spans_cases[] = {
	KUNIT_CASE(grows_on),
	KUNIT_CASE(has_a_limit),
	KUNIT_CASE(is_undone),
	{}
};

static struct kunit_suite balloon_spans_suite = {
	.name = "xen-balloon-spans",
	.test_cases = balloon_spans_cases,
};

kunit_test_suite(balloon_spans_suite);
