// SPDX-License-Identifier: GPL-2.0-or-later
/* attr/vif: whose an address is, and that it keeps its number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "nettable.h"
#include "vif.h"

static void add_link(struct net_table *table, int index, const char *name, int64_t vif, int master,
		     int lower)
{
	struct net_link link = { .index = index, .vif = vif, .master = master, .lower = lower };

	snprintf(link.name, sizeof(link.name), "%s", name);
	snprintf(link.mac, sizeof(link.mac), "00:16:3e:00:00:%02x", index);
	assert_int_equal(net_table_add_link(table, &link), 0);
}

static void add_address(struct net_table *table, int index, const char *text)
{
	struct net_address address = {
		.index = index,
		.family = strchr(text, ':') ? AF_INET6 : AF_INET,
		.link_local = strncmp(text, "fe80", 4) == 0,
	};

	snprintf(address.text, sizeof(address.text), "%s", text);
	assert_int_equal(net_table_add_address(table, &address), 0);
}

/* The report as "path=value" words below attr/vif/. */
static void check(const struct net_table *table, struct vif_memory *memory, const char *expected)
{
	_cleanup_(report_clear) struct report report = { 0 };
	char text[2048] = "";
	size_t used = 0;

	assert_int_equal(vif_report(table, memory, &report), 0);
	for (size_t i = 0; i < report.n; i++) {
		const char *path = report.entries[i].path;

		assert_int_equal(strncmp(path, "attr/vif/", 9), 0);
		if (strstr(path, "/mac/"))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s=%s",
					 used ? " " : "", path + 9, report.entries[i].value);
	}
	assert_string_equal(text, expected);
}

static void test_by_device_not_by_name(void **state)
{
	_cleanup_(net_table_clear) struct net_table table = { 0 };
	struct vif_memory memory = { 0 };

	(void)state;
	add_link(&table, 1, "lo", -1, 0, 0);
	add_link(&table, 2, "lan", 7, 0, 0);
	add_link(&table, 3, "eth0", -1, 0, 0); /* an emulated or passed-through card */
	add_address(&table, 2, "192.0.2.1");
	add_address(&table, 3, "192.0.2.2");
	add_address(&table, 9, "192.0.2.3"); /* its link went away between two dumps */
	check(&table, &memory, "7/ipv4/0=192.0.2.1 7/name=lan");
}

/* vif 0 in a bridge, vif 1 and 2 in a bond with a VLAN and a macvlan on that. */
static void test_addresses_above(void **state)
{
	_cleanup_(net_table_clear) struct net_table table = { 0 };
	struct vif_memory memory = { 0 };

	(void)state;
	add_link(&table, 2, "enX0", 0, 10, 0);
	add_link(&table, 3, "enX1", 1, 11, 0);
	add_link(&table, 4, "enX2", 2, 11, 0);
	add_link(&table, 10, "br0", -1, 0, 0);
	add_link(&table, 11, "bond0", -1, 0, 0);
	add_link(&table, 12, "bond0.5", -1, 0, 11);
	add_link(&table, 13, "mac0", -1, 0, 12);
	add_link(&table, 14, "docker0", -1, 0, 0);
	add_link(&table, 15, "veth1", -1, 14, 0);
	add_address(&table, 10, "192.0.2.1");
	add_address(&table, 12, "192.0.2.5");
	add_address(&table, 13, "2001:db8::5");
	add_address(&table, 14, "172.17.0.1");
	check(&table, &memory,
	      "0/ipv4/0=192.0.2.1 0/name=enX0 "
	      "1/ipv4/0=192.0.2.5 1/ipv6/0=2001:db8::5 1/name=enX1 "
	      "2/ipv4/0=192.0.2.5 2/ipv6/0=2001:db8::5 2/name=enX2");
}

static void test_circles_end(void **state)
{
	_cleanup_(net_table_clear) struct net_table table = { 0 };
	struct vif_memory memory = { 0 };

	(void)state;
	add_link(&table, 2, "enX0", 0, 3, 2);
	add_link(&table, 3, "a", -1, 4, 4);
	add_link(&table, 4, "b", -1, 3, 3);
	add_address(&table, 4, "192.0.2.1");
	check(&table, &memory, "0/ipv4/0=192.0.2.1 0/name=enX0");
}

static void test_numbers_stay(void **state)
{
	struct vif_memory memory = { 0 };

	(void)state;
	for (int round = 0; round < 5; round++) {
		static const char *const expected[] = {
			/* wider scopes first, else as the kernel lists them */
			"0/ipv4/0=192.0.2.1 0/ipv4/1=192.0.2.2 0/ipv4/2=192.0.2.3 "
			"0/ipv6/0=2001:db8::1 0/ipv6/1=fe80::1 0/name=enX0",
			"0/ipv4/0=192.0.2.1 0/ipv4/2=192.0.2.3 0/ipv6/1=fe80::1 0/name=enX0",
			"0/ipv4/0=192.0.2.1 0/ipv4/1=192.0.2.4 0/ipv4/2=192.0.2.3 "
			"0/ipv6/1=fe80::1 0/name=enX0",
			"", /* unplugged */
			"0/ipv4/0=192.0.2.3 0/name=enX0",
		};
		_cleanup_(net_table_clear) struct net_table table = { 0 };

		if (round != 3)
			add_link(&table, 2, "enX0", 0, 0, 0);
		if (round == 2)
			add_address(&table, 2, "192.0.2.4");
		if (round < 3)
			add_address(&table, 2, "192.0.2.1");
		if (round == 0)
			add_address(&table, 2, "192.0.2.2");
		add_address(&table, 2, "192.0.2.3");
		if (round < 3)
			add_address(&table, 2, "fe80::1");
		if (round == 0)
			add_address(&table, 2, "2001:db8::1");
		check(&table, &memory, expected[round]);
	}
}

static void test_more_than_fit(void **state)
{
	_cleanup_(net_table_clear) struct net_table table = { 0 };
	_cleanup_(report_clear) struct report report = { 0 };
	struct vif_memory memory = { 0 };

	(void)state;
	for (int i = 0; i < VIFS_MAX + 5; i++)
		add_link(&table, 2 + i, "many", i, 0, 0);
	for (int i = 0; i < VIF_ADDRESSES_MAX + 5; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%d", i);
		add_address(&table, 2, text);
	}
	assert_int_equal(vif_report(&table, &memory, &report), 0);
	assert_non_null(report_find(&report, "attr/vif/0/ipv4/9"));
	assert_null(report_find(&report, "attr/vif/0/ipv4/10"));
	assert_non_null(report_find(&report, "attr/vif/63/name"));
	assert_null(report_find(&report, "attr/vif/64/name"));
	assert_string_equal(report_find(&report, "attr/vif/0/mac/0"), "00:16:3e:00:00:02");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_device_not_by_name),
		cmocka_unit_test(test_addresses_above),
		cmocka_unit_test(test_circles_end),
		cmocka_unit_test(test_numbers_stay),
		cmocka_unit_test(test_more_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
