// SPDX-License-Identifier: GPL-2.0-or-later
/* The administrator's programs: which are run, in what order, for how long. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent-root.h"
#include "hookrun.h"
#include "hooks.h"
#include "lib/cleanup.h"

/* A hook that appends its name and argument to the file "log". */
#define NOTE "#!/bin/sh\necho \"${0##*/} $1\" >>\"$XENPV_HOOKS/log\"\n"

static int set_up(void **state)
{
	int r = root_set_up(state);

	return r ?: setenv("XENPV_HOOKS", ((struct root *)*state)->path, 1);
}

static void hook(const struct root *root, const char *path, const char *script, mode_t mode)
{
	char full[PATH_MAX];

	root_file(root, path, script);
	snprintf(full, sizeof(full), "%s/%s", root->path, path);
	assert_int_equal(chmod(full, mode), 0);
}

static void check_log(const struct root *root, const char *expected)
{
	char path[PATH_MAX], text[1024] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/log", root->path);
	file = fopen(path, "re");
	if (file) {
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	assert_string_equal(text, expected);
}

static void test_nothing(void **state)
{
	const struct root *root = *state;

	assert_false(hooks_exist(HOOKS_SHUTDOWN));
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 10), 0);
	hook(root, "shutdown.d/README", "no program\n", 0644);
	hook(root, "shutdown.d/.hidden", NOTE, 0755);
	assert_false(hooks_exist(HOOKS_SHUTDOWN));
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 10), 0);
	check_log(root, "");
}

static void test_order(void **state)
{
	const struct root *root = *state;

	hook(root, "freeze.d/20-b", NOTE, 0755);
	hook(root, "freeze.d/10-a", NOTE, 0700);
	hook(root, "shutdown.d/x", NOTE, 0755);
	assert_true(hooks_exist(HOOKS_FREEZE));
	assert_int_equal(hooks_run(HOOKS_FREEZE, 10), 0);
	assert_int_equal(hooks_run(HOOKS_THAW, 10), 0);
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 10), 0);
	check_log(root, "10-a freeze\n20-b freeze\n20-b thaw\n10-a thaw\nx shutdown\n");
}

/* A failure ends a freeze: its copy would be worth nothing. A shutdown goes on. */
static void test_failures(void **state)
{
	const struct root *root = *state;

	hook(root, "freeze.d/1", "#!/bin/sh\nexit 3\n", 0755);
	hook(root, "freeze.d/2", NOTE, 0755);
	hook(root, "shutdown.d/1", "#!/bin/sh\nkill -9 $$\n", 0755);
	hook(root, "shutdown.d/2", "#!/nonexistent\n", 0755);
	hook(root, "shutdown.d/3", NOTE, 0755);
	assert_int_equal(hooks_run(HOOKS_FREEZE, 10), 1);
	check_log(root, "");
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 10), 2);
	check_log(root, "3 shutdown\n");
}

static void test_others_may_change_it(void **state)
{
	const struct root *root = *state;
	char path[PATH_MAX];

	hook(root, "shutdown.d/1", NOTE, 0777);
	hook(root, "shutdown.d/2", NOTE, 0755);
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 10), 0);
	check_log(root, "2 shutdown\n");
	snprintf(path, sizeof(path), "%s/shutdown.d", root->path);
	assert_int_equal(chmod(path, 0775), 0);
	assert_false(hooks_exist(HOOKS_SHUTDOWN));
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 10), 0);
	check_log(root, "2 shutdown\n");
}

/* The process that a hook noted in the file "pid" is gone. */
static void check_gone(const struct root *root)
{
	char path[PATH_MAX];
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "%s/pid", root->path);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	/* Killed; whoever adopted it may not have reaped it yet. */
	for (int i = 0; i < 2000 && kill(pid, 0) == 0; i++) {
		char stat[64] = "", name[64];

		snprintf(name, sizeof(name), "/proc/%d/stat", pid);
		file = fopen(name, "re");
		if (!file)
			break;
		if (fscanf(file, "%*d %*s %1s", stat) == 1 && stat[0] == 'Z') {
			fclose(file);
			return;
		}
		fclose(file);
		usleep(10000);
	}
	assert_int_equal(kill(pid, 0), -1);
}

/* One that neither ends nor heeds SIGTERM, and what it started, are gone at the limit. */
static void test_limit(void **state)
{
	const struct root *root = *state;

	hook(root, "shutdown.d/1",
	     "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! >\"$XENPV_HOOKS/pid\"\n"
	     "while :; do wait; done\n",
	     0755);
	hook(root, "shutdown.d/2", NOTE, 0755);
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 1), -ETIMEDOUT);
	check_log(root, "");
	check_gone(root);
}

/* One that ends at once leaves nothing behind: what does not heed SIGTERM is killed. */
static void test_limit_of_children(void **state)
{
	const struct root *root = *state;

	hook(root, "shutdown.d/1",
	     "#!/bin/sh\nsh -c 'trap \"\" TERM; echo $$ >\"$XENPV_HOOKS/pid\"; exec sleep 1000' &\n"
	     "wait\n",
	     0755);
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 1), -ETIMEDOUT);
	check_gone(root);
}

/* What does heed it has the time to. */
static void test_limit_leaves_time(void **state)
{
	const struct root *root = *state;

	hook(root, "shutdown.d/1",
	     "#!/bin/sh\nsh -c 'trap \"sleep 0.3; echo tidy >>\\\"$XENPV_HOOKS/log\\\"; exit\" "
	     "TERM; "
	     "while :; do sleep 0.1; done' &\nwait\n",
	     0755);
	assert_int_equal(hooks_run(HOOKS_SHUTDOWN, 1), -ETIMEDOUT);
	check_log(root, "tidy\n");
}

struct running {
	sd_event *event;
	struct hookrun *run;
	int result;
};

static void on_done(void *userdata, int result)
{
	struct running *running = userdata;

	running->result = result;
	hookrun_free(running->run);
	running->run = NULL;
	sd_event_exit(running->event, 0);
}

static int run_from_loop(enum hooks hooks)
{
	struct running running = { .result = 1 };

	assert_true(sd_event_new(&running.event) >= 0);
	assert_int_equal(
		hookrun_start(running.event, NULL, hooks, 20, on_done, &running, &running.run), 0);
	assert_int_equal(running.result, 1); /* never before the loop runs */
	sd_event_loop(running.event);
	sd_event_unref(running.event);
	return running.result;
}

/* Without systemd the agent runs itself as the runner; here, this test. */
static void test_from_the_loop(void **state)
{
	const struct root *root = *state;

	assert_int_equal(run_from_loop(HOOKS_FREEZE), 0);
	hook(root, "freeze.d/1", NOTE, 0755);
	assert_int_equal(run_from_loop(HOOKS_FREEZE), 0);
	check_log(root, "1 freeze\n");
	hook(root, "freeze.d/2", "#!/bin/sh\nexit 1\n", 0755);
	assert_int_equal(run_from_loop(HOOKS_FREEZE), -EIO);
}

static void test_names(void **state)
{
	(void)state;
	for (enum hooks hooks = 0; hooks < HOOKS_MAX; hooks++)
		assert_int_equal(hooks_by_name(hooks_name(hooks)), hooks);
	assert_int_equal(hooks_by_name("../shutdown"), HOOKS_MAX);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_order, set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_others_may_change_it, set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_limit, set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_limit_of_children, set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_limit_leaves_time, set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_from_the_loop, set_up, root_tear_down),
		cmocka_unit_test(test_names),
	};
	static const char option[] = "--hooks=";
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (argc == 2 && strncmp(argv[1], option, strlen(option)) == 0)
		return hooks_run(hooks_by_name(argv[1] + strlen(option)), 20) == 0 ? 0 : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
