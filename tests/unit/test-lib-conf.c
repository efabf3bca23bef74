// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/conf.h"

struct settings {
	bool flag;
	uint32_t number;
	char *text;
};

static const struct conf_key keys[] = {
	{ "one", "flag", CONF_BOOL, offsetof(struct settings, flag) },
	{ "one", "number", CONF_U32, offsetof(struct settings, number), 1, 9 },
	{ "two", "text", CONF_STRING, offsetof(struct settings, text) },
	{ NULL },
};

static void test_good(void **state)
{
	struct settings s = { .number = 5 };
	char error[256] = "";

	(void)state;
	assert_int_equal(conf_parse("t",
				    "# comment\n"
				    "; another\n"
				    "\n"
				    "[one]\n"
				    "  flag\t= yes  \n"
				    "number=9\n"
				    "[two]\n"
				    "text = a = b # not a comment\n"
				    "text = again",
				    keys, &s, error, sizeof(error)),
			 0);
	assert_true(s.flag);
	assert_int_equal(s.number, 9);
	assert_string_equal(s.text, "again");
	assert_int_equal(conf_parse("t", "[two]\ntext =\n", keys, &s, error, sizeof(error)), 0);
	assert_string_equal(s.text, "");
	assert_int_equal(conf_parse("t", "", keys, &s, error, sizeof(error)), 0);
	free(s.text);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "flag = yes\n", "f:1: unknown key \"flag\" in section []" },
		{ "[one]\ntext = x\n", "f:2: unknown key \"text\" in section [one]" },
		{ "[one]\nflag = maybe\n", "f:2: flag = maybe is not a boolean (yes or no)" },
		{ "[one]\nnumber = 10\n", "f:2: number = 10 is out of range, allowed are 1 to 9" },
		{ "[one]\nnumber = ten\n", "f:2: number = ten is not a number" },
		{ "[one]\nnumber\n", "f:2: expected \"key = value\", found \"number\"" },
		{ "[]\n", "f:1: bad section header \"[]\"" },
		{ "[one\n", "f:1: bad section header \"[one\"" },
		{ "[three]\nx = y\n", "f:2: unknown key \"x\" in section [three]" },
	};
	struct settings s = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[256] = "";

		assert_int_equal(conf_parse("f", cases[i].text, keys, &s, error, sizeof(error)),
				 -EINVAL);
		assert_string_equal(error, cases[i].error);
	}
}

static void test_long_line(void **state)
{
	size_t n = 20000;
	char *text = malloc(n + 1);
	char error[256] = "";
	struct settings s = { 0 };

	(void)state;
	memset(text, 'x', n);
	text[n] = '\0';
	assert_int_equal(conf_parse("f", text, keys, &s, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "f:1: line is longer"));
	free(text);
}

static void put(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/test-lib-conf-XXXXXX", path[64], drop[96];
	struct settings s = { .number = 5 };
	char error[256] = "";

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.conf", dir);
	/* a missing file is no error */
	assert_int_equal(conf_load(path, keys, &s, error, sizeof(error)), 0);
	assert_int_equal(s.number, 5);

	put(path, "[one]\nnumber = 2\nflag = yes\n", 28);
	snprintf(drop, sizeof(drop), "%s.d", path);
	assert_int_equal(mkdir(drop, 0700), 0);
	snprintf(drop, sizeof(drop), "%s.d/20-b.conf", path);
	put(drop, "[one]\nnumber = 4\n", 17);
	snprintf(drop, sizeof(drop), "%s.d/10-a.conf", path);
	put(drop, "[one]\nnumber = 3\n", 17);
	snprintf(drop, sizeof(drop), "%s.d/30-c.backup", path);
	put(drop, "nonsense", 8);
	assert_int_equal(conf_load(path, keys, &s, error, sizeof(error)), 0);
	assert_int_equal(s.number, 4);
	assert_true(s.flag);

	/* a NUL byte would hide the rest */
	put(drop, "", 0);
	snprintf(drop, sizeof(drop), "%s.d/40-d.conf", path);
	put(drop, "[one]\n\0number = 9\n", 18);
	assert_int_equal(conf_load(path, keys, &s, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "40-d.conf"));

	unlink(drop);
	snprintf(drop, sizeof(drop), "%s.d/30-c.backup", path);
	unlink(drop);
	snprintf(drop, sizeof(drop), "%s.d/20-b.conf", path);
	unlink(drop);
	snprintf(drop, sizeof(drop), "%s.d/10-a.conf", path);
	unlink(drop);
	snprintf(drop, sizeof(drop), "%s.d", path);
	assert_int_equal(rmdir(drop), 0);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
