// SPDX-License-Identifier: GPL-2.0-or-later
/* Freezing on the host's wish, with stand-ins for the kernel; and once on a real file system. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>
#include <cmocka.h>

#include "agent-freezing.h"
#include "hooks.h"
#include "lib/cleanup.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text, *id;
		int r;
		enum freeze_verb verb;
		uint32_t seconds;
	} cases[] = {
		{ "freeze a 1", "a", 0, FREEZE_FREEZE, 1 },
		{ "freeze 0123456789abcdef0123456789abcdef 600", "0123456789abcdef0123456789abcdef",
		  0, FREEZE_FREEZE, 600 },
		{ "thaw ff", "ff", 0, FREEZE_THAW, 0 },
		{ "freeze a 0", "a", -EINVAL, 0, 0 },
		{ "freeze a 601", "a", -EINVAL, 0, 0 },
		{ "freeze a -1", "a", -EINVAL, 0, 0 },
		{ "freeze a", "a", -EINVAL, 0, 0 },
		{ "freeze a 5 6", "a", -EINVAL, 0, 0 },
		{ "freeze a  5", "a", -EINVAL, 0, 0 },
		{ "thaw a 5", "a", -EINVAL, 0, 0 },
		{ "melt a", "a", -EINVAL, 0, 0 },
		{ "", "", -EINVAL, 0, 0 },
		{ "freeze", "", -EINVAL, 0, 0 },
		{ "freeze A 5", "", -EINVAL, 0, 0 },
		{ "freeze ../x 5", "", -EINVAL, 0, 0 },
		{ "freeze 0123456789abcdef0123456789abcdef0 5", "", -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct freeze_request request;

		assert_int_equal(freeze_parse(cases[i].text, &request), cases[i].r);
		assert_string_equal(request.id, cases[i].id);
		if (cases[i].r == 0) {
			assert_int_equal(request.verb, cases[i].verb);
			assert_int_equal(request.seconds, cases[i].seconds);
		}
	}
}

static void check_frozen(void)
{
	assert_string_equal(node("id"), ID);
	assert_string_equal(node("filesystems"), "3");
	assert_string_equal(node("seconds"), "60");
	assert_string_equal(t.report.entries[t.report.n - 1].path, FREEZE_PATH "/state");
	/* Neither another freeze nor a thaw of another one matters now. */
	freeze_request(t.freeze, "freeze ffff 5", false);
	freeze_request(t.freeze, "thaw ffff", false);
	freeze_request(t.freeze, "nonsense", false);
	assert_string_equal(node("id"), ID);
	ask_thaw();
	ask_thaw();
}

static void test_freeze_and_thaw(void **state)
{
	static const struct step steps[] = { { "frozen", check_frozen },
					     { "thawed", NULL },
					     { 0 } };

	(void)state;
	hook("freeze.d/1", NOTE);
	run("freeze " ID " 60", steps);
	assert_string_equal(node("reason"), "asked");
	assert_string_equal(node("filesystems"), "3");
	assert_null(node("error"));
	/* The last mounted first, since it may lie in a file of another. */
	assert_string_equal(shared->log, "freeze c;freeze b;freeze a;thaw a;thaw b;thaw c;");
	assert_true(shared->pid != getpid());
}

static void test_limit(void **state)
{
	static const struct step steps[] = { { "thawed", NULL }, { 0 } };

	(void)state;
	t.settings.freeze_limit = 1;
	run("freeze " ID " 600", steps);
	assert_string_equal(node("reason"), "timeout");
	assert_string_equal(node("seconds"), "1");
	assert_non_null(strstr(shared->log, "thaw a;thaw b;thaw c;"));
}

static void test_one_fails(void **state)
{
	static const struct step steps[] = { { "failed", NULL }, { 0 } };

	(void)state;
	strcpy(shared->fail, "b");
	shared->error = -EIO;
	run("freeze " ID " 60", steps);
	assert_non_null(strstr(node("error"), "/b cannot be frozen: Input/output error"));
	assert_null(node("filesystems"));
	assert_string_equal(shared->log, "freeze c;thaw c;");
}

static void test_some_know_no_freezing(void **state)
{
	static const int errors[] = { -EOPNOTSUPP, -EBUSY };
	static const struct step steps[] = { { "frozen", ask_thaw }, { "thawed", NULL }, { 0 } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
		shared->log[0] = '\0';
		strcpy(shared->fail, "b");
		shared->error = errors[i];
		run("freeze " ID " 60", steps);
		assert_string_equal(node("filesystems"), "2");
		/* What others have frozen is theirs to thaw. */
		assert_string_equal(shared->log, "freeze c;freeze a;thaw a;thaw c;");
	}
}

static void kill_process(void)
{
	assert_int_equal(kill(shared->watch, SIGKILL), 0);
}

static void test_process_killed(void **state)
{
	static const struct step steps[] = { { "frozen", kill_process },
					     { "thawed", NULL },
					     { 0 } };

	(void)state;
	run("freeze " ID " 60", steps);
	assert_string_equal(node("reason"), "error");
	assert_non_null(strstr(node("error"), "killed"));
	assert_non_null(strstr(shared->log, "thaw a;thaw b;thaw c;"));
}

/* The powers that the unit leaves the agent, as a mask. */
static uint64_t unit_capabilities(void)
{
	static const struct {
		const char *name;
		int bit;
	} names[] = {
		{ "CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE },
		{ "CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH },
		{ "CAP_SYS_ADMIN", CAP_SYS_ADMIN },
		{ "CAP_SYS_TIME", CAP_SYS_TIME },
		{ "CAP_SYS_RESOURCE", CAP_SYS_RESOURCE },
	};
	static const char key[] = "CapabilityBoundingSet=";
	FILE *file = fopen(SOURCE_ROOT "/packaging/systemd/xenpv-agent.service", "re");
	uint64_t mask = 0;
	char line[300];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		for (char *word = strtok(line + strlen(key), " \n"); word;
		     word = strtok(NULL, " \n")) {
			size_t i = 0;

			while (i < ELEMENTSOF(names) && strcmp(names[i].name, word) != 0)
				i++;
			assert_true(i < ELEMENTSOF(names));
			mask |= UINT64_C(1) << names[i].bit;
		}
	}
	fclose(file);
	assert_true(mask != 0);
	return mask;
}

/* Give up all others. What this test has not got itself it does without. */
static void keep_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(mask >> 32 * i);
		data[i].effective = data[i].permitted;
	}
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static bool may(int capability)
{
	return prctl(PR_CAPBSET_READ, capability) == 1 && geteuid() == 0;
}

/* Mounted in, and on, a directory that is another user's alone, as databases have them. */
static void test_private_directories(void **state)
{
	static const struct step steps[] = { { "frozen", ask_thaw }, { "thawed", NULL }, { 0 } };
	static const char *const private[] = { "a", "p" };
	char path[PATH_MAX], text[1024];
	int status;
	pid_t pid;

	(void)state;
	if (!may(CAP_DAC_READ_SEARCH) || !may(CAP_CHOWN))
		skip();
	root_file(t.root, "p/d/x", "");
	snprintf(text, sizeof(text),
		 "1 0 202:1 / %s/a rw - ext4 /dev/xvda1 rw\n"
		 "2 1 202:2 / %s/p/d rw - ext4 /dev/xvda2 rw\n",
		 t.root->path, t.root->path);
	root_file(t.root, "proc/self/mountinfo", text);
	for (size_t i = 0; i < ELEMENTSOF(private); i++) {
		snprintf(path, sizeof(path), "%s/%s", t.root->path, private[i]);
		assert_int_equal(chmod(path, 0700), 0);
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		keep_capabilities(unit_capabilities());
		run("freeze " ID " 60", steps);
		_exit(strcmp(node("filesystems"), "2") == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(shared->log, "freeze d;freeze a;thaw a;thaw d;");
}

static void die(void)
{
	_exit(7);
}

static void test_agent_killed(void **state)
{
	static const struct step steps[] = { { "frozen", die }, { 0 } };
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run("freeze " ID " 60", steps);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	for (int i = 0; i < 2000 && !strstr(shared->log, "thaw c"); i++)
		usleep(10000);
	assert_string_equal(shared->log, "freeze c;freeze b;freeze a;thaw a;thaw b;thaw c;");
}

static void abort_it(void)
{
	freeze_abort(t.freeze, "shutdown");
}

static void test_shutdown_thaws(void **state)
{
	static const struct step steps[] = { { "frozen", abort_it }, { "thawed", NULL }, { 0 } };

	(void)state;
	run("freeze " ID " 60", steps);
	assert_string_equal(node("reason"), "shutdown");
}

/* Asked while the hooks before still run: nothing gets frozen, what they did is undone. */
static void test_thaw_before_frozen(void **state)
{
	static const struct step steps[] = { { "freezing", ask_thaw }, { "thawed", NULL }, { 0 } };
	char path[PATH_MAX], text[64] = "";
	FILE *file;

	(void)state;
	hook("freeze.d/1", NOTE);
	run("freeze " ID " 60", steps);
	assert_string_equal(node("filesystems"), "0");
	assert_string_equal(shared->log, "");
	snprintf(path, sizeof(path), "%s/log", t.root->path);
	file = fopen(path, "re");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, "hook freeze\nhook thaw\n");
}

static void test_hook_fails(void **state)
{
	static const struct step steps[] = { { "failed", NULL }, { 0 } };

	(void)state;
	hook("freeze.d/1", "#!/bin/sh\n[ $1 = thaw ]\n");
	run("freeze " ID " 60", steps);
	assert_non_null(strstr(node("error"), "freeze.d"));
	assert_string_equal(shared->log, "");
}

static void check_refused(const char *text, bool old, const char *id, const char *error)
{
	static const struct step none[] = { { 0 } };

	open_loop();
	t.step = none;
	freeze_request(t.freeze, text, old);
	assert_string_equal(node("state"), "failed");
	if (*id)
		assert_string_equal(node("id"), id);
	else
		assert_null(node("id"));
	assert_non_null(strstr(node("error"), error));
	freeze_reset(t.freeze);
	report_clear(&t.report);
	assert_int_equal(freeze_report(t.freeze, &t.report), 0);
	assert_null(node("state"));
	close_loop();
}

static void test_refused(void **state)
{
	(void)state;
	check_refused("freeze " ID " 60", true, ID, "older than the agent");
	check_refused("freeze " ID " 601", false, ID, "not of the form");
	check_refused("freeze 'x' 5", false, "", "not of the form");
	t.settings.freeze = false;
	check_refused("freeze " ID " 60", false, ID, "agent.conf");
	assert_null(report_find(&t.report, FREEZE_FEATURE));
	assert_string_equal(shared->log, "");
}

/* A file system in a file: writing to it waits from the freeze to the thaw. */
static void check_blocked(void)
{
	char path[PATH_MAX];
	pid_t pid;

	assert_string_equal(node("filesystems"), "1");
	snprintf(path, sizeof(path), "%s/mnt/new", t.root->path);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0);
	shared->pid = pid;
	usleep(200000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	ask_thaw();
}

static void test_real(void **state)
{
	static const struct step steps[] = { { "frozen", check_blocked },
					     { "thawed", NULL },
					     { 0 } };
	char command[400], text[200];
	pid_t writer;
	int status;

	(void)state;
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin; cd %s && mkdir mnt && truncate -s 4M image && "
		 "mke2fs -q -F -t ext4 image && mount -o loop image mnt 2>/dev/null",
		 t.root->path);
	if (system(command) != 0)
		skip(); /* no loop devices, or not root */
	snprintf(text, sizeof(text), "1 0 7:0 / %s/mnt rw - ext4 /dev/loop0 rw\n", t.root->path);
	root_file(t.root, "proc/self/mountinfo", text);
	shared->real = true;
	run("freeze " ID " 60", steps);
	writer = shared->pid;
	assert_int_equal(waitpid(writer, &status, 0), writer);
	snprintf(command, sizeof(command), "%s/mnt", t.root->path);
	assert_int_equal(umount(command), 0);
	assert_int_equal(status, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, freezing_set_up, freezing_tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		TEST(test_freeze_and_thaw),
		TEST(test_limit),
		TEST(test_one_fails),
		TEST(test_some_know_no_freezing),
		TEST(test_process_killed),
		TEST(test_agent_killed),
		TEST(test_private_directories),
		TEST(test_shutdown_thaws),
		TEST(test_thaw_before_frozen),
		TEST(test_hook_fails),
		TEST(test_refused),
		TEST(test_real),
	};
	static const char option[] = "--hooks=";
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (argc == 2 && strncmp(argv[1], option, strlen(option)) == 0)
		return hooks_run(hooks_by_name(argv[1] + strlen(option)), 20) == 0 ? 0 : 1;
	/* Mounts are gone with the test, whatever becomes of it. */
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (freezing_share() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
