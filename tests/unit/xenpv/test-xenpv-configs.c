// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files are domain configurations, where nobody names any; what xl.conf has for all. */
#include <ftw.h>
#include <limits.h>
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

#include "lib/cleanup.h"
#include "xenpv/bridge/files.h"
#include "xenpv/config/configs.h"
#include "xenpv/config/xlconf.h"
#include "xenpv/config/xldefaults.h"

static char directory[] = "/tmp/test-xenpv-configs-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void path_of(const char *name, char ret[PATH_MAX])
{
	assert_true(snprintf(ret, PATH_MAX, "%s/%s", directory, name) < PATH_MAX);
}

static void put(const char *name, const char *text)
{
	char path[PATH_MAX];

	path_of(name, path);
	assert_int_equal(file_replace(path, text), 0);
}

static void put_link(const char *name, const char *target)
{
	char path[PATH_MAX];

	path_of(name, path);
	assert_int_equal(symlink(target, path), 0);
}

/* @names: with a space behind each */
static void expect(const char *names)
{
	struct configs found;
	char got[4096] = "";
	size_t n = 0;

	assert_int_equal(configs_find(directory, &found), 0);
	for (size_t i = 0; i < found.n; i++) {
		assert_int_equal(strncmp(found.path[i], directory, strlen(directory)), 0);
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s ",
				      found.path[i] + strlen(directory) + 1);
	}
	configs_clear(&found);
	assert_string_equal(got, names);
}

static void test_suffix(void **state)
{
	(void)state;
	expect("");
	put("b.cfg", "nonsense");
	put("a.cfg", "name = 'a'");
	put(".hidden.cfg", "name = 'h'");
	put("a.cfg.rpmsave", "name = 'a'");
	put(".cfg", "name = 'a'");
	put("dir.cfg/file", "name = 'd'");
	put_link("c.cfg", "a.cfg");
	expect("a.cfg b.cfg ");
	put_link("gone.cfg", "nowhere");
	put_link("gone2.cfg", "nowhere");
	expect("a.cfg b.cfg gone.cfg gone2.cfg ");
}

/* /etc/xen also has scripts, and settings of other programs. */
static void test_plain(void **state)
{
	_cleanup_free_ char *large = malloc(XLCONF_SIZE_MAX + 64);

	(void)state;
	assert_non_null(large);
	put("web", "# a guest\nmemory = 512\nname = \"web\"\n");
	put("db", "name='db'");
	put("tab", "kernel = 'x'\nname\t= 'tab'\n");
	put("broken", "name = 'broken\n");
	put("nested", "vif = [\n  name = 'x'\n]\n # name = 'x'\n");
	put("names", "names = 'x'\n");
	put("word", "name\n");
	put("empty", "");
	put("web~", "name = 'old'\n");
	put("xend.sxp", "name = 'x'\n");
	put("scripts/vif", "name = 'x'\n");
	memset(large, '#', XLCONF_SIZE_MAX + 63);
	memcpy(large, "name = 'x'\n", 11);
	large[XLCONF_SIZE_MAX + 63] = '\0';
	put("large", large);
	put_link("link", "web");
	put_link("other", "scripts/vif");
	put_link("nowhere", "gone");
	put_link("null", "/dev/null");
	put("z.cfg", "name = 'z'\n");
	put_link("a-first", "z.cfg");
	expect("broken db link other tab z.cfg ");
}

static void test_auto(void **state)
{
	(void)state;
	put("web.cfg", "name = 'web'\n");
	put("db", "name = 'db'\n");
	put("elsewhere/mail.conf", "memory = 5\n");
	put("auto/own", "memory = 5\n");
	put_link("auto/10-web", "../web.cfg");
	put_link("auto/20-db", "../db");
	put_link("auto/30-mail", "../elsewhere/mail.conf");
	put_link("auto/31-mail", "../elsewhere/mail.conf");
	put_link("auto/gone", "../gone");
	put("auto/.hidden", "name = 'x'\n");
	expect("auto/30-mail auto/gone auto/own db web.cfg ");
}

static void expect_defaults(const char *text, const char *bridge, const char *script)
{
	struct xl_defaults d;
	char path[PATH_MAX];

	put("xl.conf", text);
	path_of("xl.conf", path);
	assert_int_equal(xl_defaults_load(path, &d), 0);
	assert_string_equal(d.bridge ?: "-", bridge);
	assert_string_equal(d.script ?: "-", script);
	xl_defaults_clear(&d);
}

static void test_xl_defaults(void **state)
{
	(void)state;
	expect_defaults(NULL, "-", "-");
	expect_defaults("#vif.default.bridge=\"xenbr0\"\nautoballoon = 0\n", "-", "-");
	expect_defaults("vif.default.bridge=\"xenbr5\"\nvif.default.script=\"vif-openvswitch\"\n",
			"xenbr5", "vif-openvswitch");
	expect_defaults("defaultbridge = 'old'\nvifscript = 'vif-route'\n", "old", "vif-route");
	expect_defaults("defaultbridge = 'old'\nvif.default.bridge = 'new'\n", "new", "-");
	expect_defaults("vif.default.bridge = ''\n", "-", "-");
	expect_defaults("vif.default.bridge = 5\n", "-", "-");
	expect_defaults("vif.default.bridge = 'x'\n(\n", "-", "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_suffix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auto, setup, teardown),
		cmocka_unit_test_setup_teardown(test_xl_defaults, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
