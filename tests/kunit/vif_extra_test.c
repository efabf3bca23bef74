// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vnif/extra.c"

static struct xen_netif_extra_info gso_info(u8 type, u16 size)
{
	struct xen_netif_extra_info info = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	info.u.gso.type = type;
	info.u.gso.size = size;
	return info;
}

static void gso(struct kunit *test)
{
	struct xen_netif_extra_info info = gso_info(XEN_NETIF_GSO_TYPE_TCPV6, 1440);
	struct xvif_extras got = {};
	bool more = true;

	KUNIT_EXPECT_NULL(test, xvif_extra_take(&got, &info, &more));
	KUNIT_EXPECT_FALSE(test, more);
	KUNIT_EXPECT_TRUE(test, xvif_extra_has(&got, XEN_NETIF_EXTRA_TYPE_GSO));
	KUNIT_EXPECT_FALSE(test, xvif_extra_has(&got, XEN_NETIF_EXTRA_TYPE_HASH));
	KUNIT_EXPECT_EQ(test, got.gso_size, (u16)1440);
	KUNIT_EXPECT_EQ(test, got.gso_type, (u8)XEN_NETIF_GSO_TYPE_TCPV6);
}

/* The value is little endian, byte by byte (netif.h). */
static void hash(struct kunit *test)
{
	struct xen_netif_extra_info info = {
		.type = XEN_NETIF_EXTRA_TYPE_HASH,
		.flags = XEN_NETIF_EXTRA_FLAG_MORE,
	};
	static const u8 value[] = { 0x78, 0x56, 0x34, 0x12 };
	struct xvif_extras got = {};
	bool more = false;

	info.u.hash.type = _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;
	info.u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	memcpy(info.u.hash.value, value, sizeof(value));
	KUNIT_EXPECT_NULL(test, xvif_extra_take(&got, &info, &more));
	KUNIT_EXPECT_TRUE(test, more);
	KUNIT_EXPECT_EQ(test, got.hash, 0x12345678u);
	KUNIT_EXPECT_EQ(test, got.hash_type, (u8)_XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);

	memset(&got, 0, sizeof(got));
	info.u.hash.type = 4;
	KUNIT_EXPECT_NOT_NULL(test, xvif_extra_take(&got, &info, &more));
	info.u.hash.type = 0;
	info.u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_NONE;
	KUNIT_EXPECT_NOT_NULL(test, xvif_extra_take(&got, &info, &more));
}

static void headroom(struct kunit *test)
{
	struct xen_netif_extra_info info = { .type = XEN_NETIF_EXTRA_TYPE_XDP };
	struct xvif_extras got = {};
	bool more;

	info.u.xdp.headroom = 4096;
	KUNIT_EXPECT_NOT_NULL(test, xvif_extra_take(&got, &info, &more));
	info.u.xdp.headroom = 256;
	KUNIT_EXPECT_NULL(test, xvif_extra_take(&got, &info, &more));
	KUNIT_EXPECT_EQ(test, got.headroom, (u16)256);
}

static void refused(struct kunit *test)
{
	struct xen_netif_extra_info info = gso_info(XEN_NETIF_GSO_TYPE_TCPV4, 1448);
	struct xvif_extras got = {};
	u32 type;
	bool more;

	KUNIT_EXPECT_NULL(test, xvif_extra_take(&got, &info, &more));
	/* twice the same */
	KUNIT_EXPECT_NOT_NULL(test, xvif_extra_take(&got, &info, &more));
	for (type = 0; type < 256; type++) {
		struct xvif_extras none = {};
		bool known = type == XEN_NETIF_EXTRA_TYPE_GSO || type == XEN_NETIF_EXTRA_TYPE_XDP;

		info = (struct xen_netif_extra_info){ .type = type };
		KUNIT_EXPECT_EQ_MSG(test, !xvif_extra_take(&none, &info, &more), known,
				    "type %u", type);
	}
}

static void written(struct kunit *test)
{
	static const u8 addr[ETH_ALEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct xen_netif_extra_info info;

	memset(&info, 0xff, sizeof(info));
	xvif_extra_gso(&info, false, 1448);
	KUNIT_EXPECT_EQ(test, info.type, (u8)XEN_NETIF_EXTRA_TYPE_GSO);
	KUNIT_EXPECT_EQ(test, info.flags, (u8)0);
	KUNIT_EXPECT_EQ(test, info.u.gso.size, (u16)1448);
	KUNIT_EXPECT_EQ(test, info.u.gso.type, (u8)XEN_NETIF_GSO_TYPE_TCPV4);
	KUNIT_EXPECT_EQ(test, info.u.gso.features, (u16)0);
	KUNIT_EXPECT_EQ(test, info.u.gso.pad, (u8)0);
	xvif_extra_gso(&info, true, 1);
	KUNIT_EXPECT_EQ(test, info.u.gso.type, (u8)XEN_NETIF_GSO_TYPE_TCPV6);

	xvif_extra_mcast(&info, true, addr);
	KUNIT_EXPECT_EQ(test, info.type, (u8)XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
	KUNIT_EXPECT_EQ(test, memcmp(info.u.mcast.addr, addr, ETH_ALEN), 0);
	xvif_extra_mcast(&info, false, addr);
	KUNIT_EXPECT_EQ(test, info.type, (u8)XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
	KUNIT_EXPECT_EQ(test, info.flags, (u8)0);
}

static struct kunit_case extra_cases[] = {
	KUNIT_CASE(gso),
	KUNIT_CASE(hash),
	KUNIT_CASE(headroom),
	KUNIT_CASE(refused),
	KUNIT_CASE(written),
	{}
};

static struct kunit_suite extra_suite = {
	.name = "xen-vnif-extra",
	.test_cases = extra_cases,
};

kunit_test_suite(extra_suite);
