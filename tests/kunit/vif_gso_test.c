// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vnif/gso.c"

static void csum(struct kunit *test)
{
	u16 blank = XEN_NETRXF_csum_blank, valid = XEN_NETRXF_data_validated;

	KUNIT_EXPECT_EQ(test, (int)xvif_csum(0, true), (int)XVIF_CSUM_NONE);
	KUNIT_EXPECT_EQ(test, (int)xvif_csum(valid, true), (int)XVIF_CSUM_VALID);
	KUNIT_EXPECT_EQ(test, (int)xvif_csum(valid, false), (int)XVIF_CSUM_NONE);
	KUNIT_EXPECT_EQ(test, (int)xvif_csum(blank, true), (int)XVIF_CSUM_BLANK);
	KUNIT_EXPECT_EQ(test, (int)xvif_csum(blank | valid, true), (int)XVIF_CSUM_BLANK);
	/* There is nothing to check, whatever is wanted. */
	KUNIT_EXPECT_EQ(test, (int)xvif_csum(blank | valid, false), (int)XVIF_CSUM_BLANK);
	KUNIT_EXPECT_EQ(test, (int)xvif_csum(XEN_NETRXF_more_data | XEN_NETRXF_extra_info, true),
			(int)XVIF_CSUM_NONE);
}

struct gso_case {
	const char *name;
	u8 type;
	u16 size;
	u16 proto;
	u32 head_len;
	u32 len;
	bool ok;
};

static const struct gso_case packets[] = {
	{ "TCP over IPv4", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IP, 66, 65226, true },
	{ "TCP over IPv6", XEN_NETIF_GSO_TYPE_TCPV6, 1428, ETH_P_IPV6, 86, 65226, true },
	{ "segments of a byte", XEN_NETIF_GSO_TYPE_TCPV4, 1, ETH_P_IP, 66, 1000, true },
	{ "segments of 0", XEN_NETIF_GSO_TYPE_TCPV4, 0, ETH_P_IP, 66, 3000, false },
	{ "segments of 65534", XEN_NETIF_GSO_TYPE_TCPV4, 65534, ETH_P_IP, 66, 3000, true },
	{ "by fragments, IPv4", XEN_NETIF_GSO_TYPE_TCPV4, 65535, ETH_P_IP, 66, 3000, false },
	{ "by fragments, IPv6", XEN_NETIF_GSO_TYPE_TCPV6, 65535, ETH_P_IPV6, 86, 3000, false },
	{ "longest packet", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IP, 66, 65549, true },
	{ "too long, IPv4", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IP, 66, 65550, false },
	{ "too long, IPv6", XEN_NETIF_GSO_TYPE_TCPV6, 1428, ETH_P_IPV6, 86, 73728, false },
	{ "no type", XEN_NETIF_GSO_TYPE_NONE, 1448, ETH_P_IP, 66, 3000, false },
	{ "unknown type", 3, 1448, ETH_P_IP, 66, 3000, false },
	{ "type of all ones", 255, 1448, ETH_P_IP, 66, 3000, false },
	{ "IPv4 in an IPv6 packet", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IPV6, 66, 3000, false },
	{ "IPv6 in an IPv4 packet", XEN_NETIF_GSO_TYPE_TCPV6, 1448, ETH_P_IP, 66, 3000, false },
	{ "ARP", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_ARP, 66, 3000, false },
	{ "headers only, IPv4", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IP, 54, 54, true },
	{ "less than headers, IPv4", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IP, 53, 53, false },
	{ "headers only, IPv6", XEN_NETIF_GSO_TYPE_TCPV6, 1448, ETH_P_IPV6, 74, 74, true },
	{ "less than headers, IPv6", XEN_NETIF_GSO_TYPE_TCPV6, 1448, ETH_P_IPV6, 73, 73, false },
	{ "short first slot", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IP, 13, 3000, false },
	{ "empty first slot", XEN_NETIF_GSO_TYPE_TCPV4, 1448, ETH_P_IP, 0, 3000, false },
};

static void gso_name(const struct gso_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(gso, packets, gso_name);

static void gso(struct kunit *test)
{
	const struct gso_case *c = test->param_value;
	struct xvif_extras extras = { .gso_type = c->type, .gso_size = c->size };
	u8 *head = kunit_kzalloc(test, max(c->head_len, 1u), GFP_KERNEL);
	const char *bad;

	/* Of just the size, so that a look beyond is caught. */
	KUNIT_ASSERT_NOT_NULL(test, head);
	if (c->head_len >= ETH_HLEN) {
		head[12] = c->proto >> 8;
		head[13] = c->proto;
	}
	bad = xvif_gso_check(&extras, head, c->head_len, c->len);
	KUNIT_EXPECT_EQ_MSG(test, !bad, c->ok, "%s", bad ? bad : "accepted");
}

static struct kunit_case gso_cases[] = {
	KUNIT_CASE(csum),
	KUNIT_CASE_PARAM(gso, gso_gen_params),
	{}
};

static struct kunit_suite gso_suite = {
	.name = "xen-vnif-gso",
	.test_cases = gso_cases,
};

kunit_test_suite(gso_suite);
