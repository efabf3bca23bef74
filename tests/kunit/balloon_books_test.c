// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "balloon/books.c"

#define MB(n) ((u64)(n) << (20 - 12))
#define GB(n) ((u64)(n) << (30 - 12))

static void opens(struct kunit *test)
{
	static const struct {
		const char *what;
		bool translated;
		u64 static_max, target, reservation;
		u64 ram, promised;
		s64 special;
	} t[] = {
		{ "PVH", true, MB(192), MB(192), MB(192) + 16, MB(192), 0, 16 },
		{ "PVH, on demand", true, MB(256), MB(192), MB(192) + 16, MB(256), MB(64), 16 },
		{ "PVH, target raised before we came", true, MB(256), MB(224), MB(192), MB(256),
		  MB(64), 0 },
		{ "PVH, target lowered before we came", true, MB(256), MB(128), MB(256) + 16,
		  MB(256), 0, 16 },
		{ "HVM with video memory", true, GB(4), GB(4), GB(4) + MB(16), GB(4), 0, MB(16) },
		{ "far more than the maximum", true, GB(1), GB(1), GB(2), GB(2), 0, 0 },
		{ "256 GiB", true, GB(256), GB(256), GB(256) + 20, GB(256), 0, 20 },
		{ "256 GiB, on demand", true, GB(256), GB(8), GB(8) + 20, GB(256), GB(248), 20 },
		{ "no maximum", true, 0, MB(192), MB(192) + 16, MB(192), 0, 16 },
		{ "nothing in xenstore", true, 0, 0, MB(192) + 16, MB(192) + 16, 0, 0 },
		{ "no target, on demand", true, MB(256), 0, MB(192), MB(256), MB(64), 0 },
		{ "PV", false, MB(256), MB(192), MB(192), MB(192), 0, 0 },
		{ "PV, special pages", false, MB(256), MB(192), MB(192) + 4, MB(192), 0, 4 },
		{ "PV, target raised", false, MB(256), MB(256), MB(192), MB(192), 0, 0 },
		{ "dom0", false, 0, 0, GB(4), GB(4), 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct xbal_books b;

		xbal_books_open(&b, t[i].translated, t[i].static_max, t[i].target,
				t[i].reservation);
		KUNIT_EXPECT_EQ_MSG(test, b.ram, t[i].ram, "%s", t[i].what);
		KUNIT_EXPECT_EQ_MSG(test, b.promised, t[i].promised, "%s", t[i].what);
		KUNIT_EXPECT_EQ_MSG(test, b.special, t[i].special, "%s", t[i].what);
		KUNIT_EXPECT_EQ_MSG(test, b.parked, 0, "%s", t[i].what);
	}
}

/* A guest started on demand: Xen's figure stands still until the promise is made good. */
static void promised(struct kunit *test)
{
	struct xbal_books b;

	xbal_books_open(&b, true, MB(256), MB(192), MB(192) + 16);
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, MB(192) + 16), 0);
	xbal_books_park(&b, MB(60), MB(192) + 16);
	KUNIT_EXPECT_EQ(test, b.promised, MB(4));
	/* Nothing is made of figures that mean nothing. */
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, MB(100)), 0);
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), MB(196));
	xbal_books_park(&b, MB(4), MB(192) + 21);
	KUNIT_EXPECT_EQ(test, b.promised, 0);
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), MB(192));
	KUNIT_EXPECT_EQ(test, b.special, 21);
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, MB(192) + 21), 0);
}

static void follows_xen(struct kunit *test)
{
	struct xbal_books b;

	xbal_books_open(&b, true, GB(256), GB(256), GB(256) + 16);
	xbal_books_park(&b, GB(200), 0);
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, GB(56) + 16), 0);
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, GB(56) + 16 - 512), -512);
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), GB(56) - 512);
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, GB(56) + 16), 512);
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), GB(56));
	xbal_books_return(&b, GB(200));
	KUNIT_EXPECT_EQ(test, b.parked, 0);
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, GB(256) + 16), 0);
}

/* Whatever it is told, no amount becomes negative. */
static void stays_sane(struct kunit *test)
{
	struct xbal_books b;

	xbal_books_open(&b, true, MB(64), MB(64), MB(64));
	xbal_books_park(&b, MB(100), 0);
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), 0);
	xbal_books_return(&b, MB(1000));
	KUNIT_EXPECT_EQ(test, b.parked, 0);
	xbal_books_park(&b, MB(60), MB(4));
	xbal_books_check(&b, 0);
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), 0);
	KUNIT_EXPECT_EQ(test, b.ram, b.parked);
	xbal_books_check(&b, MB(4));
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), MB(4));
}

static void added_ram_is_parked(struct kunit *test)
{
	struct xbal_books b;

	xbal_books_open(&b, true, MB(256), MB(256), MB(256) + 16);
	xbal_books_added(&b, MB(128));
	KUNIT_EXPECT_EQ(test, xbal_books_owned(&b), MB(256));
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, MB(256) + 16), 0);
	xbal_books_return(&b, MB(64));
	KUNIT_EXPECT_EQ(test, xbal_books_check(&b, MB(320) + 16), 0);
}

static struct kunit_case balloon_books_cases[] = {
	KUNIT_CASE(opens),
	KUNIT_CASE(promised),
	KUNIT_CASE(follows_xen),
	KUNIT_CASE(stays_sane),
	KUNIT_CASE(added_ram_is_parked),
	{}
};

static struct kunit_suite balloon_books_suite = {
	.name = "xen-balloon-books",
	.test_cases = balloon_books_cases,
};

kunit_test_suite(balloon_books_suite);
