// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "balloon/policy.c"

#define MB(n) ((u64)(n) << (20 - PAGE_SHIFT))
#define GB(n) ((u64)(n) << (30 - PAGE_SHIFT))

static void floors(struct kunit *test)
{
	static const struct {
		u64 mb, floor;
	} t[] = {
		{ 16, 16 }, { 40, 40 }, { 64, 48 }, { 128, 64 }, { 256, 96 }, { 512, 160 },
		{ 1024, 224 }, { 2048, 352 }, { 4096, 608 }, { 8192, 736 }, { 65536, 2528 },
		{ 262144, 8672 },
	};
	u64 mb, last = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		KUNIT_EXPECT_EQ_MSG(test, xbal_floor(MB(t[i].mb), 0), MB(t[i].floor), "%llu MiB",
				    t[i].mb);
	/* More memory, no lower floor; never all of it from 64 MiB on. */
	for (mb = 1; mb < 262144; mb += mb < 8192 ? 1 : 509) {
		u64 floor = xbal_floor(MB(mb), 0);

		KUNIT_ASSERT_GE(test, floor, last);
		KUNIT_ASSERT_LE(test, floor, MB(mb));
		if (mb >= 64)
			KUNIT_ASSERT_LT(test, floor, MB(mb));
		last = floor;
	}
	/* The administrator's own, but no more than there is. */
	KUNIT_EXPECT_EQ(test, xbal_floor(MB(256), MB(10)), MB(10));
	KUNIT_EXPECT_EQ(test, xbal_floor(MB(256), MB(300)), MB(256));
}

static void reserves(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, xbal_reserve(0), MB(4));
	KUNIT_EXPECT_EQ(test, xbal_reserve(MB(128)), MB(4));
	KUNIT_EXPECT_EQ(test, xbal_reserve(MB(1024)), MB(32));
	KUNIT_EXPECT_EQ(test, xbal_reserve(GB(8)), MB(256));
	KUNIT_EXPECT_EQ(test, xbal_reserve(GB(256)), MB(256));
}

static void thrashes(struct kunit *test)
{
	/* 1 GiB: 262144 pages, 1024 of them in a second are bearable. */
	KUNIT_EXPECT_FALSE(test, xbal_thrashing(0, 500, GB(1)));
	KUNIT_EXPECT_FALSE(test, xbal_thrashing(1024, 1000, GB(1)));
	KUNIT_EXPECT_TRUE(test, xbal_thrashing(1025, 1000, GB(1)));
	KUNIT_EXPECT_TRUE(test, xbal_thrashing(1025, 500, GB(1)));
	KUNIT_EXPECT_FALSE(test, xbal_thrashing(1025, 2000, GB(1)));
	/* A small guest is not called so for a few pages. */
	KUNIT_EXPECT_FALSE(test, xbal_thrashing(256, 1000, MB(16)));
	KUNIT_EXPECT_TRUE(test, xbal_thrashing(257, 1000, MB(16)));
	/* Counters that wrapped, no time at all */
	KUNIT_EXPECT_TRUE(test, xbal_thrashing(U64_MAX, 1, GB(256)));
	KUNIT_EXPECT_FALSE(test, xbal_thrashing(U64_MAX, 0, GB(256)));
}

/* What all views below have, unless they say otherwise. */
#define VIEW(...)							\
	{								\
		.static_max = MB(1024), .ram = MB(1024), .owned = MB(512),	\
		.floor = MB(224), .available = MB(1024), __VA_ARGS__	\
	}

struct planned {
	const char *what;
	struct xbal_view view;
	u64 goal;
	s64 step;
	u64 grow;
	enum xbal_reason limit, wait;
};

static const struct planned plans[] = {
	{ "nothing to do", VIEW(.target = MB(512)), MB(512), 0 },
	{ "down", VIEW(.target = MB(300)), MB(300), -(s64)MB(212) },
	{ "down, one page", VIEW(.target = MB(512) - 1), MB(512) - 1, -1 },
	{ "up", VIEW(.target = MB(700)), MB(700), MB(188) },
	{ "up to the maximum", VIEW(.target = MB(1024)), MB(1024), MB(512) },
	{ "no target", VIEW(.target = 0), MB(512), 0, 0, XBAL_NO_TARGET },
	{ "below the floor", VIEW(.target = MB(100)), MB(224), -(s64)MB(288), 0,
	  XBAL_BELOW_FLOOR },
	{ "at the floor", VIEW(.target = MB(224)), MB(224), -(s64)MB(288) },
	{ "started below the floor", VIEW(.target = MB(200), .owned = MB(200)), MB(200), 0 },
	{ "started below the floor, and down", VIEW(.target = MB(100), .owned = MB(200)), MB(200),
	  0, 0, XBAL_BELOW_FLOOR },
	{ "started below the floor, and up", VIEW(.target = MB(210), .owned = MB(200)), MB(210),
	  MB(10) },
	{ "beyond the maximum", VIEW(.target = MB(2048)), MB(1024), MB(512), 0, XBAL_ABOVE_MAX },
	{ "beyond the RAM", VIEW(.target = MB(1024), .ram = MB(600)), MB(600), MB(88), 0,
	  XBAL_ABOVE_RAM },
	{ "beyond both", VIEW(.target = MB(2048), .ram = MB(600)), MB(600), MB(88), 0,
	  XBAL_ABOVE_MAX },
	{ "RAM is added", VIEW(.target = MB(900), .ram = MB(512), .growable = true), MB(900), 0,
	  MB(388) },
	{ "RAM is added up to the maximum", VIEW(.target = MB(2048), .ram = MB(600),
	  .growable = true), MB(1024), MB(88), MB(424), XBAL_ABOVE_MAX },
	{ "unknown maximum", VIEW(.target = MB(2048), .static_max = 0), MB(1024), MB(512), 0,
	  XBAL_ABOVE_RAM },
	{ "unknown maximum, growable", VIEW(.target = MB(2048), .static_max = 0,
	  .growable = true), MB(1024), MB(512), 0, XBAL_ABOVE_RAM },
	{ "after an OOM", VIEW(.target = MB(300), .hold = MB(514)), MB(514), MB(2), 0, XBAL_OOM },
	{ "after an OOM, and up", VIEW(.target = MB(700), .hold = MB(514)), MB(700), MB(188) },
	{ "an OOM hold beyond all", VIEW(.target = MB(300), .hold = GB(9)), MB(1024), MB(512), 0,
	  XBAL_OOM },
	{ "little is free", VIEW(.target = MB(300), .available = MB(20)), MB(300), -(s64)MB(4), 0,
	  XBAL_FINE, XBAL_NO_MEMORY },
	{ "nothing is free", VIEW(.target = MB(300), .available = MB(16)), MB(300), 0, 0,
	  XBAL_FINE, XBAL_NO_MEMORY },
	{ "enough is free, just", VIEW(.target = MB(511), .available = MB(17)), MB(511),
	  -(s64)MB(1) },
	{ "up needs nothing free", VIEW(.target = MB(700), .available = 0), MB(700), MB(188) },
	{ "thrashing", VIEW(.target = MB(300), .thrashing = true), MB(300), -(s64)MB(2), 0,
	  XBAL_FINE, XBAL_PRESSURE },
	{ "thrashing, and up", VIEW(.target = MB(700), .thrashing = true), MB(700), MB(188) },
	{ "256 GiB down", VIEW(.target = GB(16), .static_max = GB(256), .ram = GB(256),
	  .owned = GB(256), .floor = MB(8672), .available = GB(250)), GB(16), -(s64)GB(240) },
	{ "256 GiB up", VIEW(.target = GB(256), .static_max = GB(256), .ram = GB(256),
	  .owned = GB(16)), GB(256), GB(240) },
	{ "an absurd target", VIEW(.target = U64_MAX), MB(1024), MB(512), 0, XBAL_ABOVE_MAX },
};

static void plan_name(const struct planned *p, char *desc)
{
	strscpy(desc, p->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(plan, plans, plan_name);

static void makes_plan(struct kunit *test)
{
	const struct planned *p = test->param_value;
	struct xbal_plan plan;

	xbal_make_plan(&p->view, &plan);
	KUNIT_EXPECT_EQ(test, plan.goal, p->goal);
	KUNIT_EXPECT_EQ(test, plan.step, p->step);
	KUNIT_EXPECT_EQ(test, plan.grow, p->grow);
	KUNIT_EXPECT_EQ(test, (int)plan.limit, (int)p->limit);
	KUNIT_EXPECT_EQ(test, (int)plan.wait, (int)p->wait);
}

/* From anywhere to anywhere: steps end at the goal, and stay there. */
static void arrives(struct kunit *test)
{
	static const u64 sizes[] = { MB(64), MB(192), MB(1024), GB(16), GB(256) };
	size_t i;
	u32 from, to;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (from = 1; from <= 16; from++) {
			for (to = 1; to <= 20; to++) {
				struct xbal_view v = {
					.static_max = sizes[i], .ram = sizes[i],
					.owned = sizes[i] / 16 * from,
					.target = sizes[i] / 16 * to,
					.floor = xbal_floor(sizes[i], 0),
				};
				struct xbal_plan plan;
				int steps = 0;

				do {
					v.available = v.owned / 2;
					xbal_make_plan(&v, &plan);
					v.owned += plan.step;
					KUNIT_ASSERT_LE(test, v.owned, v.ram);
				} while (plan.step && ++steps < 100);
				KUNIT_ASSERT_LT(test, steps, 100);
				if (plan.wait == XBAL_FINE)
					KUNIT_EXPECT_EQ(test, v.owned, plan.goal);
			}
		}
	}
}

static struct kunit_case balloon_policy_cases[] = {
	KUNIT_CASE(floors),
	KUNIT_CASE(reserves),
	KUNIT_CASE(thrashes),
	KUNIT_CASE_PARAM(makes_plan, plan_gen_params),
	KUNIT_CASE(arrives),
	{}
};

static struct kunit_suite balloon_policy_suite = {
	.name = "xen-balloon-policy",
	.test_cases = balloon_policy_cases,
};

kunit_test_suite(balloon_policy_suite);
