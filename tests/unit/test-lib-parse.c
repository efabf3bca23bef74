// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/parse.h"

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "7", 0, 7 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE },
		{ "99999999999999999999999999999999999999", -ERANGE },
		{ "", -EINVAL },
		{ "-1", -EINVAL },
		{ "+1", -EINVAL },
		{ " 1", -EINVAL },
		{ "1 ", -EINVAL },
		{ "1\n", -EINVAL },
		{ "0x10", -EINVAL },
		{ "1a", -EINVAL },
		{ "1.5", -EINVAL },
		{ "\xc2\xb2", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 4711;

		assert_int_equal(parse_u64(cases[i].text, 0, UINT64_MAX, &v), cases[i].result);
		assert_int_equal(v, cases[i].result ? 4711 : cases[i].value);
	}
}

static void test_bounds(void **state)
{
	uint32_t v = 4711;

	(void)state;
	assert_int_equal(parse_u32("4", 5, 10, &v), -ERANGE);
	assert_int_equal(parse_u32("11", 5, 10, &v), -ERANGE);
	assert_int_equal(parse_u32("4294967296", 0, UINT32_MAX, &v), -ERANGE);
	assert_int_equal(v, 4711);
	assert_int_equal(parse_u32("5", 5, 10, &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(parse_u32("10", 5, 10, &v), 0);
	assert_int_equal(v, 10);
}

static void test_bool(void **state)
{
	bool b = false;

	(void)state;
	assert_int_equal(parse_bool("yes", &b), 0);
	assert_true(b);
	assert_int_equal(parse_bool("OFF", &b), 0);
	assert_false(b);
	assert_int_equal(parse_bool("1", &b), 0);
	assert_true(b);
	assert_int_equal(parse_bool("2", &b), -EINVAL);
	assert_int_equal(parse_bool("", &b), -EINVAL);
	assert_true(b);
}

static void test_devnum(void **state)
{
	uint32_t major = 1, minor = 2;

	(void)state;
	assert_int_equal(parse_devnum("fd:3", &major, &minor), 0);
	assert_int_equal(major, 0xfd);
	assert_int_equal(minor, 3);
	assert_int_equal(parse_devnum("FFF:fffff", &major, &minor), 0);
	assert_int_equal(parse_devnum("1000:0", &major, &minor), -ERANGE);
	assert_int_equal(parse_devnum("0:100000", &major, &minor), -ERANGE);
	assert_int_equal(parse_devnum("fd", &major, &minor), -EINVAL);
	assert_int_equal(parse_devnum("fd:", &major, &minor), -EINVAL);
	assert_int_equal(parse_devnum(":3", &major, &minor), -EINVAL);
	assert_int_equal(parse_devnum("fd:3:4", &major, &minor), -EINVAL);
	assert_int_equal(parse_devnum("", &major, &minor), -EINVAL);
	assert_int_equal(major, 0xfff);
}

static void test_component(void **state)
{
	const char *p = "5/51712/state";
	uint32_t v;

	(void)state;
	assert_int_equal(parse_component(&p, &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(parse_component(&p, &v), 0);
	assert_int_equal(v, 51712);
	assert_string_equal(p, "state");
	assert_int_equal(parse_component(&p, &v), -EINVAL);
	assert_string_equal(p, "state");
	p = "12";
	assert_int_equal(parse_component(&p, &v), 0);
	assert_string_equal(p, "");
	p = "4294967296/x";
	assert_int_equal(parse_component(&p, &v), -ERANGE);
}

static void test_real(void **state)
{
	static const char *const wrong[] = { "",    " 1",  "1 ",    "x",        "1x",
					     "nan", "inf", "1e999", "-infinity" };
	double v = 0;

	(void)state;
	assert_int_equal(parse_real("-0.25", &v), 0);
	assert_true(v == -0.25);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(parse_real(wrong[i], &v), -EINVAL);
	assert_true(v == -0.25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),   cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bool),      cmocka_unit_test(test_devnum),
		cmocka_unit_test(test_component), cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
