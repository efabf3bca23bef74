// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include <xen/interface/io/blkif.h>

#include "core/ringmath.h"

static void entries(struct kunit *test)
{
	static const struct {
		size_t bytes, header, slot;
		u32 expect;
	} cases[] = {
		/* blkif on x86_64: 64 bytes of indices, slots of 112 bytes. */
		{ 4096, 64, 112, 32 },
		{ 2 * 4096, 64, 112, 64 },
		{ 4 * 4096, 64, 112, 128 },
		{ 8 * 4096, 64, 112, 256 },
		{ 16 * 4096, 64, 112, 512 },
		/* netif transmit and receive */
		{ 4096, 64, 12, 256 },
		{ 4096, 64, 8, 256 },
		{ 64 + 112, 64, 112, 1 },
		{ 64 + 111, 64, 112, 0 },
		{ 64, 64, 112, 0 },
		{ 0, 64, 112, 0 },
		{ 4096, 64, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    xenpv_ring_entries(cases[i].bytes, cases[i].header,
						       cases[i].slot),
				    cases[i].expect, "case %zu", i);
}

/* Our arithmetic agrees with the macros of the public header. */
static void entries_as_public_header(struct kunit *test)
{
	struct blkif_front_ring front;
	struct blkif_sring *sring;
	u32 order;

	for (order = 0; order <= 4; order++) {
		size_t bytes = 4096u << order;

		sring = kunit_kzalloc(test, bytes, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, sring);
		XEN_FRONT_RING_INIT(&front, sring, bytes);
		KUNIT_EXPECT_EQ(test, RING_SIZE(&front),
				xenpv_ring_entries(bytes, offsetof(struct blkif_sring, ring),
						   sizeof(union blkif_sring_entry)));
	}
}

static void unused(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, xenpv_ring_unused(32, 0, 0), 32u);
	KUNIT_EXPECT_EQ(test, xenpv_ring_unused(32, 32, 0), 0u);
	KUNIT_EXPECT_EQ(test, xenpv_ring_unused(32, 40, 10), 2u);
	/* Across the end of the 32-bit counters. */
	KUNIT_EXPECT_EQ(test, xenpv_ring_unused(32, 5, 0xfffffffa), 21u);
	KUNIT_EXPECT_EQ(test, xenpv_ring_unused(32, 0x1a, 0xfffffffa), 0u);
}

static void rsp_prod(struct kunit *test)
{
	static const struct {
		u32 cons, published, prod;
		bool ok;
	} cases[] = {
		{ 0, 0, 0, true },		/* nothing asked, nothing answered */
		{ 0, 0, 1, false },		/* an answer to nothing */
		{ 0, 0, 0xffffffff, false },	/* back in time */
		{ 0, 5, 5, true },		/* all answered */
		{ 0, 5, 3, true },
		{ 0, 5, 6, false },		/* one too many */
		{ 0, 5, 32, false },		/* fits the ring, not the requests */
		{ 3, 5, 3, true },		/* nothing new */
		{ 3, 5, 2, false },		/* took one back */
		{ 3, 5, 5, true },
		{ 3, 5, 6, false },
		{ 3, 5, 0x80000003, false },
		{ 0xfffffffe, 2, 0xfffffffe, true },
		{ 0xfffffffe, 2, 2, true },	/* across zero */
		{ 0xfffffffe, 2, 0, true },
		{ 0xfffffffe, 2, 3, false },
		{ 0xfffffffe, 2, 0xfffffffd, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    xenpv_ring_rsp_prod_ok(cases[i].cons, cases[i].published,
							   cases[i].prod),
				    cases[i].ok, "case %zu", i);
}

static void notify(struct kunit *test)
{
	static const struct {
		u32 old, new, event;
		bool must;
	} cases[] = {
		{ 0, 1, 1, true },	/* a fresh ring: event is 1 */
		{ 0, 8, 1, true },	/* one notification for a batch */
		{ 1, 2, 1, false },	/* the peer is at work: it did not move its wish */
		{ 8, 9, 9, true },
		{ 8, 9, 10, false },	/* it wants to hear of a later one */
		{ 8, 12, 12, true },
		{ 8, 12, 13, false },
		{ 8, 12, 8, false },
		{ 8, 8, 8, false },	/* nothing new: never */
		{ 8, 8, 9, false },
		{ 0xfffffffe, 2, 0, true },
		{ 0xfffffffe, 2, 0xffffffff, true },
		{ 0xfffffffe, 2, 0xfffffffe, false },
		{ 0xfffffffe, 2, 3, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    xenpv_ring_must_notify(cases[i].old, cases[i].new,
							   cases[i].event),
				    cases[i].must, "case %zu", i);
}

/* For every wish there is at most one notification while requests go by. */
static void notify_once(struct kunit *test)
{
	u32 start, event, at, batch;

	for (start = 0xfffffff0; start != 16; start++) {
		for (batch = 1; batch <= 4; batch++) {
			u32 sent = 0;

			event = start + 7;
			for (at = start; at != start + 24; at += batch)
				sent += xenpv_ring_must_notify(at, at + batch, event);
			KUNIT_EXPECT_EQ(test, sent, 1u);
		}
	}
}

static void eoi(struct kunit *test)
{
	struct xenpv_eoi e = {};

	/* Nothing ever happened. */
	KUNIT_EXPECT_TRUE(test, xenpv_eoi_spurious(&e));
	/* Progress, by whoever, explains one interrupt. */
	e.progress = true;
	KUNIT_EXPECT_FALSE(test, xenpv_eoi_spurious(&e));
	KUNIT_EXPECT_TRUE(test, xenpv_eoi_spurious(&e));
	/* An event that was under way explains one more. */
	e.progress = true;
	e.owed = true;
	KUNIT_EXPECT_FALSE(test, xenpv_eoi_spurious(&e));
	KUNIT_EXPECT_FALSE(test, xenpv_eoi_spurious(&e));
	KUNIT_EXPECT_TRUE(test, xenpv_eoi_spurious(&e));
	/* It stays owed as long as interrupts find work. */
	e.progress = true;
	e.owed = true;
	KUNIT_EXPECT_FALSE(test, xenpv_eoi_spurious(&e));
	e.progress = true;
	KUNIT_EXPECT_FALSE(test, xenpv_eoi_spurious(&e));
	KUNIT_EXPECT_FALSE(test, xenpv_eoi_spurious(&e));
	KUNIT_EXPECT_TRUE(test, xenpv_eoi_spurious(&e));
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(entries),
	KUNIT_CASE(entries_as_public_header),
	KUNIT_CASE(unused),
	KUNIT_CASE(rsp_prod),
	KUNIT_CASE(notify),
	KUNIT_CASE(notify_once),
	KUNIT_CASE(eoi),
	{}
};

static struct kunit_suite ring_suite = {
	.name = "xenpv-ring",
	.test_cases = ring_cases,
};

kunit_test_suite(ring_suite);
