// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include <linux/math64.h>
#include "ptp/bracket.c"

#define NOW	1764374400000000000ll	/* nanoseconds of the epoch, late in 2025 */

static const struct xptp_bracket usual = {
	.device = NOW + 5000, .real_before = NOW, .real_after = NOW + 300,
	.raw_before = 1000, .raw_after = 1300,
};

static void takes_the_middle(struct kunit *test)
{
	struct xptp_cross best = { .error = -1 };

	KUNIT_ASSERT_TRUE(test, xptp_bracket_better(&usual, &best));
	KUNIT_EXPECT_EQ(test, best.device, NOW + 5000);
	KUNIT_EXPECT_EQ(test, best.real, NOW + 150);
	KUNIT_EXPECT_EQ(test, best.raw, 1150);
	KUNIT_EXPECT_EQ(test, best.error, 150);
}

static void takes_the_closest(struct kunit *test)
{
	struct xptp_cross best = { .error = -1 };
	struct xptp_bracket b = usual;

	xptp_bracket_better(&b, &best);
	KUNIT_EXPECT_FALSE(test, xptp_bracket_better(&b, &best));	/* no better */
	b.raw_after += 100;
	b.real_after += 100;
	KUNIT_EXPECT_FALSE(test, xptp_bracket_better(&b, &best));
	b.raw_after -= 200;
	b.real_after -= 200;
	b.device++;
	KUNIT_EXPECT_TRUE(test, xptp_bracket_better(&b, &best));
	KUNIT_EXPECT_EQ(test, best.device, NOW + 5001);
	KUNIT_EXPECT_EQ(test, best.error, 100);
}

static void refuses_disturbed_ones(struct kunit *test)
{
	static const struct xptp_bracket bad[] = {
		/* the CPU was away */
		{ NOW, NOW, NOW + 2000000, 1000, 2001000 },
		/* the clock was set back, forth */
		{ NOW, NOW, NOW - 1, 1000, 1300 },
		{ NOW, NOW, NOW + 5000000000ll, 1000, 1300 },
		{ NOW, NOW, NOW + 400, 1000, 1300 },
		{ NOW, NOW, NOW + 200, 1000, 1300 },
		/* nonsense */
		{ NOW, NOW, NOW + 300, 1300, 1000 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct xptp_cross best = { .error = -1 };

		KUNIT_EXPECT_FALSE_MSG(test, xptp_bracket_better(&bad[i], &best), "row %zu", i);
		KUNIT_EXPECT_EQ(test, best.error, -1);
	}
}

/* ntpd slews the clock by half a thousandth, chrony by 83333, the kernel by 100000 ppm. */
static void bears_slewing(struct kunit *test)
{
	static const s64 ppm[] = { 500, -500, 83333, -83333, 100000, -100000, 100500, -100500 };
	static const s64 spans[] = { 100, 300, 1000, 1000000 };
	struct xptp_cross best = { .error = -1 };
	struct xptp_bracket b;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(ppm); i++) {
		for (k = 0; k < ARRAY_SIZE(spans); k++) {
			b = (struct xptp_bracket){ NOW, NOW, NOW + spans[k], 0, spans[k] };
			b.real_after += div_s64(spans[k] * ppm[i], 1000000);
			best.error = -1;
			KUNIT_EXPECT_TRUE_MSG(test, xptp_bracket_better(&b, &best),
					      "%lld ppm, %lld ns", ppm[i], spans[k]);
		}
	}
	/* Twice as fast is none. */
	b = (struct xptp_bracket){ NOW, NOW, NOW + 1200000, 0, 1000000 };
	best.error = -1;
	KUNIT_EXPECT_FALSE(test, xptp_bracket_better(&b, &best));
	b.real_after -= 400000;
	KUNIT_EXPECT_FALSE(test, xptp_bracket_better(&b, &best));
	/* A clock too coarse to see the reading at all */
	b = (struct xptp_bracket){ NOW, NOW, NOW, 7, 7 };
	KUNIT_EXPECT_TRUE(test, xptp_bracket_better(&b, &best));
	KUNIT_EXPECT_EQ(test, best.error, 0);
}

static struct kunit_case ptp_bracket_cases[] = {
	KUNIT_CASE(takes_the_middle),
	KUNIT_CASE(takes_the_closest),
	KUNIT_CASE(refuses_disturbed_ones),
	KUNIT_CASE(bears_slewing),
	{}
};

static struct kunit_suite ptp_bracket_suite = {
	.name = "xen-ptp-bracket",
	.test_cases = ptp_bracket_cases,
};

kunit_test_suite(ptp_bracket_suite);
