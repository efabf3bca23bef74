// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vnif/negotiate.c"

static void queues(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, xvif_settle_queues(64, 4, 8), 4u);
	KUNIT_EXPECT_EQ(test, xvif_settle_queues(64, 8, 4), 4u);
	KUNIT_EXPECT_EQ(test, xvif_settle_queues(2, 8, 4), 2u);
	KUNIT_EXPECT_EQ(test, xvif_settle_queues(64, 4, 0), 1u);
	KUNIT_EXPECT_EQ(test, xvif_settle_queues(64, 4, ~0u), 4u);
	KUNIT_EXPECT_EQ(test, xvif_settle_queues(0, 0, 0), 1u);
}

static void stock_backend(struct kunit *test)
{
	struct xvif_offer offer = { .sg = true, .gso4 = true, .gso6 = true, .csum6 = true };
	struct xvif_tx_can can;

	xvif_settle_tx(&offer, &can);
	KUNIT_EXPECT_TRUE(test, can.sg && can.csum4 && can.csum6 && can.gso4 && can.gso6);
}

/* A backend that says nothing takes IPv4 checksums, and nothing else (netif.h). */
static void silent_backend(struct kunit *test)
{
	struct xvif_offer offer = {};
	struct xvif_tx_can can;

	xvif_settle_tx(&offer, &can);
	KUNIT_EXPECT_TRUE(test, can.csum4);
	KUNIT_EXPECT_FALSE(test, can.sg || can.csum6 || can.gso4 || can.gso6);
}

/* Whatever a backend says, segmentation comes with what it needs. */
static void segmentation_needs(struct kunit *test)
{
	u32 bits;

	for (bits = 0; bits < 32; bits++) {
		struct xvif_offer offer = {
			.sg = bits & 1,
			.gso4 = bits & 2,
			.gso6 = bits & 4,
			.no_csum4 = bits & 8,
			.csum6 = bits & 16,
		};
		struct xvif_tx_can can;

		xvif_settle_tx(&offer, &can);
		KUNIT_EXPECT_EQ(test, can.gso4, offer.gso4 && offer.sg && !offer.no_csum4);
		KUNIT_EXPECT_EQ(test, can.gso6, offer.gso6 && offer.sg && offer.csum6);
		KUNIT_EXPECT_EQ(test, can.csum4, !offer.no_csum4);
	}
}

static void mtus(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, xvif_max_mtu(true, false), 65535u - 14);
	KUNIT_EXPECT_EQ(test, xvif_max_mtu(false, false), 1500u);
	KUNIT_EXPECT_GE(test, xvif_max_mtu(true, true), 3400u);
	KUNIT_EXPECT_LT(test, xvif_max_mtu(true, true), 4096u - 256);
	/* Else the program could not be taken off again. */
	KUNIT_EXPECT_EQ(test, xvif_max_mtu(false, true), 1500u);
}

static struct kunit_case negotiate_cases[] = {
	KUNIT_CASE(queues),
	KUNIT_CASE(stock_backend),
	KUNIT_CASE(silent_backend),
	KUNIT_CASE(segmentation_needs),
	KUNIT_CASE(mtus),
	{}
};

static struct kunit_suite negotiate_suite = {
	.name = "xen-vnif-negotiate",
	.test_cases = negotiate_cases,
};

kunit_test_suite(negotiate_suite);
