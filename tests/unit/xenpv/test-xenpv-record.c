// SPDX-License-Identifier: GPL-2.0-or-later
/* What a bridge knows of itself, the settings, and the addresses kept in a file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_addr.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/addressing.h"
#include "xenpv/bridge/record.h"
#include "xenpv/bridge/settings.h"

static void test_round_trip(void **state)
{
	struct record in = { .netdev = "eth0",
			     .port = "peth0",
			     .dom0 = "eth0",
			     .mac = { { 2, 0x17, 0x42, 0x2f, 0, 1 } },
			     .flags = IFF_UP | IFF_MULTICAST,
			     .inet6 = true,
			     .made_qdisc = true };
	struct record out;
	char alias[LINK_ALIAS_MAX];

	(void)state;
	assert_int_equal(record_encode(&in, alias), 0);
	assert_string_equal(alias, "xenpv1 netdev=eth0 port=peth0 dom0=eth0 mac=02:17:42:2F:00:01 "
				   "was=uam6q");
	assert_int_equal(record_decode(alias, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));

	memset(&in, 0, sizeof(in));
	assert_int_equal(record_encode(&in, alias), 0);
	assert_string_equal(alias, "xenpv1");
	assert_int_equal(record_decode(alias, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));

	strcpy(in.dom0, "eth2");
	in.n_ip = 2;
	strcpy(in.ip[0], "192.168.1.10/24");
	strcpy(in.ip[1], "fd00::1/64");
	assert_int_equal(record_encode(&in, alias), 0);
	assert_int_equal(record_decode(alias, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void test_too_long(void **state)
{
	struct record in = { .n_ip = RECORD_IPS };
	char alias[LINK_ALIAS_MAX];

	(void)state;
	for (unsigned int i = 0; i < RECORD_IPS; i++)
		strcpy(in.ip[i], "fd00:1111:2222:3333:4444:5555:6666:7777/128");
	assert_int_equal(record_encode(&in, alias), 0);
	strcpy(in.netdev, "fifteen-letters");
	strcpy(in.port, "fifteen-letters");
	strcpy(in.dom0, "fifteen-letters");
	assert_int_equal(record_encode(&in, alias), -E2BIG);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"xenpv2",
		"xenpv1x",
		"an administrator's own words",
		"xenpv1 netdev",
		"xenpv1 netdev=a/b",
		"xenpv1 netdev=sixteen-letters-",
		"xenpv1 color=red",
		"xenpv1 was=z",
		"xenpv1 mac=1",
		"xenpv1 ip=1 ip=2 ip=3 ip=4 ip=5",
		"xenpv1 ip=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	};
	struct record out;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(record_decode(bad[i], &out), -EINVAL);
}

/* Made by networkd, with nothing in its alias. */
static void test_guess(void **state)
{
	struct link item[] = {
		{ .index = 1, .name = "xenbr0", .kind = "bridge" },
		{ .index = 2,
		  .name = "peth0",
		  .master = 1,
		  .has_perm_mac = true,
		  .perm_mac = { { 2, 1, 1, 1, 1, 1 } } },
		{ .index = 3,
		  .name = "vif0.0",
		  .kind = "veth",
		  .master = 1,
		  .lower = 4,
		  .lower_is_local = true },
		{ .index = 4, .name = "eth0", .kind = "veth", .lower = 3, .lower_is_local = true },
		{ .index = 5, .name = "vif1.0", .master = 1 },
		{ .index = 6, .name = "lan0", .master = 1, .alias = "xenpv-backendd vif 7.1" },
	};
	struct links links = { item, ELEMENTSOF(item) };
	struct record record;
	uint32_t domid, handle;

	(void)state;
	assert_false(record_of(&links, &item[0], &record));
	assert_string_equal(record.port, "peth0");
	assert_string_equal(record.netdev, "eth0");
	assert_string_equal(record.dom0, "eth0");
	assert_true(mac_equal(&record.mac, &item[1].perm_mac));
	assert_true(record_owns_port(&record, 0, "peth0"));
	assert_true(record_owns_port(&record, 0, "vif0.0"));
	assert_false(record_owns_port(&record, 0, "vif1.0"));
	assert_false(record_owns_port(&record, 1, "vif0.0"));
	assert_false(port_of_guest(&item[1], &domid, &handle));
	assert_false(port_of_guest(&item[2], &domid, &handle));
	assert_true(port_of_guest(&item[4], &domid, &handle));
	assert_true(port_of_guest(&item[5], &domid, &handle));
	assert_int_equal(domid, 7);
	assert_int_equal(handle, 1);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_settings(void **state)
{
	char path[] = "/tmp/test-xenpv-settings-XXXXXX";
	int fd = mkstemp(path);
	struct link item[] = {
		{ .index = 1, .name = "eth9", .mac = { { 2, 0, 0, 0, 0, 9 } } },
		{ .index = 2,
		  .name = "eth9.5",
		  .kind = "vlan",
		  .vlan_id = 5,
		  .lower = 1,
		  .lower_is_local = true },
		{ .index = 3, .name = "bond0", .kind = "bond" },
		{ .index = 4, .name = "mmb1", .master = 3 },
		{ .index = 5,
		  .name = "bond0.7",
		  .kind = "vlan",
		  .vlan_id = 7,
		  .lower = 3,
		  .lower_is_local = true },
		{ .index = 6,
		  .name = "eth1",
		  .has_perm_mac = true,
		  .perm_mac = { { 2, 0, 0, 0, 0, 1 } } },
		{ .index = 7, .name = "peth9" },
		{ .index = 8, .name = "eth2" },
		/* nonsense that the kernel does not make */
		{ .index = 9, .name = "loop", .kind = "vlan", .lower = 9, .lower_is_local = true },
	};
	struct links links = { item, ELEMENTSOF(item) };
	struct problem p = { 0 };
	struct settings s;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	put(path, "[bridge]\nnever = eth9, mmb*  02:00:00:00:00:01\nmac-prefix = 00:16:3E\n");
	assert_int_equal(settings_load(path, &s, &p), 0);
	assert_int_equal(s.prefix_len, 3);
	assert_string_equal(settings_forbid(&s, &links, &item[0]), "eth9");
	assert_string_equal(settings_forbid(&s, &links, &item[1]), "eth9");
	assert_string_equal(settings_forbid(&s, &links, &item[2]), "mmb1");
	assert_string_equal(settings_forbid(&s, &links, &item[4]), "mmb1");
	assert_string_equal(settings_forbid(&s, &links, &item[5]), "eth1");
	assert_string_equal(settings_forbid(&s, &links, &item[6]), "peth9");
	assert_null(settings_forbid(&s, &links, &item[7]));
	assert_null(settings_forbid(&s, &links, &item[8]));
	settings_clear(&s);
	put(path, "[bridge]\nmac-prefix = any\n");
	assert_int_equal(settings_load(path, &s, &p), 0);
	assert_int_equal(s.prefix_len, 0);
	settings_clear(&s);
	put(path, "[bridge]\nmac-prefix = 01:00\n");
	assert_int_equal(settings_load(path, &s, &p), -EINVAL);
	assert_non_null(strstr(p.text, "mac-prefix = 01:00 is not"));
	put(path, "[bridge]\nalways = eth1\n");
	assert_int_equal(settings_load(path, &s, &p), -EINVAL);
	assert_non_null(strstr(p.text, "unknown key"));
	unlink(path);
	/* defaults */
	assert_int_equal(settings_load(path, &s, &p), 0);
	assert_int_equal(s.prefix_len, 4);
	assert_null(settings_forbid(&s, &links, &item[0]));
	settings_clear(&s);
}

static void test_addresses_text(void **state)
{
	struct addressing in = { 0 }, out = { 0 };
	struct nlmsghdr *one;
	struct rtnl_msg msg;
	struct ifaddrmsg *ifa;
	char *text;

	(void)state;
	ifa = rtnl_msg_init(&msg, RTM_NEWADDR, 0, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	mnl_attr_put_u32(&msg.header, IFA_LOCAL, 0x0100000a);
	one = &msg.header;
	in.item = &one;
	in.n = 1;
	assert_int_equal(addressing_to_text(&in, &text), 0);
	assert_int_equal(addressing_from_text(text, &out), 0);
	assert_int_equal(out.n, 1);
	assert_memory_equal(out.item[0], one, one->nlmsg_len);
	assert_true(addressing_is_used(&out));
	assert_false(addressing_has_default_route(&out));
	addressing_clear(&out);
	/* cut off at any place, it is either refused or the same */
	for (size_t n = strlen(text) - 2; n > 0; n--) {
		text[n] = '\0';
		assert_int_equal(addressing_from_text(text, &out), -EBADMSG);
	}
	assert_int_equal(addressing_from_text("zz\n", &out), -EBADMSG);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_bad),        cmocka_unit_test(test_guess),
		cmocka_unit_test(test_settings),   cmocka_unit_test(test_addresses_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
