// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vbd/negotiate.c"

struct deal {
	const char *name;
	struct xvbd_wish wish;
	struct xvbd_offer offer;
	struct xvbd_geometry expect;
};

/* wish: cpus, queues, order, segments, grants; offer: queues, order, segments */
static const struct deal deals[] = {
	{ "stock blkback", { 4, 64, 4, 256, 1024 }, { 4, 4, 256 }, { 4, 4, 128, true, 256 } },
	{ "stock blkback, one CPU", { 1, 64, 4, 256, 1024 }, { 8, 4, 256 },
	  { 1, 4, 256, true, 1024 } },
	{ "a backend with nothing to offer", { 4, 64, 4, 256, 1024 }, { 1, 0, 0 },
	  { 1, 0, 11, false, 1024 } },
	{ "a backend that offers no queue", { 4, 64, 4, 256, 1024 }, { 0, 0, 0 },
	  { 1, 0, 11, false, 1024 } },
	{ "absurd offers", { 2, 64, 4, 256, 1024 }, { ~0u, ~0u, ~0u }, { 2, 4, 256, true, 512 } },
	{ "as many indirect as direct segments", { 1, 64, 4, 256, 1024 }, { 1, 0, 11 },
	  { 1, 0, 11, false, 1024 } },
	{ "one more than direct", { 1, 64, 4, 256, 1024 }, { 1, 0, 12 },
	  { 1, 0, 12, true, 1024 } },
	{ "parameters bound it", { 8, 2, 1, 32, 1024 }, { 8, 4, 256 }, { 2, 1, 32, true, 512 } },
	{ "no indirect wished", { 8, 8, 4, 11, 1024 }, { 8, 4, 256 }, { 8, 4, 11, false, 128 } },
	{ "few grants", { 1, 64, 4, 256, 64 }, { 1, 4, 256 }, { 1, 4, 32, true, 64 } },
	{ "too few grants for indirect", { 1, 64, 4, 256, 22 }, { 1, 4, 256 },
	  { 1, 4, 11, false, 22 } },
	{ "hardly any grants", { 4, 64, 4, 256, 1 }, { 4, 4, 256 }, { 4, 4, 11, false, 22 } },
};

static void deal_name(const struct deal *d, char *desc)
{
	strscpy(desc, d->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(deal, deals, deal_name);

static void settle(struct kunit *test)
{
	const struct deal *d = test->param_value;
	struct xvbd_geometry got = {};

	xvbd_settle_rings(&d->wish, &d->offer, &got);
	xvbd_settle_segments(&d->wish, &d->offer, &got);
	KUNIT_EXPECT_EQ(test, got.queues, d->expect.queues);
	KUNIT_EXPECT_EQ(test, got.ring_order, d->expect.ring_order);
	KUNIT_EXPECT_EQ(test, got.segments, d->expect.segments);
	KUNIT_EXPECT_EQ(test, got.indirect, d->expect.indirect);
	KUNIT_EXPECT_EQ(test, got.grants, d->expect.grants);
}

/* Whatever both say, a request fits the protocol, and two fit the grants. */
static void always_usable(struct kunit *test)
{
	static const u32 values[] = { 0, 1, 2, 4, 11, 12, 32, 255, 256, 257, 65536, ~0u };
	u32 a, b, c;

	for (a = 0; a < ARRAY_SIZE(values); a++)
		for (b = 0; b < ARRAY_SIZE(values); b++)
			for (c = 0; c < ARRAY_SIZE(values); c++) {
				struct xvbd_wish wish = { 4, 64, 4, 256, values[a] };
				struct xvbd_offer offer = { values[b], values[c], values[b] };
				struct xvbd_geometry g = {};

				xvbd_settle_rings(&wish, &offer, &g);
				xvbd_settle_segments(&wish, &offer, &g);
				KUNIT_EXPECT_GE(test, g.queues, 1u);
				KUNIT_EXPECT_LE(test, g.queues, 4u);
				KUNIT_EXPECT_LE(test, g.ring_order, 4u);
				KUNIT_EXPECT_GE(test, g.segments, 11u);
				KUNIT_EXPECT_LE(test, g.segments, 256u);
				KUNIT_EXPECT_LE(test, 2 * g.segments, g.grants);
				KUNIT_EXPECT_EQ(test, g.indirect, g.segments > 11);
				if (g.indirect)
					KUNIT_EXPECT_LE(test, g.segments, offer.max_segments);
			}
}

static void grants_by_size(struct kunit *test)
{
	/* 64 frames of 512 references, and plenty of memory */
	KUNIT_EXPECT_EQ(test, xvbd_auto_grants(32768, 1 << 20), 1024u);
	/* 64 MiB of memory */
	KUNIT_EXPECT_EQ(test, xvbd_auto_grants(32768, 16384), 128u);
	/* a table of one frame */
	KUNIT_EXPECT_EQ(test, xvbd_auto_grants(512, 1 << 20), 22u);
	KUNIT_EXPECT_EQ(test, xvbd_auto_grants(0, 0), 22u);
	KUNIT_EXPECT_EQ(test, xvbd_auto_grants(~0ull, ~0ull), 4096u);
}

struct disk {
	const char *name;
	struct xvbd_media media;
	const char *bad;
	u64 sectors;
	u32 physical;
};

/* media: sectors, sector-size, physical-sector-size, info */
static const struct disk disks[] = {
	{ "plain", { 2048, 512, 512, 0 }, NULL, 2048, 512 },
	{ "512e", { 2048, 512, 4096, 0 }, NULL, 2048, 4096 },
	{ "4Kn", { 2048, 4096, 4096, 0 }, NULL, 2048, 4096 },
	{ "1024", { 2048, 1024, 1024, 0 }, NULL, 2048, 1024 },
	{ "no physical size", { 2048, 4096, 0, 0 }, NULL, 2048, 4096 },
	{ "physical below logical", { 2048, 4096, 512, 0 }, NULL, 2048, 4096 },
	{ "odd physical", { 2048, 512, 1000, 0 }, NULL, 2048, 512 },
	{ "huge physical", { 2048, 512, 1u << 31, 0 }, NULL, 2048, 512 },
	{ "largest physical", { 2048, 512, 1u << 20, 0 }, NULL, 2048, 1u << 20 },
	{ "empty", { 0, 512, 512, 0 }, NULL, 0, 512 },
	{ "a tail shorter than a block", { 2055, 4096, 4096, 0 }, NULL, 2048, 4096 },
	{ "larger than 2 TiB", { 1ull << 40, 512, 512, 0 }, NULL, 1ull << 40, 512 },
	{ "sector-size 0", { 2048, 0, 0, 0 }, "sector-size", 0, 0 },
	{ "sector-size 256", { 2048, 256, 256, 0 }, "sector-size", 0, 0 },
	{ "sector-size 520", { 2048, 520, 520, 0 }, "sector-size", 0, 0 },
	{ "sector-size 8192", { 2048, 8192, 8192, 0 }, "sector-size", 0, 0 },
	{ "sector-size of all ones", { 2048, ~0u, ~0u, 0 }, "sector-size", 0, 0 },
	{ "more than can be counted in bytes", { 1ull << 55, 512, 512, 0 }, "sectors", 0, 0 },
	{ "sectors of all ones", { ~0ull, 512, 512, 0 }, "sectors", 0, 0 },
};

static void disk_name(const struct disk *d, char *desc)
{
	strscpy(desc, d->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(disk, disks, disk_name);

static void media(struct kunit *test)
{
	const struct disk *d = test->param_value;
	struct xvbd_media m = d->media;
	const char *bad = xvbd_media_check(&m);

	if (d->bad) {
		KUNIT_ASSERT_NOT_NULL(test, bad);
		KUNIT_EXPECT_STREQ(test, bad, d->bad);
		return;
	}
	KUNIT_ASSERT_NULL(test, bad);
	KUNIT_EXPECT_EQ(test, m.sectors, d->sectors);
	KUNIT_EXPECT_EQ(test, m.physical_size, d->physical);
}

static struct kunit_case negotiate_cases[] = {
	KUNIT_CASE_PARAM(settle, deal_gen_params),
	KUNIT_CASE(always_usable),
	KUNIT_CASE(grants_by_size),
	KUNIT_CASE_PARAM(media, disk_gen_params),
	{}
};

static struct kunit_suite negotiate_suite = {
	.name = "xen-vbd-negotiate",
	.test_cases = negotiate_cases,
};

kunit_test_suite(negotiate_suite);
