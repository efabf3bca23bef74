// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/log.h"

extern char **environ;

/* Seconds between SIGTERM and SIGKILL. */
#define GRACE 2

static const struct {
	const char *name, *directory;
} occasions[HOOKS_MAX] = {
	[HOOKS_SHUTDOWN] = { "shutdown", "shutdown.d" },
	[HOOKS_FREEZE] = { "freeze", "freeze.d" },
	[HOOKS_THAW] = { "thaw", "freeze.d" },
};

struct entries {
	struct dirent **list;
	int n;
};

static void entries_clear(struct entries *entries)
{
	for (int i = 0; i < entries->n; i++)
		free(entries->list[i]);
	free(entries->list);
}

const char *hooks_name(enum hooks hooks)
{
	return occasions[hooks].name;
}

enum hooks hooks_by_name(const char *name)
{
	enum hooks hooks;

	for (hooks = 0; hooks < HOOKS_MAX; hooks++)
		if (strcmp(name, occasions[hooks].name) == 0)
			break;
	return hooks;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void make_path(enum hooks hooks, const char *name, char path[static PATH_MAX])
{
	const char *parent = getenv("XENPV_HOOKS");

	(void)snprintf(path, PATH_MAX, "%s/%s%s%s", parent && *parent ? parent : HOOKS_DIRECTORY,
		       occasions[hooks].directory, name ? "/" : "", name ?: "");
}

/* A missing directory has no entries. */
static int read_entries(enum hooks hooks, struct entries *ret)
{
	char path[PATH_MAX];
	int n;

	make_path(hooks, NULL, path);
	n = scandir(path, &ret->list, is_visible, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	ret->n = n;
	return 0;
}

/* May others than root (in tests, ourselves) change it? */
static bool is_safe(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static bool is_runnable(const char *path, bool loud)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR))
		return false;
	if (is_safe(&st))
		return true;
	if (loud)
		log_warning(0,
			    "%s is not run: others than root may change it; "
			    "chown root and chmod go-w it",
			    path);
	return false;
}

static bool directory_is_safe(enum hooks hooks, bool loud)
{
	char path[PATH_MAX];
	struct stat st;

	make_path(hooks, NULL, path);
	if (stat(path, &st) < 0)
		return false;
	if (!is_safe(&st) && loud)
		log_warning(0, "nothing in %s is run: others than root may change it", path);
	return is_safe(&st);
}

bool hooks_exist(enum hooks hooks)
{
	_cleanup_(entries_clear) struct entries entries = { 0 };
	bool found = false;

	if (read_entries(hooks, &entries) < 0 || !directory_is_safe(hooks, false))
		return false;
	for (int i = 0; i < entries.n && !found; i++) {
		char path[PATH_MAX];

		make_path(hooks, entries.list[i]->d_name, path);
		found = is_runnable(path, false);
	}
	return found;
}

static int start(const char *path, const char *argument, pid_t *ret)
{
	char *argv[] = { (char *)path, (char *)argument, NULL };
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	r = posix_spawnattr_init(&attributes);
	if (r != 0)
		return -r;
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawnattr_setpgroup(&attributes, 0);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	r = posix_spawn(ret, path, NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

static int64_t now_nsec(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000000000 + ts.tv_nsec;
}

/* Until the child ends: its wait status in *ret. -ETIMEDOUT at @deadline, -EINTR on SIGTERM. */
static int wait_child(pid_t pid, int64_t deadline, int *ret)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	for (;;) {
		int64_t left = deadline - now_nsec();
		struct timespec timeout;
		pid_t waited;

		waited = waitpid(pid, ret, WNOHANG);
		if (waited != 0)
			return waited < 0 ? -errno : 0;
		if (left <= 0)
			return -ETIMEDOUT;
		timeout.tv_sec = left / 1000000000;
		timeout.tv_nsec = left % 1000000000;
		if (sigtimedwait(&set, NULL, &timeout) == SIGTERM)
			return -EINTR;
	}
}

/* Until no process of a group is left; not beyond @deadline, nor a SIGTERM. */
static void wait_group(pid_t pgid, int64_t deadline)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	while (kill(-pgid, 0) == 0 && now_nsec() < deadline)
		if (sigtimedwait(&set, NULL, &pause) == SIGTERM)
			break;
}

/* And what it has started: a shell ends at once, the program it waits for may need time. */
static void end_child(pid_t pid)
{
	int64_t deadline = now_nsec() + GRACE * (int64_t)1000000000;
	int status;

	(void)kill(-pid, SIGTERM);
	if (wait_child(pid, deadline, &status) < 0) {
		(void)kill(-pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		return;
	}
	wait_group(pid, deadline);
	(void)kill(-pid, SIGKILL);
}

/* Returns 0, 1 if it failed, or a negative errno that ends the run. */
static int run_one(const char *path, const char *argument, int64_t deadline)
{
	int status, r;
	pid_t pid;

	log_debug("running %s %s", path, argument);
	r = start(path, argument, &pid);
	if (r < 0) {
		log_warning(r, "cannot run %s: %m", path);
		return 1;
	}
	r = wait_child(pid, deadline, &status);
	if (r < 0) {
		log_warning(r, "%s is ended: %m", path);
		end_child(pid);
		return r;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		log_warning(0, "%s failed with exit status %d", path, WEXITSTATUS(status));
	else
		log_warning(0, "%s was killed by signal %d", path, WTERMSIG(status));
	return 1;
}

int hooks_run(enum hooks hooks, uint32_t limit)
{
	_cleanup_(entries_clear) struct entries entries = { 0 };
	int64_t deadline = now_nsec() + limit * (int64_t)1000000000;
	int failed = 0, r;

	r = read_entries(hooks, &entries);
	if (r < 0)
		return r;
	if (!entries.n || !directory_is_safe(hooks, true))
		return 0;
	for (int i = 0; i < entries.n; i++) {
		/* What was prepared last is undone first. */
		int at = hooks == HOOKS_THAW ? entries.n - 1 - i : i;
		char path[PATH_MAX];

		make_path(hooks, entries.list[at]->d_name, path);
		if (!is_runnable(path, true))
			continue;
		r = run_one(path, occasions[hooks].name, deadline);
		if (r < 0)
			return r;
		failed += r;
		if (failed && hooks == HOOKS_FREEZE)
			break;
	}
	return failed;
}
