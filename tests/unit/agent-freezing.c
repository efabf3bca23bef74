// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent-freezing.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "fsfreeze.h"
#include "hooks.h"

#define LIMIT_USEC ((uint64_t)20 * 1000000)
#define RETRY_USEC ((uint64_t)10000)

struct shared *shared;
struct freezing t;

static void record(const char *verb, const char *name)
{
	size_t used;

	while (atomic_flag_test_and_set(&shared->lock))
		;
	used = strlen(shared->log);
	(void)snprintf(shared->log + used, sizeof(shared->log) - used, "%s %s;", verb, name);
	atomic_flag_clear(&shared->lock);
}

/* A disk that does not answer until the test lets it. */
static void hang(void)
{
	struct pollfd poller = { .fd = shared->release, .events = POLLIN };

	(void)eventfd_write(shared->hanging, 1);
	(void)poll(&poller, 1, HANG_MSEC);
}

void await_hanging(void)
{
	eventfd_t n;

	assert_int_equal(eventfd_read(shared->hanging, &n), 0);
}

void let_go(void)
{
	assert_int_equal(eventfd_write(shared->release, 1), 0);
}

static const char *directory_of(int fd, char path[static PATH_MAX])
{
	char link[64], *slash;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	assert_true(n > 0);
	path[n] = '\0';
	slash = strrchr(path, '/');
	return slash + 1;
}

int __real_fsfreeze_freeze(int fd);
int __wrap_fsfreeze_freeze(int fd);
int __wrap_fsfreeze_freeze(int fd)
{
	char path[PATH_MAX];
	const char *name = directory_of(fd, path);

	shared->pid = getpid();
	shared->watch = getppid();
	if (strcmp(name, shared->hang_freeze) == 0)
		hang();
	if (strcmp(name, shared->fail) == 0)
		return shared->error;
	record("freeze", name);
	return shared->real ? __real_fsfreeze_freeze(fd) : 0;
}

int __real_fsfreeze_thaw(int fd);
int __wrap_fsfreeze_thaw(int fd);
int __wrap_fsfreeze_thaw(int fd)
{
	char path[PATH_MAX];
	const char *name = directory_of(fd, path);

	if (strcmp(name, shared->hang_thaw) == 0)
		hang();
	record("thaw", name);
	return shared->real ? __real_fsfreeze_thaw(fd) : 0;
}

/* The directories are on this machine's own disk, which others may keep busy for seconds. */
int __real_syncfs(int fd);
int __wrap_syncfs(int fd);
int __wrap_syncfs(int fd)
{
	return shared->real ? __real_syncfs(fd) : 0;
}

const char *node(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), FREEZE_PATH "/%s", name);
	return report_find(&t.report, path);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	static unsigned int n;
	char request[64];

	(void)source;
	(void)usec;
	(void)userdata;
	snprintf(request, sizeof(request), "freeze %x 60", ++n);
	freeze_request(t.freeze, request, false);
	return 0;
}

void ask_until_frozen(void)
{
	t.retry = true;
	assert_true(sd_event_add_time_relative(t.event, NULL, CLOCK_MONOTONIC, RETRY_USEC, 0,
					       on_retry, NULL) >= 0);
}

static void on_changed(void *userdata)
{
	(void)userdata;
	report_clear(&t.report);
	assert_int_equal(freeze_report(t.freeze, &t.report), 0);
	if (t.retry && strcmp(node("state"), "failed") == 0) {
		ask_until_frozen();
		return;
	}
	while (t.step->state && strcmp(node("state"), t.step->state) == 0) {
		const struct step *step = t.step++;

		if (step->act)
			step->act();
		else
			sd_event_exit(t.event, 0);
	}
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	(void)userdata;
	t.late = true;
	return sd_event_exit(t.event, 0);
}

int freezing_set_up(void **state)
{
	char text[1024];
	int r = root_set_up(state);

	if (r != 0)
		return r;
	memset(&t, 0, sizeof(t));
	memset(shared, 0, sizeof(*shared));
	shared->release = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	shared->hanging = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	if (shared->release < 0 || shared->hanging < 0)
		return -1;
	t.root = *state;
	settings_default(&t.settings);
	root_file(t.root, "a/x", "");
	root_file(t.root, "b/x", "");
	root_file(t.root, "c/x", "");
	root_file(t.root, "ro/x", "");
	snprintf(text, sizeof(text),
		 "1 0 202:1 / %s/a rw - ext4 /dev/xvda1 rw\n"
		 "2 1 202:2 / %s/b rw - ext4 /dev/xvda2 rw\n"
		 "3 1 202:3 / %s/ro rw - ext4 /dev/xvda3 ro\n"
		 "4 1 202:4 / %s/c ro - xfs /dev/xvda4 rw\n"
		 "5 1 0:20 / /proc rw - proc proc rw\n",
		 t.root->path, t.root->path, t.root->path, t.root->path);
	root_file(t.root, "proc/self/mountinfo", text);
	snprintf(text, sizeof(text), "%s/run", t.root->path);
	if (setenv("RUNTIME_DIRECTORY", text, 1) < 0)
		return -1;
	return setenv("XENPV_HOOKS", t.root->path, 1);
}

int freezing_tear_down(void **state)
{
	report_clear(&t.report);
	close(shared->release);
	close(shared->hanging);
	return root_tear_down(state);
}

void hook(const char *path, const char *script)
{
	char full[PATH_MAX];

	root_file(t.root, path, script);
	snprintf(full, sizeof(full), "%s/%s", t.root->path, path);
	assert_int_equal(chmod(full, 0755), 0);
}

void open_loop(void)
{
	assert_true(sd_event_new(&t.event) >= 0);
	assert_true(sd_event_add_time_relative(t.event, NULL, CLOCK_MONOTONIC, LIMIT_USEC, 0,
					       on_limit, NULL) >= 0);
	assert_int_equal(
		freeze_new(t.event, NULL, &t.settings, t.root->path, on_changed, NULL, &t.freeze),
		0);
}

void close_loop(void)
{
	freeze_free(t.freeze);
	t.freeze = NULL;
	t.event = sd_event_unref(t.event);
}

void run(const char *request, const struct step *steps)
{
	open_loop();
	t.step = steps;
	freeze_request(t.freeze, request, false);
	sd_event_loop(t.event);
	close_loop();
	assert_false(t.late);
	assert_null(t.step->state);
}

void ask_thaw(void)
{
	freeze_request(t.freeze, "thaw " ID, false);
}

int freezing_share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return shared == MAP_FAILED ? -errno : 0;
}
