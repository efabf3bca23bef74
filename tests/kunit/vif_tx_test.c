// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vnif/tx-slots.c"

static const struct xvif_tx_rules usual = { .max_slots = 18, .small = 256 };

struct shape_case {
	const char *name;
	/* offset and length of each piece */
	u32 piece[4][2];
	struct xvif_tx_shape expect;
};

static const struct shape_case shapes[] = {
	{ "nothing", {}, { 0, 0, 0 } },
	{ "one byte", { { 0, 1 } }, { 1, 1, 1 } },
	{ "a frame", { { 0, 4096 } }, { 4096, 1, 4096 } },
	{ "a frame and a byte", { { 0, 4097 } }, { 4097, 2, 4096 } },
	{ "ends at the edge", { { 4000, 96 } }, { 96, 1, 96 } },
	{ "crosses the edge", { { 4000, 97 } }, { 97, 2, 96 } },
	{ "last byte of a frame first", { { 4095, 60 } }, { 60, 2, 1 } },
	{ "offset beyond the first page of a compound", { { 12288 + 4090, 12 } }, { 12, 2, 6 } },
	{ "64 KiB across seventeen frames", { { 1, 65536 } }, { 65536, 17, 4095 } },
	{ "empty pieces count for nothing", { { 100, 0 }, { 4095, 0 }, { 8, 54 }, { 0, 0 } },
	  { 54, 1, 54 } },
	{ "first slot is of the first piece with data", { { 0, 0 }, { 4090, 20 }, { 0, 100 } },
	  { 120, 3, 6 } },
};

static void shape_name(const struct shape_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(shape, shapes, shape_name);

static void shape(struct kunit *test)
{
	const struct shape_case *c = test->param_value;
	struct xvif_tx_shape got = {};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(c->piece); i++)
		xvif_tx_shape_add(&got, c->piece[i][0], c->piece[i][1]);
	KUNIT_EXPECT_EQ(test, got.total, c->expect.total);
	KUNIT_EXPECT_EQ(test, got.slots, c->expect.slots);
	KUNIT_EXPECT_EQ(test, got.first, c->expect.first);
}

/* Cutting a piece as the sender does makes as many slots as were counted. */
static void cuts_make_the_slots_counted(struct kunit *test)
{
	static const u32 offsets[] = { 0, 1, 13, 14, 2048, 4081, 4082, 4083, 4095, 4096, 70000 };
	static const u32 lens[] = { 0, 1, 2, 13, 14, 60, 256, 4094, 4095, 4096, 4097, 8192, 65535 };
	u32 o, l;

	for (o = 0; o < ARRAY_SIZE(offsets); o++)
		for (l = 0; l < ARRAY_SIZE(lens); l++) {
			u32 offset = offsets[o], len = lens[l], slots = 0;
			struct xvif_tx_shape s = {};

			xvif_tx_shape_add(&s, offset, len);
			while (len) {
				u32 cut = xvif_tx_cut(offset, len);

				KUNIT_ASSERT_GT(test, cut, 0u);
				KUNIT_ASSERT_LE(test, offset % XVIF_FRAME + cut, XVIF_FRAME);
				if (!slots)
					KUNIT_EXPECT_EQ(test, s.first, cut);
				offset += cut;
				len -= cut;
				slots++;
			}
			KUNIT_EXPECT_EQ(test, s.slots, slots);
			KUNIT_EXPECT_EQ(test, s.total, lens[l]);
		}
}

struct plan_case {
	const char *name;
	struct xvif_tx_shape shape;
	struct xvif_tx_rules rules;
	enum xvif_tx_plan plan;
	u32 slots;
};

static const struct plan_case plans[] = {
	{ "empty", { 0, 0, 0 }, { 18, 256, false }, XVIF_TX_DROP, 0 },
	{ "a byte less than a header", { 13, 1, 13 }, { 18, 256, false }, XVIF_TX_DROP, 0 },
	{ "a header", { 14, 1, 14 }, { 18, 256, false }, XVIF_TX_SMALL, 1 },
	{ "longest small one", { 256, 1, 256 }, { 18, 256, false }, XVIF_TX_SMALL, 1 },
	{ "longer", { 257, 1, 257 }, { 18, 256, false }, XVIF_TX_GRANT, 1 },
	{ "no small ones", { 60, 1, 60 }, { 18, 0, false }, XVIF_TX_GRANT, 1 },
	{ "small, scattered over 18", { 100, 18, 1 }, { 18, 256, false }, XVIF_TX_SMALL, 1 },
	{ "not trusted", { 1514, 1, 1514 }, { 18, 256, true }, XVIF_TX_PACK, 1 },
	{ "not trusted, large", { 65535, 17, 4096 }, { 18, 256, true }, XVIF_TX_PACK, 16 },
	{ "18 slots", { 60000, 18, 100 }, { 18, 256, false }, XVIF_TX_GRANT, 18 },
	{ "19 slots", { 60000, 19, 100 }, { 18, 256, false }, XVIF_TX_PACK, 15 },
	{ "header split over slots", { 1000, 2, 13 }, { 18, 256, false }, XVIF_TX_PACK, 1 },
	{ "header just in the first slot", { 1000, 2, 14 }, { 18, 256, false }, XVIF_TX_GRANT, 2 },
	{ "too long for the protocol", { 65536, 16, 4096 }, { 18, 256, false }, XVIF_TX_DROP, 0 },
	{ "no scatter/gather, one page", { 1514, 2, 200 }, { 1, 256, false }, XVIF_TX_PACK, 1 },
	{ "no scatter/gather, more", { 4097, 2, 4096 }, { 1, 256, false }, XVIF_TX_DROP, 0 },
};

static void plan_name(const struct plan_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(plan, plans, plan_name);

static void plan(struct kunit *test)
{
	const struct plan_case *c = test->param_value;
	enum xvif_tx_plan got = xvif_tx_plan(&c->shape, &c->rules);

	KUNIT_EXPECT_EQ(test, (int)got, (int)c->plan);
	KUNIT_EXPECT_EQ(test, xvif_tx_plan_slots(&c->shape, got), c->slots);
}

/*
 * 1 to 18 pieces and some beyond, of tiny and zero sizes, at awkward offsets
 * (XSA-423, 432, 448): whatever is sent keeps the promises of netif.h.
 */
static void tiny_geometries(struct kunit *test)
{
	static const u32 sizes[] = { 0, 1, 2, 13, 14, 15, 63, 64, 65, 127, 128, 129, 4096 };
	static const u32 offsets[] = { 0, 1, 4082, 4083, 4095 };
	u32 n, s, t, o;

	for (n = 1; n <= 20; n++)
		for (s = 0; s < ARRAY_SIZE(sizes); s++)
			for (t = 0; t < ARRAY_SIZE(sizes); t++)
				for (o = 0; o < ARRAY_SIZE(offsets); o++) {
					struct xvif_tx_shape shape = {};
					enum xvif_tx_plan p;
					u32 i, slots;

					for (i = 0; i < n; i++)
						xvif_tx_shape_add(&shape, offsets[o],
								  sizes[i % 2 ? t : s]);
					p = xvif_tx_plan(&shape, &usual);
					slots = xvif_tx_plan_slots(&shape, p);
					if (shape.total < ETH_HLEN || shape.total > 65535) {
						KUNIT_EXPECT_EQ(test, (int)p, (int)XVIF_TX_DROP);
						continue;
					}
					KUNIT_EXPECT_NE(test, (int)p, (int)XVIF_TX_DROP);
					KUNIT_EXPECT_GE(test, slots, 1u);
					KUNIT_EXPECT_LE(test, slots, 18u);
					if (p == XVIF_TX_GRANT)
						KUNIT_EXPECT_GE(test, shape.first, (u32)ETH_HLEN);
				}
}

/* An answer to a request that is in the ring and not published is none (use after free). */
static void shown(struct kunit *test)
{
	static const u32 bases[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
	u32 b, i;

	for (b = 0; b < ARRAY_SIZE(bases); b++) {
		for (i = 1; i <= 256; i++)
			KUNIT_EXPECT_TRUE(test, xvif_tx_shown(bases[b], bases[b] - i));
		for (i = 0; i <= 256; i++)
			KUNIT_EXPECT_FALSE(test, xvif_tx_shown(bases[b], bases[b] + i));
	}
}

static struct kunit_case tx_cases[] = {
	KUNIT_CASE_PARAM(shape, shape_gen_params),
	KUNIT_CASE(cuts_make_the_slots_counted),
	KUNIT_CASE_PARAM(plan, plan_gen_params),
	KUNIT_CASE(tiny_geometries),
	KUNIT_CASE(shown),
	{}
};

static struct kunit_suite tx_suite = {
	.name = "xen-vnif-tx-slots",
	.test_cases = tx_cases,
};

kunit_test_suite(tx_suite);
