// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/config/xlconf.h"

static struct xlconf parse(const char *text)
{
	struct xlconf conf = { 0 };
	unsigned int line = 0;
	char why[256] = "";
	int r = xlconf_parse(text, &conf, &line, why, sizeof(why));

	if (r < 0)
		fail_msg("line %u: %s", line, why);
	return conf;
}

static const char *text_of(const struct xlconf *conf, const char *name)
{
	const struct xlconf_value *v = xlconf_get(conf, name);

	assert_non_null(v);
	return v->text;
}

static void test_values(void **state)
{
	struct xlconf conf;
	const struct xlconf_value *v;

	(void)state;
	conf = parse("# a guest\n"
		     "name = \"web1\"\r\n"
		     "  memory=1024; vcpus = 0x4 # four\n"
		     "kernel = 'a # b \"c\"'\n"
		     "on_crash = \"a\\\"b\\x41\\\\\\t\"\n"
		     "neg = -5\n"
		     ";;\n"
		     "disk = [ 'a,b,c',\n"
		     "   # in between\n"
		     "   \"d\" , ]\n"
		     "empty = []\n"
		     "nested = [ [1, 2], [] , [ 'x' ] ]");
	assert_string_equal(text_of(&conf, "name"), "web1");
	assert_string_equal(text_of(&conf, "memory"), "1024");
	assert_string_equal(text_of(&conf, "vcpus"), "0x4");
	assert_string_equal(text_of(&conf, "kernel"), "a # b \"c\"");
	assert_string_equal(text_of(&conf, "on_crash"), "a\"bA\\\t");
	assert_string_equal(text_of(&conf, "neg"), "-5");
	v = xlconf_get(&conf, "disk");
	assert_int_equal(v->type, XLCONF_LIST);
	assert_int_equal(v->n, 2);
	assert_string_equal(v->item[0]->text, "a,b,c");
	assert_int_equal(v->item[0]->line, 8);
	assert_string_equal(v->item[1]->text, "d");
	assert_int_equal(v->item[1]->line, 10);
	assert_int_equal(xlconf_get(&conf, "empty")->n, 0);
	v = xlconf_get(&conf, "nested");
	assert_int_equal(v->n, 3);
	assert_int_equal(v->item[0]->n, 2);
	assert_string_equal(v->item[2]->item[0]->text, "x");
	assert_null(xlconf_get(&conf, "absent"));
	xlconf_clear(&conf);
}

static void test_again(void **state)
{
	struct xlconf conf;

	(void)state;
	conf = parse("a = 'x'\na = 'y'\na += 'z'\n"
		     "l = ['1']\nl += ['2', '3']\n"
		     "new += 'n'\n");
	assert_string_equal(text_of(&conf, "a"), "yz");
	assert_int_equal(xlconf_get(&conf, "l")->n, 3);
	assert_string_equal(xlconf_get(&conf, "l")->item[2]->text, "3");
	assert_string_equal(text_of(&conf, "new"), "n");
	xlconf_clear(&conf);
	conf = parse("");
	assert_int_equal(conf.n, 0);
	conf = parse("# only a comment");
	assert_int_equal(conf.n, 0);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *why;
	} cases[] = {
		{ "name", 1, "name is not followed by =" },
		{ "\nname =", 2, "a value is a" },
		{ "name = web1", 1, "a value is a" },
		{ "name = \"web1", 1, "no closing \"" },
		{ "name = \"web1\nx\"", 1, "no closing \"" },
		{ "name = 'a\\", 1, "no closing '" },
		{ "name = 'a\\q'", 1, "no escape \\q" },
		{ "name = 'a\\xg1'", 1, "not followed by two" },
		{ "name = 'a\\x00'", 1, "NUL" },
		{ "name = \"a\" \"b\"", 1, "followed by something else" },
		{ "name = 1 2", 1, "followed by something else" },
		{ "vif = [ 'a' 'b' ]", 1, "neither , nor ]" },
		{ "vif = [ 'a',\n\n", 3, "a value is a" },
		{ "vif = [ 'a'", 1, "neither , nor ]" },
		{ "vif = ]", 1, "a value is a" },
		{ "vif = [,]", 1, "a value is a" },
		{ "[ 'a' ]", 1, "expected name = value" },
		{ "1 = 2", 1, "expected name = value" },
		{ "a == 2", 1, "a value is a" },
		{ "a = -", 1, "stands alone" },
		{ "a = 'x'\na += 1", 2, "another type" },
		{ "a = 1\na += 1", 2, "another type" },
		{ "a = [[[[[[[[[[1]]]]]]]]]]", 1, "more than 8 deep" },
		{ "import os\n", 1, "import is not followed by =" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct xlconf conf;
		unsigned int line = 0;
		char why[256] = "";

		assert_int_equal(xlconf_parse(cases[i].text, &conf, &line, why, sizeof(why)),
				 -EINVAL);
		if (line != cases[i].line || !strstr(why, cases[i].why))
			fail_msg("case %zu: line %u: %s", i, line, why);
		assert_int_equal(conf.n, 0);
	}
}

/* 64 KiB, beyond what the manual's tools could read. */
static void test_large(void **state)
{
	char *text = malloc(XLCONF_SIZE_MAX), *p = text;
	struct xlconf conf;
	unsigned int line;
	char why[256];

	(void)state;
	assert_non_null(text);
	p += sprintf(p, "name = 'big'\nvif = [\n");
	for (int i = 0; i < 2000; i++)
		p += sprintf(p, "  'mac=02:17:42:2F:%02X:%02X,bridge=gintbr3',\n", i >> 8, i & 255);
	p += sprintf(p, "]\n");
	assert_true(p - text > 65536);
	conf = parse(text);
	assert_int_equal(xlconf_get(&conf, "vif")->n, 2000);
	xlconf_clear(&conf);

	p = text + sprintf(text, "x = [");
	for (int i = 0; i <= XLCONF_VALUES_MAX; i++)
		p += sprintf(p, "1,");
	sprintf(p, "]");
	assert_int_equal(xlconf_parse(text, &conf, &line, why, sizeof(why)), -E2BIG);
	assert_non_null(strstr(why, "more than"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
