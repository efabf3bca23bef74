// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "shutdown.h"
#include "stamp.h"

enum event {
	REQUEST,
	BEGIN,
	CANCEL,
	JOBS,
	REMOVED
};

#define JOBS_MAX 4

/* An event at a time, and what is reported after it. */
struct step {
	enum event event;
	uint64_t at;
	struct job_info jobs[JOBS_MAX]; /* JOBS: the list, up to a NULL unit; REMOVED: [0] */
	const char *result;             /* REMOVED */
	const char *state;
	const char *unit;
	uint64_t since;
};

#define WAITING(id, unit)                                                                          \
	{                                                                                          \
		id, unit, "stop", "waiting"                                                        \
	}
#define RUNNING(id, unit)                                                                          \
	{                                                                                          \
		id, unit, "stop", "running"                                                        \
	}
#define TARGET                                                                                     \
	{                                                                                          \
		1, "shutdown.target", "start", "waiting"                                           \
	}

static void play(const struct step *steps)
{
	_cleanup_(shutdown_clear) struct shutdown shutdown = { 0 };

	for (const struct step *step = steps; step->state; step++) {
		_cleanup_(report_clear) struct report report = { 0 };
		const char *unit;
		size_t n = 0;

		switch (step->event) {
		case REQUEST:
			shutdown_request(&shutdown, step->at);
			break;
		case BEGIN:
			shutdown_begin(&shutdown, step->at);
			break;
		case CANCEL:
			shutdown_cancel(&shutdown);
			break;
		case JOBS:
			while (n < JOBS_MAX && step->jobs[n].unit)
				n++;
			assert_int_equal(shutdown_set_jobs(&shutdown, step->jobs, n, step->at), 0);
			break;
		case REMOVED:
			shutdown_job_removed(&shutdown, step->jobs[0].id, step->jobs[0].unit,
					     step->result);
			break;
		}

		assert_int_equal(shutdown_report(&shutdown, &report), 0);
		assert_string_equal(report_find(&report, SHUTDOWN_PATH_STATE), step->state);
		unit = report_find(&report, SHUTDOWN_PATH_UNIT);
		if (!step->unit)
			assert_null(unit);
		else
			assert_string_equal(unit ?: "(none)", step->unit);
		assert_null(report_find(&report, SHUTDOWN_PATH_SECONDS));
		assert_int_equal(shutdown.since, step->since);
		/* Readers wait for the state, so it is written last. */
		assert_string_equal(report.entries[report.n - 1].path, SHUTDOWN_PATH_STATE);
	}
}

static void test_logind_first(void **state)
{
	static const struct step steps[] = {
		{ BEGIN, 10, .state = "stopping", .since = 10 },
		{ JOBS,
		  20,
		  { TARGET, RUNNING(5, "cron.service"), RUNNING(6, "ssh.service") },
		  .state = "stopping",
		  .unit = "cron.service",
		  .since = 10 },
		{ REMOVED,
		  30,
		  { { 5, "cron.service", 0, 0 } },
		  "done",
		  .state = "stopping",
		  .unit = "ssh.service",
		  .since = 10 },
		{ REMOVED,
		  40,
		  { { 6, "ssh.service", 0, 0 } },
		  "done",
		  .state = "stopping",
		  .since = 10 },
		{ 0 },
	};

	(void)state;
	play(steps);
}

static void test_systemd_alone(void **state)
{
	static const struct step steps[] = {
		/* somebody stops a unit: that is no shutdown */
		{ JOBS, 10, { RUNNING(3, "cron.service") }, .state = "running" },
		{ REMOVED, 20, { { 3, "cron.service", 0, 0 } }, "done", .state = "running" },
		/* nor is it one when shutdown.target is to be stopped */
		{ JOBS, 25, { { 4, "shutdown.target", "stop", "waiting" } }, .state = "running" },
		{ JOBS,
		  30,
		  { TARGET, WAITING(5, "home.mount") },
		  .state = "stopping",
		  .since = 30 },
		/* logind's announcement comes late and does not turn the clock back */
		{ BEGIN, 40, .state = "stopping", .since = 30 },
		{ 0 },
	};

	(void)state;
	play(steps);
}

static void test_longest_running(void **state)
{
	static const struct step steps[] = {
		{ BEGIN, 10, .state = "stopping", .since = 10 },
		/* one that waits is not being stopped yet, however old its job */
		{ JOBS,
		  20,
		  { WAITING(2, "home.mount"), RUNNING(9, "db.service") },
		  .state = "stopping",
		  .unit = "db.service",
		  .since = 10 },
		{ JOBS,
		  30,
		  { RUNNING(2, "home.mount"), RUNNING(9, "db.service") },
		  .state = "stopping",
		  .unit = "db.service",
		  .since = 10 },
		/* of two that began together, the lower job, whatever their order */
		{ JOBS,
		  40,
		  { RUNNING(8, "b.service"), RUNNING(7, "a.service"), RUNNING(2, "home.mount") },
		  .state = "stopping",
		  .unit = "home.mount",
		  .since = 10 },
		{ REMOVED,
		  50,
		  { { 2, "home.mount", 0, 0 } },
		  "done",
		  .state = "stopping",
		  .unit = "a.service",
		  .since = 10 },
		/* the end of a job that was never seen */
		{ REMOVED,
		  60,
		  { { 1234, "x.service", 0, 0 } },
		  "failed",
		  .state = "stopping",
		  .unit = "a.service",
		  .since = 10 },
		/* starts at shutdown (systemd-poweroff.service) are not stops */
		{ JOBS,
		  70,
		  { { 11, "systemd-poweroff.service", "start", "running" } },
		  .state = "stopping",
		  .since = 10 },
		{ 0 },
	};

	(void)state;
	play(steps);
}

static void test_cancel(void **state)
{
	static const struct step steps[] = {
		{ BEGIN, 10, .state = "stopping", .since = 10 },
		{ JOBS,
		  20,
		  { TARGET, RUNNING(5, "cron.service") },
		  .state = "stopping",
		  .unit = "cron.service",
		  .since = 10 },
		{ CANCEL, 30, .state = "running" },
		{ JOBS,
		  40,
		  { TARGET, RUNNING(5, "cron.service") },
		  .state = "stopping",
		  .unit = "cron.service",
		  .since = 40 },
		/* the target is reached: the shutdown goes on */
		{ REMOVED,
		  50,
		  { { 1, "shutdown.target", 0, 0 } },
		  "done",
		  .state = "stopping",
		  .unit = "cron.service",
		  .since = 40 },
		{ REMOVED, 60, { { 1, "shutdown.target", 0, 0 } }, "canceled", .state = "running" },
		{ 0 },
	};

	(void)state;
	play(steps);
}

static void test_stopped(void **state)
{
	static const struct {
		uint64_t usec;
		const char *seconds;
	} cases[] = {
		{ 0, "0.0" }, { 99999, "0.0" }, { 4250000, "4.2" }, { 3600000000, "3600.0" }
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(report_clear) struct report report = { 0 };

		assert_int_equal(shutdown_report_stopped(&cases[i].usec, &report), 0);
		assert_string_equal(report_find(&report, SHUTDOWN_PATH_SECONDS), cases[i].seconds);
		assert_string_equal(report_find(&report, SHUTDOWN_PATH_STATE), "stopped");
		assert_string_equal(report.entries[report.n - 1].path, SHUTDOWN_PATH_STATE);
	}
	{
		_cleanup_(report_clear) struct report report = { 0 };

		assert_int_equal(shutdown_report_stopped(NULL, &report), 0);
		assert_null(report_find(&report, SHUTDOWN_PATH_SECONDS));
		assert_string_equal(report_find(&report, SHUTDOWN_PATH_STATE), "stopped");
	}
}

static void test_stamp(void **state)
{
	char base[] = "/tmp/xenpv-test-stamp-XXXXXX", dir[64], file[96];
	FILE *stream;
	uint64_t usec = 7;

	(void)state;
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/run", base);
	snprintf(file, sizeof(file), "%s/shutdown-since", dir);
	assert_int_equal(setenv("RUNTIME_DIRECTORY", dir, 1), 0);

	assert_int_equal(stamp_load(&usec), -ENOENT);
	assert_int_equal(stamp_remove(), 0);
	assert_int_equal(stamp_save(12345678), 0);
	assert_int_equal(stamp_load(&usec), 0);
	assert_int_equal(usec, 12345678);
	/* shorter than before: nothing of the old one stays */
	assert_int_equal(stamp_save(9), 0);
	assert_int_equal(stamp_load(&usec), 0);
	assert_int_equal(usec, 9);

	/* From the future, so of another boot; or not a number at all. */
	assert_int_equal(stamp_save(stamp_now() + 1000000000), 0);
	assert_int_equal(stamp_load(&usec), -EINVAL);
	stream = fopen(file, "we");
	assert_non_null(stream);
	fputs("-5\n", stream);
	fclose(stream);
	assert_int_equal(stamp_load(&usec), -EINVAL);
	assert_int_equal(usec, 9);

	assert_int_equal(stamp_remove(), 0);
	assert_int_equal(stamp_load(&usec), -ENOENT);
	/* A planted link is neither followed nor kept. */
	assert_int_equal(symlink("/dev/null", file), 0);
	assert_int_equal(stamp_save(5), -ELOOP);
	assert_int_equal(stamp_load(&usec), -ELOOP);
	assert_int_equal(stamp_remove(), 0);
	rmdir(dir);
	rmdir(base);
}

/* Announced by logind, then hooks run before the first unit is stopped. */
static void test_hooks_come_first(void **state)
{
	static const struct step steps[] = {
		{ REQUEST, 10, .state = "requested", .since = 10 },
		{ JOBS,
		  20,
		  { { 9, "a.service", "start", "running" } },
		  .state = "requested",
		  .since = 10 },
		{ JOBS,
		  30,
		  { TARGET, RUNNING(2, SHUTDOWN_HOOKS_UNIT), WAITING(3, "db.service") },
		  .state = "requested",
		  .unit = SHUTDOWN_HOOKS_UNIT,
		  .since = 10 },
		{ REMOVED,
		  40,
		  { { 2, SHUTDOWN_HOOKS_UNIT, NULL, NULL } },
		  "done",
		  .state = "stopping",
		  .since = 10 },
		{ JOBS,
		  50,
		  { TARGET, RUNNING(3, "db.service") },
		  .state = "stopping",
		  .unit = "db.service",
		  .since = 10 },
		{ CANCEL, 60, .state = "running" },
		{ JOBS, 70, { TARGET }, .state = "stopping", .since = 70 },
		{ 0 },
	};

	(void)state;
	play(steps);
}

static void test_action(void **state)
{
	static const struct job_info jobs[] = {
		TARGET,
		{ 2, "reboot.target", "start", "waiting" },
	};
	_cleanup_(shutdown_clear) struct shutdown shutdown = { 0 };
	_cleanup_(report_clear) struct report report = { 0 };

	(void)state;
	/* Without shutdown.target, nobody wants the system to stop. */
	assert_int_equal(shutdown_set_jobs(&shutdown, jobs + 1, 1, 5), 0);
	assert_null(shutdown.action);
	assert_int_equal(shutdown_set_jobs(&shutdown, jobs, 2, 5), 0);
	assert_int_equal(shutdown_report(&shutdown, &report), 0);
	assert_string_equal(report_find(&report, SHUTDOWN_PATH_ACTION), "reboot");
	shutdown_cancel(&shutdown);
	shutdown.suspending = true;
	assert_string_equal(shutdown_state(&shutdown), "suspending");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logind_first),     cmocka_unit_test(test_systemd_alone),
		cmocka_unit_test(test_longest_running),  cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_stopped),          cmocka_unit_test(test_stamp),
		cmocka_unit_test(test_hooks_come_first), cmocka_unit_test(test_action),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
