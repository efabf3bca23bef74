// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/vif-config.h"

static int parse(const struct vif_nodes *nodes, struct vif_config *ret, char *error)
{
	memset(ret, 0xaa, sizeof(*ret));
	*error = '\0';
	return vif_config_parse(nodes, 2, ret, error, 256);
}

static void test_plain(void **state)
{
	static const struct vif_nodes nodes = { .mac = "00:16:3E:0a:0b:0C" };
	struct vif_config c;
	char error[256];

	(void)state;
	assert_int_equal(parse(&nodes, &c, error), 0);
	assert_memory_equal(c.mac.byte, "\x00\x16\x3e\x0a\x0b\x0c", 6);
	assert_false(c.emulated);
	assert_int_equal(c.rate_bytes, 0);
	assert_int_equal(c.rate_us, 0);
	assert_int_equal(c.mtu, 0);
}

static void test_all(void **state)
{
	static const struct vif_nodes nodes = {
		.mac = "00:16:3e:00:00:01",
		.handle = "2",
		.type = "vif_ioemu",
		.rate = "18446744073709551615,10000000",
		.vifname = "a-name-of-15-ch",
		.mtu = "65535",
	};
	struct vif_config c;
	char error[256];

	(void)state;
	assert_int_equal(parse(&nodes, &c, error), 0);
	assert_true(c.emulated);
	assert_true(c.rate_bytes == UINT64_MAX);
	assert_int_equal(c.rate_us, 10000000);
	assert_int_equal(c.mtu, 65535);
}

static void test_bad(void **state)
{
	static const char good[] = "00:16:3e:00:00:01";
	static const struct {
		struct vif_nodes nodes;
		const char *names; /* what the message has to name */
	} cases[] = {
		{ { 0 }, "mac" },
		{ { .mac = "" }, "mac" },
		{ { .mac = "00:16:3e:00:00" }, "00:16:3e:00:00" },
		{ { .mac = "00:16:3e:00:00:01:02" }, "mac" },
		{ { .mac = "00-16-3e-00-00-01" }, "mac" },
		{ { .mac = "00:00:00:00:00:00" }, "mac" },
		{ { .mac = "ff:ff:ff:ff:ff:ff" }, "mac" },
		{ { .mac = good, .handle = "3" }, "handle" },
		{ { .mac = good, .handle = "-2" }, "handle" },
		{ { .mac = good, .handle = "" }, "handle" },
		{ { .mac = good, .type = "" }, "type" },
		{ { .mac = good, .type = "vif_virtio" }, "vif_virtio" },
		{ { .mac = good, .rate = "" }, "rate" },
		{ { .mac = good, .rate = "1000" }, "rate" },
		{ { .mac = good, .rate = "," }, "rate" },
		{ { .mac = good, .rate = "1000," }, "rate" },
		{ { .mac = good, .rate = ",1000" }, "rate" },
		{ { .mac = good, .rate = "0,50000" }, "rate" },
		{ { .mac = good, .rate = "1,0" }, "rate" },
		{ { .mac = good, .rate = "1,10000001" }, "rate" },
		{ { .mac = good, .rate = "1,2,3" }, "rate" },
		{ { .mac = good, .rate = "1, 2" }, "rate" },
		{ { .mac = good, .mtu = "" }, "mtu" },
		{ { .mac = good, .mtu = "67" }, "mtu" },
		{ { .mac = good, .mtu = "65536" }, "mtu" },
		{ { .mac = good, .rate = "18446744073709551616,1" }, "rate" },
		{ { .mac = good, .rate = "0000000000000000000000000000001,1" }, "rate" },
		{ { .mac = good, .vifname = "a-name-of-16-cha" }, "vifname" },
		{ { .mac = good, .vifname = "a/b" }, "vifname" },
		{ { .mac = good, .vifname = "vif%d" }, "vifname" },
		{ { .mac = good, .vifname = "a b" }, "vifname" },
		{ { .mac = good, .vifname = ".." }, "vifname" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vif_config c, untouched;
		char error[256];

		memset(&untouched, 0xaa, sizeof(untouched));
		assert_int_equal(parse(&cases[i].nodes, &c, error), -EINVAL);
		assert_memory_equal(&c, &untouched, sizeof(c));
		assert_non_null(strstr(error, cases[i].names));
	}
}

/* An endless value is cut in the message. */
static void test_long(void **state)
{
	char value[4096];
	const struct vif_nodes nodes = { .mac = value };
	struct vif_config c;
	char error[256];

	(void)state;
	memset(value, '0', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(parse(&nodes, &c, error), -EINVAL);
	assert_true(strlen(error) < 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
