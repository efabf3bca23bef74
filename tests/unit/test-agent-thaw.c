// SPDX-License-Identifier: GPL-2.0-or-later
/* A freeze always ends: while disks hang, and when the agent and its processes are killed. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent-freezing.h"
#include "frozen.h"
#include "lib/cleanup.h"

#define LIMIT_MSEC 20000

static bool record_exists(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/run/" FROZEN_FILE, t.root->path);
	return access(path, F_OK) == 0;
}

static void await_log(const char *text)
{
	for (int i = 0; i < LIMIT_MSEC && !strstr(shared->log, text); i++)
		usleep(1000);
	assert_non_null(strstr(shared->log, text));
}

/* All but "a", whose disk hangs while it is being frozen, are writable again at the limit. */
static void check_limit(void)
{
	assert_string_equal(node("reason"), "timeout");
	assert_string_equal(node("filesystems"), "2");
	assert_non_null(strstr(node("error"), "/a is not thawed yet"));
	assert_string_equal(shared->log, "freeze c;freeze b;thaw b;thaw c;");
	assert_true(record_exists());
	/* What hangs would be missing in another freeze. */
	freeze_request(t.freeze, "freeze ff 60", false);
}

static void check_refused(void)
{
	assert_string_equal(node("id"), "ff");
	assert_non_null(strstr(node("error"), "not over"));
	shared->hang_freeze[0] = '\0';
	let_go();
	ask_until_frozen();
}

static void check_later(void)
{
	/* What hung was frozen in the end, and thawed by who froze it, at once. */
	assert_string_equal(shared->log, "freeze c;freeze b;thaw b;thaw c;freeze a;thaw a;"
					 "freeze c;freeze b;freeze a;");
	freeze_abort(t.freeze, "shutdown");
}

static void test_limit_while_freezing_hangs(void **state)
{
	static const struct step steps[] = { { "thawed", check_limit },
					     { "failed", check_refused },
					     { "frozen", check_later },
					     { "thawed", NULL },
					     { 0 } };

	(void)state;
	t.settings.freeze_limit = 3;
	strcpy(shared->hang_freeze, "a");
	run("freeze " ID " 600", steps);
	assert_string_equal(node("reason"), "shutdown");
	assert_null(node("error"));
	assert_false(record_exists());
}

static int ask_thaw_when_hanging(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)fd;
	(void)revents;
	(void)userdata;
	ask_thaw();
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static void await_freezing(void)
{
	assert_true(sd_event_add_io(t.event, NULL, shared->hanging, POLLIN, ask_thaw_when_hanging,
				    NULL) >= 0);
}

/* The host changes its mind while a disk hangs. */
static void test_asked_while_freezing_hangs(void **state)
{
	static const struct step steps[] = { { "freezing", await_freezing },
					     { "thawed", NULL },
					     { 0 } };

	(void)state;
	strcpy(shared->hang_freeze, "b");
	run("freeze " ID " 600", steps);
	assert_string_equal(node("reason"), "error");
	assert_non_null(strstr(node("error"), "/b is not thawed yet"));
	assert_string_equal(shared->log, "freeze c;thaw c;");
	/* The agent has ended meanwhile, and its processes see to the rest. */
	let_go();
	await_log("freeze b;thaw b;");
}

static void check_thaw(void)
{
	assert_string_equal(node("reason"), "error");
	assert_non_null(strstr(node("error"), "/b is not thawed yet"));
	assert_string_equal(shared->log, "freeze c;freeze b;freeze a;thaw a;thaw c;");
	let_go();
	ask_until_frozen();
	shared->hang_thaw[0] = '\0';
}

/* One that hangs while it is thawed does not keep the others from it. */
static void test_thawing_hangs(void **state)
{
	static const struct step steps[] = {
		{ "frozen", ask_thaw }, { "thawed", check_thaw }, { "frozen", NULL }, { 0 }
	};

	(void)state;
	strcpy(shared->hang_thaw, "b");
	run("freeze " ID " 600", steps);
	assert_non_null(strstr(shared->log, "thaw a;thaw c;thaw b;freeze c;"));
}

static int kill_hand(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)fd;
	(void)revents;
	(void)userdata;
	assert_int_equal(kill(shared->pid, SIGKILL), 0);
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static void await_hand(void)
{
	assert_true(sd_event_add_io(t.event, NULL, shared->hanging, POLLIN, kill_hand, NULL) >= 0);
}

/* It may have frozen "a" before it could say so. */
static void test_freezing_process_killed(void **state)
{
	static const struct step steps[] = { { "freezing", await_hand },
					     { "thawed", NULL },
					     { 0 } };

	(void)state;
	strcpy(shared->hang_freeze, "a");
	run("freeze " ID " 600", steps);
	assert_string_equal(node("reason"), "error");
	assert_non_null(strstr(node("error"), "killed"));
	assert_non_null(strstr(shared->log, "freeze c;freeze b;"));
	for (const char *const *name = (const char *const[]){ "a", "b", "c", NULL }; *name;
	     name++) {
		char text[16];

		snprintf(text, sizeof(text), "thaw %s;", *name);
		assert_non_null(strstr(shared->log, text));
	}
	assert_false(record_exists());
}

/* Those who were killed have the record locked until they are gone. */
static void await_deaths(void)
{
	struct frozen frozen = { .dir = -1, .lock = -1 };

	assert_int_equal(frozen_load(&frozen), 0);
	assert_true(frozen_is_ours(&frozen, true));
	frozen_clear(&frozen);
}

/* An agent that is killed with all of its processes, as systemd kills what is in a cgroup. */
static void kill_everything(void)
{
	static const struct step steps[] = { { "never", NULL }, { 0 } };
	pid_t agent;
	int status;

	strcpy(shared->hang_freeze, "a");
	agent = fork();
	assert_true(agent >= 0);
	if (agent == 0) {
		run("freeze " ID " 600", steps);
		_exit(1);
	}
	await_hanging();
	/* Each would do its duty when it sees the end of another. */
	assert_int_equal(kill(agent, SIGSTOP), 0);
	assert_int_equal(waitpid(agent, &status, WUNTRACED), agent);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(shared->watch, SIGKILL), 0);
	assert_int_equal(kill(shared->pid, SIGKILL), 0);
	assert_int_equal(kill(agent, SIGKILL), 0);
	assert_int_equal(waitpid(agent, NULL, 0), agent);
	await_deaths();
	shared->hang_freeze[0] = '\0';
	assert_string_equal(shared->log, "freeze c;freeze b;");
	assert_true(record_exists());
}

static void test_everything_killed(void **state)
{
	(void)state;
	kill_everything();
	assert_int_equal(freeze_recover(), 0);
	assert_string_equal(shared->log, "freeze c;freeze b;thaw a;thaw b;thaw c;");
	assert_false(record_exists());
	assert_int_equal(freeze_recover(), 0);
	assert_string_equal(shared->log, "freeze c;freeze b;thaw a;thaw b;thaw c;");
}

static void end_it(void)
{
	freeze_abort(t.freeze, "shutdown");
}

/* The next agent thaws them before it does as the host says. */
static void test_next_agent(void **state)
{
	static const struct step steps[] = { { "frozen", end_it }, { "thawed", NULL }, { 0 } };

	(void)state;
	kill_everything();
	t.retry = true;
	run("freeze " ID " 600", steps);
	assert_string_equal(shared->log, "freeze c;freeze b;thaw a;thaw b;thaw c;"
					 "freeze c;freeze b;freeze a;thaw a;thaw b;thaw c;");
	assert_false(record_exists());
}

static void test_leftover_hangs(void **state)
{
	(void)state;
	kill_everything();
	strcpy(shared->hang_thaw, "b");
	assert_int_equal(freeze_recover(), -EBUSY);
	assert_string_equal(shared->log, "freeze c;freeze b;thaw a;thaw c;");
	assert_true(record_exists());
	let_go();
	await_log("thaw b;");
}

/* Something else is mounted there now: that is not ours to thaw. */
static void test_other_mount(void **state)
{
	struct frozen frozen = { .dir = -1, .lock = -1 };

	(void)state;
	kill_everything();
	assert_int_equal(frozen_load(&frozen), 0);
	assert_int_equal(frozen.table->n, 3);
	frozen.table->entries[1].device++;
	frozen_clear(&frozen);
	assert_int_equal(freeze_recover(), 0);
	assert_string_equal(shared->log, "freeze c;freeze b;thaw a;thaw c;");
	assert_false(record_exists());
}

static void break_target(struct frozen_table *table)
{
	memset(table->entries[0].target, 'x', sizeof(table->entries[0].target));
}

static void break_number(struct frozen_table *table)
{
	table->n = FROZEN_MAX;
}

static void break_magic(struct frozen_table *table)
{
	table->magic++;
}

static void test_bad_records(void **state)
{
	static const char *const texts[] = { "", "x", "0123456789012345678901234567890123456789" };
	static void (*const breaks[])(struct frozen_table * table) = { break_target, break_number,
								       break_magic };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		root_file(t.root, "run/" FROZEN_FILE, texts[i]);
		assert_int_equal(freeze_recover(), -EBADMSG);
		assert_false(record_exists());
	}
	for (size_t i = 0; i < ELEMENTSOF(breaks); i++) {
		struct frozen frozen = { .dir = -1, .lock = -1 };

		kill_everything();
		assert_int_equal(frozen_load(&frozen), 0);
		breaks[i](frozen.table);
		frozen_clear(&frozen);
		assert_int_equal(freeze_recover(), -EBADMSG);
		assert_string_equal(shared->log, "freeze c;freeze b;");
		assert_false(record_exists());
		shared->log[0] = '\0';
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, freezing_set_up, freezing_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_limit_while_freezing_hangs),
		TEST(test_asked_while_freezing_hangs),
		TEST(test_thawing_hangs),
		TEST(test_freezing_process_killed),
		TEST(test_everything_killed),
		TEST(test_next_agent),
		TEST(test_leftover_hangs),
		TEST(test_other_mount),
		TEST(test_bad_records),
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (freezing_share() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
