// SPDX-License-Identifier: GPL-2.0-or-later
/* Which interfaces may be a way to the outside, and what the kernel says of bonds. */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <linux/if_bonding.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/uplink.h"

/* A bond as the kernel tells of it, parsed. */
static struct link parsed_bond(uint8_t mode, uint8_t fail_over_mac)
{
	struct nlattr *info, *data;
	struct ifinfomsg *ifi;
	struct rtnl_msg msg;
	struct link link;

	ifi = rtnl_msg_init(&msg, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = 3;
	ifi->ifi_type = ARPHRD_ETHER;
	mnl_attr_put_strz(&msg.header, IFLA_IFNAME, "bond0");
	info = mnl_attr_nest_start(&msg.header, IFLA_LINKINFO);
	mnl_attr_put_strz(&msg.header, IFLA_INFO_KIND, "bond");
	data = mnl_attr_nest_start(&msg.header, IFLA_INFO_DATA);
	mnl_attr_put_u8(&msg.header, IFLA_BOND_MODE, mode);
	mnl_attr_put_u32(&msg.header, IFLA_BOND_MIIMON, 100);
	mnl_attr_put_u8(&msg.header, IFLA_BOND_FAIL_OVER_MAC, fail_over_mac);
	mnl_attr_nest_end(&msg.header, data);
	mnl_attr_nest_end(&msg.header, info);
	assert_int_equal(link_parse(&msg.header, &link), 0);
	assert_int_equal(link.bond_mode, mode);
	assert_int_equal(link.bond_miimon, 100);
	return link;
}

/* A bond that says its address was changed, and has not changed it. */
static void test_fail_over_mac(void **state)
{
	struct link link = parsed_bond(BOND_MODE_ACTIVEBACKUP, 0);
	struct problem p = { 0 };

	(void)state;
	assert_int_equal(uplink_check_mac(&link, "xenbr0", &p), 0);
	link = parsed_bond(BOND_MODE_8023AD, 1);
	assert_int_equal(uplink_check_mac(&link, "xenbr0", &p), 0);
	link = parsed_bond(BOND_MODE_ACTIVEBACKUP, 1);
	assert_int_equal(uplink_check_mac(&link, "xenbr0", &p), -EOPNOTSUPP);
	assert_int_equal(p.status, EXIT_REFUSED);
	assert_non_null(strstr(p.text, "xenbr0: bond bond0 has fail_over_mac active"));
	link = parsed_bond(BOND_MODE_ACTIVEBACKUP, 2);
	assert_int_equal(uplink_check_mac(&link, "xenbr0", &p), -EOPNOTSUPP);
	assert_non_null(strstr(p.text, "fail_over_mac follow"));
}

/* What makes a bond unfit makes the VLANs on it unfit, too. */
static void test_vlan_on_bond(void **state)
{
	struct link item[] = {
		{ .index = 1, .name = "eth0", .type = ARPHRD_ETHER, .master = 2 },
		{ .index = 2, .name = "bond0", .type = ARPHRD_ETHER, .kind = "bond" },
		{ .index = 3,
		  .name = "bond0.10",
		  .type = ARPHRD_ETHER,
		  .kind = "vlan",
		  .vlan_id = 10,
		  .lower = 2,
		  .lower_is_local = true },
		{ .index = 4,
		  .name = "inner",
		  .type = ARPHRD_ETHER,
		  .kind = "vlan",
		  .vlan_id = 20,
		  .lower = 3,
		  .lower_is_local = true },
		/* nonsense that the kernel does not make */
		{ .index = 5,
		  .name = "loop",
		  .type = ARPHRD_ETHER,
		  .kind = "vlan",
		  .vlan_id = 5,
		  .lower = 5,
		  .lower_is_local = true },
	};
	const struct links links = { item, ELEMENTSOF(item) };
	const struct settings settings = { .never = (char[]){ "" } };
	struct problem p = { 0 };

	(void)state;
	for (size_t i = 1; i <= 3; i++) {
		item[1].bond_mode = BOND_MODE_ROUNDROBIN;
		item[1].bond_miimon = 100;
		assert_int_equal(uplink_check(&links, &item[i], "gextbr1", &settings, false, &p),
				 -EINVAL);
		assert_non_null(strstr(p.text, "bond bond0 has mode balance-rr"));
		assert_int_equal(uplink_check(&links, &item[i], "gextbr1", &settings, true, &p), 0);
		item[1].bond_mode = BOND_MODE_ACTIVEBACKUP;
		item[1].bond_miimon = 0;
		assert_int_equal(uplink_check(&links, &item[i], "gextbr1", &settings, false, &p),
				 -EINVAL);
		assert_non_null(strstr(p.text, "set miimon 100"));
		item[1].bond_miimon = 100;
		assert_int_equal(uplink_check(&links, &item[i], "gextbr1", &settings, false, &p),
				 0);
	}
	assert_int_equal(uplink_check(&links, &item[4], "gextbr1", &settings, false, &p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail_over_mac),
		cmocka_unit_test(test_vlan_on_bond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
