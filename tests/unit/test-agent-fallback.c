// SPDX-License-Identifier: GPL-2.0-or-later
/* /run/xenpv/fallback: as xenpv-boot writes it, and as nobody should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "agent-root.h"
#include "fallback.h"
#include "file.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "sources.h"

#define FILE_PATH "run/xenpv/fallback"
#define VBD       FALLBACK_PATH "/vbd"
#define VIF       FALLBACK_PATH "/vif"

/* Warnings of the agent, in the place of the journal. */
static struct {
	int n;
	char last[1024];
} logged;

void __wrap_log_full(int priority, const struct log_about *about, int err, const char *fmt, ...);
void __wrap_log_full(int priority, const struct log_about *about, int err, const char *fmt, ...)
{
	va_list ap;

	(void)about;
	(void)err;
	if (priority > LOG_WARNING)
		return;
	logged.n++;
	va_start(ap, fmt);
	(void)vsnprintf(logged.last, sizeof(logged.last), fmt, ap);
	va_end(ap);
}

static int set_up(void **state)
{
	memset(&logged, 0, sizeof(logged));
	return root_set_up(state);
}

/* What a whole agent would write of @text; NULL: there is no file. */
static void report_of(const struct root *root, struct sources *sources, const char *text,
		      struct report *report)
{
	if (text)
		root_file(root, FILE_PATH, text);
	report_clear(report);
	assert_int_equal(sources_report(sources, SECTION_SYSTEM, report), 0);
}

static void expect(const struct report *report, const char *path, const char *value)
{
	const char *is = report_find(report, path);

	if (!value)
		assert_null(is);
	else if (!is)
		fail_msg("%s is not reported", path);
	else
		assert_string_equal(is, value);
}

static void test_told(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };
	const struct root *root = *state;
	struct settings settings;
	struct sources sources;

	settings_default(&settings);
	sources_init(&sources, root->path, &settings);
	report_of(root, &sources, NULL, &report);
	expect(&report, VBD, NULL);
	expect(&report, VIF, NULL);
	assert_int_equal(logged.n, 0);

	report_of(root, &sources,
		  "device=vbd driver=xen-blkfront result=failed uptime=11 reason=no disk after 10 "
		  "s\n"
		  "device=vbd driver=xen-blkfront result=loaded uptime=14 reason=xen-vbd cannot "
		  "be loaded\n",
		  &report);
	expect(&report, VBD, "driver=xen-blkfront result=loaded uptime=14");
	expect(&report, VBD "/reason", "xen-vbd cannot be loaded");
	expect(&report, VIF, NULL);
	assert_int_equal(logged.n, 1);
	assert_non_null(strstr(logged.last, "disks do not have xenpv's driver: xen-vbd cannot be "
					    "loaded; xen-blkfront was loaded instead"));

	/* Told once; what is new is told. */
	report_of(root, &sources, NULL, &report);
	assert_int_equal(logged.n, 1);
	report_of(root, &sources,
		  "device=vbd driver=xen-blkfront result=loaded uptime=14 reason=xen-vbd cannot "
		  "be loaded\n"
		  "device=vif driver=xen-netfront result=failed uptime=0 reason=a=b c",
		  &report);
	expect(&report, VIF, "driver=xen-netfront result=failed uptime=0");
	expect(&report, VIF "/reason", "a=b c");
	assert_int_equal(logged.n, 2);
	assert_non_null(strstr(logged.last, "xen-netfront could not be loaded either"));

	root_remove(root, FILE_PATH);
	report_of(root, &sources, NULL, &report);
	expect(&report, VBD, NULL);
	sources_clear(&sources);
}

/* The script's own words: what it writes is what is read. */
static void test_script(void **state)
{
	static const char script[] = SOURCE_ROOT "/initramfs/xenpv-boot";
	_cleanup_(report_clear) struct report report = { 0 };
	const struct root *root = *state;
	struct fallback fallback;
	char command[400];

	root_file(root, "proc/cmdline", "root=/dev/xvda xenpv=off quiet\n");
	root_file(root, "proc/uptime", "7.25 3.10\n");
	root_file(root, "sys/bus/xen/devices/vbd-51712/nodename", "device/vbd/51712\n");
	root_file(root, "bin/modprobe", "#!/bin/sh\ncase $* in *netfront*) exit 1 ;; esac\n");
	(void)snprintf(command, sizeof(command),
		       "chmod +x %s/bin/modprobe && PATH=%s/bin:$PATH XENPV_ROOT=%s sh %s start "
		       "2>/dev/null",
		       root->path, root->path, root->path, script);
	assert_int_equal(system(command), 0);
	assert_int_equal(fallback_read(root->path, &fallback), 0);
	assert_int_equal(fallback.malformed, 0);
	assert_int_equal(fallback_report(&fallback, &report), 0);
	expect(&report, VBD, "driver=xen-blkfront result=loaded uptime=7");
	expect(&report, VBD "/reason", "xenpv=off on the kernel command line");
	expect(&report, VIF, "driver=xen-netfront result=failed uptime=7");
}

static void test_malformed(void **state)
{
	static const char *const lines[] = {
		"device",
		"device=vbd",
		"device=vbd driver=xen-blkfront result=loaded uptime=1",
		"device=vbd driver=xen-blkfront result=loaded uptime=1 because=x",
		"device=vfb driver=xen-blkfront result=loaded uptime=1 reason=x",
		"device= driver=xen-blkfront result=loaded uptime=1 reason=x",
		"device=vbd driver= result=loaded uptime=1 reason=x",
		"device=vbd driver=../x result=loaded uptime=1 reason=x",
		("device=vbd driver=a234567890123456789012345678901234567890 result=loaded "
		 "uptime=1 reason=x"),
		"device=vbd driver=x result=maybe uptime=1 reason=x",
		"device=vbd driver=x result=loaded uptime=-1 reason=x",
		"device=vbd driver=x result=loaded uptime=99999999999999999999 reason=x",
		"driver=x device=vbd result=loaded uptime=1 reason=x",
		" device=vbd driver=x result=loaded uptime=1 reason=x",
		"device=vbd  driver=x result=loaded uptime=1 reason=x",
	};
	const struct root *root = *state;
	struct fallback fallback;

	for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
		root_file(root, FILE_PATH, lines[i]);
		assert_int_equal(fallback_read(root->path, &fallback), 0);
		if (fallback.malformed != 1 || fallback.entry[FALLBACK_VBD].present)
			fail_msg("taken: %s", lines[i]);
	}
	/* It spoils no other line, and is told of once. */
	root_file(root, FILE_PATH,
		  "nonsense\n\ndevice=vif driver=xen-netfront result=loaded uptime=3 reason=\n");
	assert_int_equal(fallback_read(root->path, &fallback), 0);
	assert_int_equal(fallback.malformed, 1);
	assert_true(fallback.entry[FALLBACK_VIF].present);
	fallback_log(&(struct fallback){ 0 }, &fallback);
	assert_int_equal(logged.n, 2);
	fallback_log(&fallback, &fallback);
	assert_int_equal(logged.n, 2);
}

/* More than a file of this kind has, other kinds of files, and bytes that are no text. */
static void test_hostile(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };
	const struct root *root = *state;
	struct fallback fallback;
	static char text[2 * FILE_MAX_SIZE];
	struct settings settings;
	struct sources sources;
	char path[80];

	settings_default(&settings);
	sources_init(&sources, root->path, &settings);
	memset(text, 'x', sizeof(text) - 1);
	root_file(root, FILE_PATH, text);
	assert_int_equal(fallback_read(root->path, &fallback), -EFBIG);
	/* The rest of the section is there, and it is said once. */
	report_of(root, &sources, NULL, &report);
	report_of(root, &sources, NULL, &report);
	expect(&report, "attr/PVAddons/Installed", "1");
	expect(&report, VBD, NULL);
	assert_int_equal(logged.n, 1);

	/* A reason is cut, and made fit when it is reported. */
	memset(text, '\0', sizeof(text));
	strcpy(text, "device=vbd driver=x result=loaded uptime=1 reason=\033[2J\xff\t");
	memset(text + strlen(text), 'y', 1000);
	report_of(root, &sources, text, &report);
	assert_int_equal(strlen(report_find(&report, VBD "/reason")), FALLBACK_REASON_SIZE - 1);
	assert_int_equal(strncmp(report_find(&report, VBD "/reason"), " [2J? yyy", 9), 0);
	sources_clear(&sources);

	/* A FIFO without a writer does not hold the agent up. */
	root_remove(root, FILE_PATH);
	(void)snprintf(path, sizeof(path), "%s/" FILE_PATH, root->path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fallback_read(root->path, &fallback), 0);
	assert_false(fallback.entry[FALLBACK_VBD].present);
	root_remove(root, FILE_PATH);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(fallback_read(root->path, &fallback), -EISDIR);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, root_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_told),
		TEST(test_script),
		TEST(test_malformed),
		TEST(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
