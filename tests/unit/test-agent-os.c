// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "os.h"

static void test_os_release_values(void **state)
{
	static const struct {
		const char *text;
		const char *expected; /* NULL: -ENOENT */
	} cases[] = {
		{ "ID=debian\n", "debian" },
		{ "ID=debian", "debian" },
		{ "NAME=\"a\"\nID='fed ora'\n", "fed ora" },
		{ "ID=\"\"\n", "" },
		{ "ID=\n", "" },
		{ "ID=\"say \\\"hi\\\" \\$x \\\\ \\n\"\n", "say \"hi\" $x \\ \\n" },
		{ "ID='no \\ escape'\n", "no \\ escape" },
		{ "ID=a\\ b c\n", "a b" },
		{ "ID=one\"two\"'three'\n", "onetwothree" },
		{ "  ID=indented\r\n", "indented" },
		{ "ID=first\nID=last\n", "last" },
		{ "# ID=comment\n", NULL },
		{ "VERSION_ID=12\n", NULL },
		{ "ID_LIKE=debian\n", NULL },
		{ "IDX=1\nI=2\n", NULL },
		{ "ID=\"open\nNAME=x\n", NULL },
		{ "", NULL },
		{ "\n\n=\n", NULL },
		{ "ID", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_free_ char *value = NULL;
		int r = os_release_get(cases[i].text, "ID", &value);

		assert_int_equal(r, cases[i].expected ? 0 : -ENOENT);
		if (cases[i].expected)
			assert_string_equal(value, cases[i].expected);
	}
}

static void assert_text(const char *value, const char *expected)
{
	if (expected) {
		assert_non_null(value);
		assert_string_equal(value, expected);
	} else {
		assert_null(value);
	}
}

static void test_versions(void **state)
{
	static const struct {
		const char *version, *major, *minor;
	} cases[] = {
		{ "12", "12", NULL },         { "24.04", "24", "04" },
		{ "8.3.0", "8", "3" },        { "12.15\n", "12", "15" },
		{ "trixie/sid", NULL, NULL }, { "", NULL, NULL },
		{ "7.", "7", NULL },          { "20240101", "20240101", NULL },
		{ "9.beta", "9", NULL },      { ".5", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_free_ char *major = NULL, *minor = NULL;

		assert_int_equal(os_version_split(cases[i].version, &major, &minor), 0);
		assert_text(major, cases[i].major);
		assert_text(minor, cases[i].minor);
	}
}

/* A root directory with the given files; the caller removes it with remove_root(). */
static void make_root(char *root, const char *os_release, const char *usr_os_release,
		      const char *debian_version)
{
	const struct {
		const char *path, *text;
	} files[] = {
		{ "etc/os-release", os_release },
		{ "usr/lib/os-release", usr_os_release },
		{ "etc/debian_version", debian_version },
	};
	static const char *const directories[] = { "etc", "usr", "usr/lib" };
	char path[256];

	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		_cleanup_fclose_ FILE *file = NULL;

		if (!files[i].text)
			continue;
		snprintf(path, sizeof(path), "%s/%s", root, files[i].path);
		file = fopen(path, "we");
		assert_non_null(file);
		assert_true(fputs(files[i].text, file) >= 0);
	}
}

static void remove_root(const char *root)
{
	static const char *const names[] = { "etc/os-release",
					     "usr/lib/os-release",
					     "etc/debian_version",
					     "etc",
					     "usr/lib",
					     "usr",
					     "" };
	char path[256];

	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		(void)remove(path);
	}
}

static void test_systems(void **state)
{
	static const struct {
		const char *os_release, *usr_os_release, *debian_version;
		const char *name, *distro, *major, *minor;
	} cases[] = {
		{
			/* the point release is told by debian_version alone */
			.os_release = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
				      "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
			.debian_version = "12.5\n",
			.name = "Debian GNU/Linux 12 (bookworm)",
			.distro = "debian",
			.major = "12",
			.minor = "5",
		},
		{
			/* of another release: stale, not believed */
			.os_release = "PRETTY_NAME=Debian\nVERSION_ID=\"13\"\nID=debian\n",
			.debian_version = "12.5\n",
			.name = "Debian",
			.distro = "debian",
			.major = "13",
		},
		{
			/* derivatives carry Debian's file, which is not their version */
			.os_release = "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\n"
				      "VERSION_ID=\"24.04\"\nID=ubuntu\n",
			.debian_version = "trixie/sid\n",
			.name = "Ubuntu 24.04.1 LTS",
			.distro = "ubuntu",
			.major = "24",
			.minor = "04",
		},
		{
			.usr_os_release = "NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\n",
			.name = "Arch Linux",
			.distro = "arch",
		},
		{
			/* /etc goes before /usr/lib */
			.os_release = "ID=rocky\nVERSION_ID=9.3\n",
			.usr_os_release = "ID=wrong\n",
			.name = "Linux",
			.distro = "rocky",
			.major = "9",
			.minor = "3",
		},
		{ .name = "Linux", .distro = "linux" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(os_info_clear) struct os_info os = { 0 };
		_cleanup_(report_clear) struct report report = { 0 };
		char root[] = "/tmp/xenpv-test-os-XXXXXX";
		struct utsname uts;
		int r;

		make_root(root, cases[i].os_release, cases[i].usr_os_release,
			  cases[i].debian_version);
		r = os_read(root, &os);
		remove_root(root);
		assert_int_equal(r, 0);
		assert_int_equal(os_report(&os, &report), 0);
		assert_text(report_find(&report, "data/os_name"), cases[i].name);
		assert_text(report_find(&report, "data/os_distro"), cases[i].distro);
		assert_text(report_find(&report, "data/os_majorver"), cases[i].major);
		assert_text(report_find(&report, "data/os_minorver"), cases[i].minor);
		assert_int_equal(uname(&uts), 0);
		assert_text(report_find(&report, "data/os_uname"), uts.release);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_os_release_values),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
