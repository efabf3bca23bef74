// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is done to the clock after a resume, down to the system calls: which, with what, and
 * that a clock which chronyd or ntpd keeps is not touched. The clock is made up. And what is
 * said of the next suspension.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "sources.h"
#include "timesync.h"

#define SEC ((int64_t)1000000000)
#define MS  ((int64_t)1000000)
/* Any moment; nanoseconds since 1970. */
#define HOST_NOW (1700000000 * SEC + 123456789)

static struct {
	int64_t offset; /* of our clock, nanoseconds ahead of the host's */
	struct time_status status;
	int refuse; /* errno of attempts to change the clock, or 0 */
	bool synchronised;
	int steps, slews;
	long slew_usec;
	bool daemon;         /* runs, and cannot be asked */
	const char *feature; /* control/feature-suspend, NULL if absent */
} t;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t now = HOST_NOW + t.offset;

	if (id != CLOCK_REALTIME)
		return __real_clock_gettime(id, ts);
	*ts = (struct timespec){ now / SEC, now % SEC };
	return 0;
}

int __wrap_clock_settime(clockid_t id, const struct timespec *ts);
int __wrap_clock_settime(clockid_t id, const struct timespec *ts)
{
	int64_t offset = ts->tv_sec * SEC + ts->tv_nsec - HOST_NOW;

	assert_int_equal(id, CLOCK_REALTIME);
	t.steps++;
	if (t.refuse) {
		errno = t.refuse;
		return -1;
	}
	assert_in_range(ts->tv_nsec, 0, SEC - 1);
	assert_true(offset > t.offset || t.offset - offset >= SEC); /* never a little back */
	t.offset = offset;
	return 0;
}

int __wrap_adjtimex(struct timex *timex);
int __wrap_adjtimex(struct timex *timex)
{
	t.slews++;
	if (t.refuse) {
		errno = t.refuse;
		return -1;
	}
	assert_int_equal(timex->modes, ADJ_OFFSET_SINGLESHOT);
	t.slew_usec = timex->offset;
	return 0;
}

void __wrap_time_read(const char *root, const struct time_ports *ports, struct time_status *ret);
void __wrap_time_read(const char *root, const struct time_ports *ports, struct time_status *ret)
{
	(void)root;
	(void)ports;
	t.status.host.offset = t.offset;
	*ret = t.status;
}

bool __wrap_time_daemon_runs(const char *root);
bool __wrap_time_daemon_runs(const char *root)
{
	(void)root;
	return t.daemon;
}

int __wrap_xsc_read(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		    char **ret);
int __wrap_xsc_read(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		    char **ret)
{
	(void)xs;
	(void)tid;
	(void)key;
	assert_string_equal(dir, "control/feature-suspend");
	if (!t.feature)
		return -ENOENT;
	*ret = strdup(t.feature);
	return *ret ? 0 : -ENOMEM;
}

/* A guest whose clock is @offset ahead of the host's resumes. */
static const char *resume(const struct settings *settings, int64_t offset, bool managed)
{
	struct sources sources;

	t.offset = offset;
	t.steps = t.slews = 0;
	t.slew_usec = 0;
	t.status = (struct time_status){
		.source = managed ? TIME_CHRONY : TIME_NONE,
		.managed = managed,
		.synchronised = t.synchronised,
		.has_host = true,
		.host = { .accuracy = 1000 },
	};
	sources_init(&sources, "", settings);
	sources_resumed(&sources);
	return sources.correction;
}

static void expect(const char *correction, const char *name, int steps, int slews)
{
	assert_non_null(correction);
	assert_string_equal(correction, name);
	assert_int_equal(t.steps, steps);
	assert_int_equal(t.slews, slews);
}

/* Off by a second or more, as after a long sleep or on another host: right at once. */
static void test_step(void **state)
{
	static const int64_t offsets[] = { SEC, 61 * SEC, 30 * 86400 * SEC };
	struct settings settings;

	(void)state;
	settings_default(&settings);
	for (size_t i = 0; i < ELEMENTSOF(offsets); i++) {
		for (int sign = -1; sign <= 1; sign += 2) {
			expect(resume(&settings, sign * offsets[i], false), "stepped", 1, 0);
			assert_true(llabs(t.offset) < SEC); /* the promise */
			assert_true(llabs(t.offset) < MS);
		}
	}
}

static void test_slew(void **state)
{
	static const int64_t offsets[] = { -999 * MS, -2 * MS, 2 * MS, 999 * MS };
	struct settings settings;

	(void)state;
	settings_default(&settings);
	for (size_t i = 0; i < ELEMENTSOF(offsets); i++) {
		expect(resume(&settings, offsets[i], false), "slewed", 0, 1);
		assert_int_equal(t.slew_usec, -offsets[i] / 1000);
		assert_int_equal(t.offset, offsets[i]);
	}
	expect(resume(&settings, 0, false), "none", 0, 0);
	expect(resume(&settings, 900000, false), "none", 0, 0);
}

/* The host takes local time for UTC: a clock that was set by somebody is right. */
static void test_time_zone(void **state)
{
	struct settings settings;

	(void)state;
	settings_default(&settings);
	t.synchronised = true;
	expect(resume(&settings, 3600 * SEC, false), "ahead", 0, 0);
	assert_int_equal(t.offset, 3600 * SEC);
	t.synchronised = false;
	expect(resume(&settings, 3600 * SEC, false), "stepped", 1, 0);
}

static void test_daemon_present(void **state)
{
	static const int64_t offsets[] = { -86400 * SEC, -SEC, -2 * MS, 2 * MS, SEC, 86400 * SEC };
	struct settings settings;

	(void)state;
	settings_default(&settings);
	for (size_t i = 0; i < ELEMENTSOF(offsets); i++)
		expect(resume(&settings, offsets[i], true), "none", 0, 0);
	/* Nor if it does not answer. */
	t.daemon = true;
	for (size_t i = 0; i < ELEMENTSOF(offsets); i++)
		expect(resume(&settings, offsets[i], false), "none", 0, 0);
	t.daemon = false;
}

static void test_not_wished_nor_possible(void **state)
{
	struct settings settings;

	(void)state;
	settings_default(&settings);
	settings.correct = false;
	assert_null(resume(&settings, -3600 * SEC, false));
	assert_int_equal(t.steps + t.slews, 0);

	/* A clock that may not be set: nothing is claimed. */
	settings.correct = true;
	t.refuse = EPERM;
	assert_null(resume(&settings, -3600 * SEC, false));
	assert_int_equal(t.steps, 1);
	assert_null(resume(&settings, 20 * MS, false));
	assert_int_equal(t.slews, 1);
	t.refuse = 0;
}

static void check_reason(struct sources *sources, const char *feature, bool expected)
{
	_cleanup_(report_clear) struct report report = { 0 };
	bool found = false;

	t.feature = feature;
	assert_int_equal(sources_report(sources, SECTION_SYSTEM, &report), 0);
	for (size_t i = 0; i < report.n; i++)
		if (strcmp(report.entries[i].path, "data/cant_suspend_reason") == 0)
			found = report.entries[i].value;
	assert_int_equal(found, expected);
}

/* In a new home the kernel does not say again that it can be suspended. */
static void test_suspend_again(void **state)
{
	struct settings settings;
	struct sources sources;

	(void)state;
	settings_default(&settings);
	sources_init(&sources, "", &settings);
	sources.xs = (struct xs_conn *)&t;
	check_reason(&sources, NULL, true);
	check_reason(&sources, "", false);
	check_reason(&sources, "1", false);
	check_reason(&sources, "", false);
	check_reason(&sources, NULL, false);
	check_reason(&sources, "0", true);
	sources_clear(&sources);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_slew),
		cmocka_unit_test(test_time_zone),
		cmocka_unit_test(test_daemon_present),
		cmocka_unit_test(test_not_wished_nor_possible),
		cmocka_unit_test(test_suspend_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
