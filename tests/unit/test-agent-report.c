// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "pvaddons.h"
#include "report.h"

static void test_values_are_made_fit(void **state)
{
	static const struct {
		const char *value;
		const char *expected;
	} cases[] = {
		{ "plain", "plain" },
		{ "", NULL },
		{ NULL, NULL },
		{ "two\nlines\tand\x7f", "two lines and " },
		{ "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\xa7",
		  "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\xa7" },
		{ "latin1 \xe9t\xe9", "latin1 ?t?" },
		{ "cut \xe2\x82", "cut ??" },
		{ "overlong \xc0\xaf \xe0\x80\xaf", "overlong ?? ???" },
		{ "surrogate \xed\xa0\x80", "surrogate ???" },
		{ "beyond \xf4\x90\x80\x80", "beyond ????" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(report_clear) struct report report = { 0 };

		assert_int_equal(report_add(&report, "data/x", cases[i].value), 0);
		assert_int_equal(report.n, 1);
		if (cases[i].expected)
			assert_string_equal(report_find(&report, "data/x"), cases[i].expected);
		else
			assert_null(report_find(&report, "data/x"));
	}
}

static void test_long_values_are_cut_between_characters(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };
	char value[REPORT_VALUE_MAX + 100];

	(void)state;
	memset(value, 'a', sizeof(value));
	/* A two-byte character across the limit has to go as a whole. */
	memcpy(value + REPORT_VALUE_MAX - 1, "\xc3\xaf", 2);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(report_add(&report, "data/x", value), 0);
	assert_int_equal(strlen(report_find(&report, "data/x")), REPORT_VALUE_MAX - 1);
}

static void test_order_is_kept(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		char path[32];

		snprintf(path, sizeof(path), "data/%u", i);
		assert_int_equal(report_addf(&report, path, "%u", i * i), 0);
	}
	assert_int_equal(report.n, 100);
	assert_string_equal(report.entries[7].path, "data/7");
	assert_string_equal(report.entries[99].value, "9801");
	assert_null(report_find(&report, "data/100"));
}

static void test_json(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_non_null(file);
	assert_int_equal(report_add(&report, "data/a", "say \"hi\" \\ \x01"), 0);
	assert_int_equal(report_add(&report, "data/b", NULL), 0);
	assert_int_equal(report_print_json(&report, file), 0);
	fclose(file);
	assert_string_equal(text,
			    "{\n  \"data/a\": \"say \\\"hi\\\" \\\\  \",\n  \"data/b\": null\n}\n");
}

static void test_version_parts(void **state)
{
	static const struct {
		const char *version;
		int r;
		const char *parts[4];
	} cases[] = {
		{ "1.2.3", 0, { "1", "2", "3", "0" } },
		{ "0.10.4294967295.77", 0, { "0", "10", "4294967295", "77" } },
		{ "5", 0, { "5", "0", "0", "0" } },
		{ "", -EINVAL, { 0 } },
		{ "1.2.", -EINVAL, { 0 } },
		{ "1..3", -EINVAL, { 0 } },
		{ "1.2.3.4.5", -EINVAL, { 0 } },
		{ "1.2.3-rc1", -EINVAL, { 0 } },
		{ "1.2.4294967296", -EINVAL, { 0 } },
		{ "1.2.99999999999999999999", -EINVAL, { 0 } },
	};
	static const char *const paths[] = {
		"attr/PVAddons/MajorVersion",
		"attr/PVAddons/MinorVersion",
		"attr/PVAddons/MicroVersion",
		"attr/PVAddons/BuildVersion",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(report_clear) struct report report = { 0 };

		assert_int_equal(pvaddons_report(cases[i].version, &report), cases[i].r);
		if (cases[i].r < 0) {
			assert_int_equal(report.n, 0);
			continue;
		}
		for (size_t j = 0; j < ELEMENTSOF(paths); j++)
			assert_string_equal(report_find(&report, paths[j]), cases[i].parts[j]);
		assert_string_equal(report.entries[report.n - 1].path, "attr/PVAddons/Installed");
		assert_string_equal(report_find(&report, "attr/PVAddons/Installed"), "1");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_made_fit),
		cmocka_unit_test(test_long_values_are_cut_between_characters),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_version_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
