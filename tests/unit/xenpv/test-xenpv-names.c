// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of bridges and ports, Ethernet and IP addresses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/ip.h"
#include "xenpv/bridge/link.h"
#include "lib/mac.h"
#include "xenpv/bridge/shape.h"

static void test_bridges(void **state)
{
	static const struct {
		const char *name;
		enum shape shape;
		uint32_t number;
	} cases[] = {
		{ "xenbr0", SHAPE_XENBR, 0 },
		{ "gextbr1", SHAPE_GEXTBR, 1 },
		{ "intbr2", SHAPE_INTBR, 2 },
		{ "gintbr127", SHAPE_GINTBR, 127 },
		{ "xenbr128", SHAPE_NONE, 99 },
		{ "xenbr00", SHAPE_NONE, 99 },
		{ "xenbr01", SHAPE_NONE, 99 },
		{ "xenbr", SHAPE_NONE, 99 },
		{ "xenbr-1", SHAPE_NONE, 99 },
		{ "xenbr1x", SHAPE_NONE, 99 },
		{ "Xenbr1", SHAPE_NONE, 99 },
		{ "br1", SHAPE_NONE, 99 },
		{ "", SHAPE_NONE, 99 },
		{ "intbr 1", SHAPE_NONE, 99 },
		{ "gintbr99999999999", SHAPE_NONE, 99 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		uint32_t number = 99;

		assert_int_equal(shape_parse(cases[i].name, &number), cases[i].shape);
		assert_int_equal(number, cases[i].number);
	}
	assert_true(shape_resembles("xenbr128"));
	assert_true(shape_resembles("gintbr007"));
	assert_false(shape_resembles("virbr0"));
	assert_false(shape_resembles("xenbrx"));
}

/* The manual's table. */
static void test_table(void **state)
{
	(void)state;
	assert_true(shape_outside(SHAPE_XENBR) && shape_dom0(SHAPE_XENBR));
	assert_true(shape_outside(SHAPE_GEXTBR) && !shape_dom0(SHAPE_GEXTBR));
	assert_true(!shape_outside(SHAPE_INTBR) && shape_dom0(SHAPE_INTBR));
	assert_true(!shape_outside(SHAPE_GINTBR) && !shape_dom0(SHAPE_GINTBR));
}

static void test_ports(void **state)
{
	static const struct {
		const char *name;
		bool ok;
		uint32_t domid, handle;
	} cases[] = {
		{ "vif1.0", true, 1, 0 },
		{ "vif32751.9", true, 32751, 9 },
		{ "vif3.0-emu", true, 3, 0 },
		{ "tap3.1", true, 3, 1 },
		{ "vif0.127", true, 0, 127 },
		{ "vif32752.0", false, 0, 0 },
		{ "vif1", false, 0, 0 },
		{ "vif1.", false, 0, 0 },
		{ "vif.1", false, 0, 0 },
		{ "vif01.0", false, 0, 0 },
		{ "vif1.0-x", false, 0, 0 },
		{ "vif1.65536", false, 0, 0 },
		{ "eth0", false, 0, 0 },
		{ "vifx.0", false, 0, 0 },
		{ "vif1.0.0", false, 0, 0 },
		{ "vif-emu", false, 0, 0 },
		{ "vif11111111111111111.1", false, 0, 0 },
	};
	char port[IFNAMSIZ];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		uint32_t domid = 0, handle = 0;

		assert_int_equal(port_parse(cases[i].name, &domid, &handle), cases[i].ok);
		assert_int_equal(domid, cases[i].domid);
		assert_int_equal(handle, cases[i].handle);
	}
	port_of_dom0(127, port);
	assert_string_equal(port, "vif0.127");
}

static void test_link_names(void **state)
{
	static const char *const good[] = { "eth0", "eth0.10", "a", "fifteen-letters",
					    "pbond0.4094" };
	static const char *const bad[] = { "",    ".",   "..",  "a/b", "a b", "sixteen-letters-",
					   "a:1", "a%d", "a\n", "a\"", "a*" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++)
		assert_true(link_name_ok(good[i]));
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_false(link_name_ok(bad[i]));
}

static void test_macs(void **state)
{
	static const char *const bad[] = { "",
					   "02:17:42:2F:00",
					   "02:17:42:2F:00:0",
					   "02:17:42:2F:00:000",
					   "02:17:42:2F:00:00:00",
					   "02-17-42-2F-00-00",
					   "02:17:42:2G:00:00",
					   " 02:17:42:2F:00:00",
					   "02:17:42:2F:00:00 ",
					   "2:17:42:2F:00:00",
					   "02::42:2F:00:00",
					   "021742:2F:00:00" };
	struct mac mac, prefix;
	char text[MAC_TEXT];
	size_t n;

	(void)state;
	assert_int_equal(mac_parse("02:17:42:2f:aB:09", &mac), 0);
	assert_string_equal(mac_format(&mac, text), "02:17:42:2F:AB:09");
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct mac before = mac;

		assert_int_equal(mac_parse(bad[i], &mac), -EINVAL);
		assert_true(mac_equal(&mac, &before));
	}
	assert_int_equal(mac_parse_prefix("02:17:42:2F", &prefix, &n), 0);
	assert_int_equal(n, 4);
	assert_true(mac_has_prefix(&mac, &prefix, n));
	assert_int_equal(mac_parse("02:17:42:2E:AB:09", &mac), 0);
	assert_false(mac_has_prefix(&mac, &prefix, n));
	assert_true(mac_has_prefix(&mac, &prefix, 0));
	assert_int_equal(mac_parse("01:00:5e:00:00:01", &mac), 0);
	assert_true(mac_is_multicast(&mac));
	assert_int_equal(mac_parse("ff:ff:ff:ff:ff:ff", &mac), 0);
	assert_true(mac_is_multicast(&mac));
	assert_false(mac_is_multicast(&mac_of_ports));
	assert_int_equal(mac_parse("00:00:00:00:00:00", &mac), 0);
	assert_true(mac_is_zero(&mac));
}

static void test_ips(void **state)
{
	static const char *const good[] = { "192.168.1.10/24", "10.0.0.1/8", "10.0.0.1/32",
					    "fd00::1/64",      "fe80::1/10", "2001:db8::1/128" };
	static const char *const bad[] = { "192.168.1.10",
					   "192.168.1.10/0",
					   "192.168.1.10/33",
					   "192.168.1/24",
					   "192.168.1.256/24",
					   "224.0.0.1/4",
					   "255.255.255.255/32",
					   "127.0.0.1/8",
					   "0.0.0.0/8",
					   "fd00::1",
					   "fd00::1/129",
					   "::1/128",
					   "::/64",
					   "ff02::1/64",
					   "fd00::1/64/64",
					   "x/24",
					   "/24",
					   "",
					   "fd00::1/-1",
					   "10.0.0.1/ 8" };
	struct ip ip, network;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++)
		assert_int_equal(ip_parse(good[i], &ip), 0);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(ip_parse(bad[i], &ip), -EINVAL);
	assert_int_equal(ip_parse("192.168.7.10/22", &ip), 0);
	assert_int_equal(ip.family, AF_INET);
	network = ip_network(&ip);
	assert_memory_equal(network.byte, ((uint8_t[]){ 192, 168, 4, 0 }), 4);
	network = ip_broadcast(&ip);
	assert_memory_equal(network.byte, ((uint8_t[]){ 192, 168, 7, 255 }), 4);
	assert_int_equal(ip_parse("10.1.2.3/32", &ip), 0);
	network = ip_network(&ip);
	assert_memory_equal(network.byte, ip.byte, 16);
}

static void test_ip_text(void **state)
{
	static const char *const cases[][2] = {
		{ "192.168.1.10/24", "192.168.1.10/24" },
		{ "10.0.0.1/000000000000000000000000000000000000000000000000000000008",
		  "10.0.0.1/8" },
		{ "FD00:0:0:0:0:0:0:01/064", "fd00::1/64" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888/128",
		  "1111:2222:3333:4444:5555:6666:7777:8888/128" },
		{ "::ffff:255.255.255.255/128", "::ffff:255.255.255.255/128" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[IP_TEXT];
		struct ip ip;

		assert_int_equal(ip_parse(cases[i][0], &ip), 0);
		ip_format(&ip, text);
		assert_string_equal(text, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridges), cmocka_unit_test(test_table),
		cmocka_unit_test(test_ports),   cmocka_unit_test(test_link_names),
		cmocka_unit_test(test_macs),    cmocka_unit_test(test_ips),
		cmocka_unit_test(test_ip_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
