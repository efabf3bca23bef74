// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vnif/ctrl-msg.c"

static void responses(struct kunit *test)
{
	struct xen_netif_ctrl_request req = {
		.id = 7,
		.type = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY,
	};
	struct xen_netif_ctrl_response good = {
		.id = 7,
		.type = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY,
	}, rsp;
	u32 status;

	KUNIT_EXPECT_NULL(test, xvif_ctrl_check(&req, &good));
	rsp = good;
	rsp.id = 8;
	KUNIT_EXPECT_NOT_NULL(test, xvif_ctrl_check(&req, &rsp));
	rsp = good;
	rsp.type = XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS;
	KUNIT_EXPECT_NOT_NULL(test, xvif_ctrl_check(&req, &rsp));
	rsp = good;
	for (status = 0; status < 4; status++) {
		rsp.status = status;
		KUNIT_EXPECT_NULL(test, xvif_ctrl_check(&req, &rsp));
	}
	rsp.status = 4;
	KUNIT_EXPECT_NOT_NULL(test, xvif_ctrl_check(&req, &rsp));
	rsp.status = ~0u;
	KUNIT_EXPECT_NOT_NULL(test, xvif_ctrl_check(&req, &rsp));
}

static void errors(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, xvif_ctrl_errno(XEN_NETIF_CTRL_STATUS_SUCCESS), 0);
	KUNIT_EXPECT_EQ(test, xvif_ctrl_errno(XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, xvif_ctrl_errno(XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER), -EINVAL);
	KUNIT_EXPECT_EQ(test, xvif_ctrl_errno(XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW), -E2BIG);
	KUNIT_EXPECT_EQ(test, xvif_ctrl_errno(99), -EINVAL);
}

static void tables(struct kunit *test)
{
	u32 table[XVIF_HASH_TABLE], queues;

	KUNIT_EXPECT_EQ(test, xvif_hash_table_size(0), 0u);
	KUNIT_EXPECT_EQ(test, xvif_hash_table_size(1), 1u);
	KUNIT_EXPECT_EQ(test, xvif_hash_table_size(127), 64u);
	KUNIT_EXPECT_EQ(test, xvif_hash_table_size(128), 128u);
	KUNIT_EXPECT_EQ(test, xvif_hash_table_size(~0u), XVIF_HASH_TABLE);

	for (queues = 1; queues <= 64; queues++) {
		u32 i, least = ~0u, most = 0;
		u32 load[64] = {};

		xvif_hash_table_spread(table, XVIF_HASH_TABLE, queues);
		KUNIT_EXPECT_TRUE(test, xvif_hash_table_ok(table, XVIF_HASH_TABLE, queues));
		for (i = 0; i < XVIF_HASH_TABLE; i++)
			load[table[i]]++;
		for (i = 0; i < queues; i++) {
			least = min(least, load[i]);
			most = max(most, load[i]);
		}
		KUNIT_EXPECT_LE(test, most - least, 1u);
		table[XVIF_HASH_TABLE - 1] = queues;
		KUNIT_EXPECT_FALSE(test, xvif_hash_table_ok(table, XVIF_HASH_TABLE, queues));
		KUNIT_EXPECT_TRUE(test, xvif_hash_table_ok(table, XVIF_HASH_TABLE - 1, queues));
	}
}

static void types(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, xvif_hash_types(0), 0u);
	KUNIT_EXPECT_EQ(test, xvif_hash_types(~0u), 15u);
	KUNIT_EXPECT_EQ(test, xvif_hash_types(XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP), 8u);
}

/* The layout that both ends agree on. */
static void lists(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct xen_netif_gref), 8ul);
	KUNIT_EXPECT_EQ(test, offsetof(struct xen_netif_gref, flags), 4ul);
	KUNIT_EXPECT_EQ(test, offsetof(struct xen_netif_gref, status), 6ul);
	KUNIT_EXPECT_EQ(test, (u32)XVIF_GREFS_MAX, 512u);
}

static struct kunit_case ctrl_cases[] = {
	KUNIT_CASE(responses),
	KUNIT_CASE(errors),
	KUNIT_CASE(tables),
	KUNIT_CASE(types),
	KUNIT_CASE(lists),
	{}
};

static struct kunit_suite ctrl_suite = {
	.name = "xen-vnif-ctrl",
	.test_cases = ctrl_cases,
};

kunit_test_suite(ctrl_suite);
