// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole agent, on its own event loop, against a xenstore in memory (the xsc_*
 * functions are replaced at link time) and stand-ins for systemd and logind. A test is a
 * list of steps: await something, then do something; the last ends the agent.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <cmocka.h>

#include "agent-nodes.h"
#include "agent-peers.h"
#include "agent.h"
#include "freeze.h"
#include "lib/cleanup.h"
#include "lib/xs.h"
#include "stamp.h"

#define LIMIT_USEC ((uint64_t)20 * 1000000)

#define STATE      SHUTDOWN_PATH_STATE
#define UNIT       SHUTDOWN_PATH_UNIT
#define SECONDS    SHUTDOWN_PATH_SECONDS
#define UPDATED    "data/updated"
#define MINORVER   "data/os_minorver"
#define BALLOON    "data/xenpv/balloon/mode"

struct step {
	bool (*await)(void);
	void (*act)(void);
};

static struct {
	/* the xenstore, but for its nodes */
	uint32_t domid;
	int refuse;    /* negative errno for every change, or 0 */
	int writes;    /* changes asked for, refused ones included */
	char last[80]; /* the path changed last */
	xsc_watch_fn watch, request_watch;
	void *watch_data;

	/* the test */
	char dir[40];
	char manager_path[80];
	char bus_path[80];
	struct peer *manager;
	struct peer *bus;
	sd_event *event;
	sd_event_source *post, *kick, *limit;
	const struct step *step;
	bool late;
} t;

/* One step after the other, as far as their conditions hold. */
static int on_post(sd_event_source *source, void *userdata)
{
	int enabled;

	(void)source;
	(void)userdata;
	if (sd_event_source_get_enabled(t.kick, &enabled) > 0)
		return 0; /* still starting */
	while (t.step->await && t.step->await()) {
		const struct step *step = t.step++;

		step->act();
	}
	return 0;
}

static int on_kick(sd_event_source *source, void *userdata)
{
	(void)source;
	(void)userdata;
	/* As xenstored does: a watch fires once for being set. */
	t.watch(t.watch_data, "domid");
	t.request_watch(t.watch_data, FREEZE_REQUEST);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	(void)userdata;
	t.late = true;
	return sd_event_exit(t.event, 0);
}

int __wrap_xsc_open(sd_event *event, struct xs_conn **ret);
int __wrap_xsc_open(sd_event *event, struct xs_conn **ret)
{
	t.event = event;
	assert_true(sd_event_add_post(event, &t.post, on_post, NULL) >= 0);
	assert_true(sd_event_add_defer(event, &t.kick, on_kick, NULL) >= 0);
	assert_true(sd_event_add_time_relative(event, &t.limit, CLOCK_MONOTONIC, LIMIT_USEC, 0,
					       on_limit, NULL) >= 0);
	*ret = (struct xs_conn *)&t;
	return 0;
}

void __wrap_xsc_close(struct xs_conn *xs);
void __wrap_xsc_close(struct xs_conn *xs)
{
	if (!xs)
		return;
	peer_free(t.manager);
	peer_free(t.bus);
	t.manager = t.bus = NULL;
	t.post = sd_event_source_disable_unref(t.post);
	t.kick = sd_event_source_disable_unref(t.kick);
	t.limit = sd_event_source_disable_unref(t.limit);
}

int __wrap_xsc_watch(struct xs_conn *xs, const char *path, xsc_watch_fn fn, void *userdata,
		     struct xs_watch **ret);
int __wrap_xsc_watch(struct xs_conn *xs, const char *path, xsc_watch_fn fn, void *userdata,
		     struct xs_watch **ret)
{
	(void)xs;
	if (strcmp(path, FREEZE_REQUEST) == 0) {
		t.request_watch = fn;
	} else {
		assert_string_equal(path, "domid");
		t.watch = fn;
	}
	t.watch_data = userdata;
	*ret = (struct xs_watch *)&t;
	return 0;
}

void __wrap_xsc_unwatch(struct xs_watch *w);
void __wrap_xsc_unwatch(struct xs_watch *w)
{
	(void)w;
	t.watch = NULL;
}

int __wrap_xsc_read(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		    char **ret);
int __wrap_xsc_read(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		    char **ret)
{
	(void)xs;
	(void)tid;
	assert_string_equal(key, "");
	if (!node(dir))
		return -ENOENT;
	*ret = strdup(node(dir));
	return *ret ? 0 : -ENOMEM;
}

static int change(const char *dir, const char *key)
{
	/* The kernel alone answers these. */
	assert_int_not_equal(strncmp(dir, "control", strlen("control")), 0);
	assert_string_equal(key, "");
	t.writes++;
	snprintf(t.last, sizeof(t.last), "%s", dir);
	return t.refuse;
}

int __wrap_xsc_write(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		     const char *value);
int __wrap_xsc_write(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		     const char *value)
{
	int r = change(dir, key);

	(void)xs;
	(void)tid;
	if (r == 0)
		set_node(dir, value);
	return r;
}

int __wrap_xsc_remove(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key);
int __wrap_xsc_remove(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key)
{
	int r = change(dir, key);

	(void)xs;
	(void)tid;
	if (r == 0)
		remove_node(dir);
	return r;
}

int __wrap_xsc_own_domid(struct xs_conn *xs, uint32_t *ret);
int __wrap_xsc_own_domid(struct xs_conn *xs, uint32_t *ret)
{
	(void)xs;
	*ret = t.domid;
	return 0;
}

/* Conditions and actions that several tests use. */

static bool at_once(void)
{
	return true;
}

static bool running(void)
{
	return node_is(STATE, "running");
}

static bool requested(void)
{
	return node_is(STATE, "requested");
}

static bool stopping(void)
{
	return node_is(STATE, "stopping");
}

static void terminate(void)
{
	assert_int_equal(kill(getpid(), SIGTERM), 0);
}

static void start_manager(void)
{
	t.manager = peer_new(t.event, t.manager_path, false);
}

static void start_bus(void)
{
	t.bus = peer_new(t.event, t.bus_path, true);
}

static bool manager_ready(void)
{
	return peer_ready(t.manager);
}

static bool lock_held(void)
{
	return peer_ready(t.bus) && peer_lock_held(t.bus);
}

static int run(const struct step *steps)
{
	char manager[100], bus[100];
	struct settings settings;
	int r;

	snprintf(manager, sizeof(manager), "unix:path=%s", t.manager_path);
	snprintf(bus, sizeof(bus), "unix:path=%s", t.bus_path);
	t.step = steps;
	settings_default(&settings);
	r = agent_run(&settings, manager, bus);
	assert_false(t.late);
	assert_null(t.step->await);
	return r;
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	nodes_clear();
	strcpy(t.dir, "/tmp/xenpv-test-agent-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.manager_path, sizeof(t.manager_path), "%s/systemd", t.dir);
	snprintf(t.bus_path, sizeof(t.bus_path), "%s/bus", t.dir);
	t.domid = 7;
	return setenv("RUNTIME_DIRECTORY", t.dir, 1);
}

static int tear_down(void **state)
{
	(void)state;
	(void)stamp_remove();
	return rmdir(t.dir);
}

/* Neither systemd nor a bus; what an earlier boot left is put right. */
static void check_start(void)
{
	assert_true(node_is(SECONDS, NULL));
	assert_true(node_is(UNIT, NULL));
	assert_true(node_is("attr/PVAddons/Installed", "1"));
	assert_non_null(node("data/os_name"));
	assert_true(!node(MINORVER) || strcmp(node(MINORVER), "stale") != 0);
	assert_true(node_is("data/xenpv/device/vbd/9/errors", NULL));
	/* xen-balloon's, which writes what changes only. */
	assert_true(node_is(BALLOON, "policy"));
	assert_string_equal(t.last, UPDATED);
	assert_int_equal(stamp_load(&(uint64_t){ 0 }), -ENOENT);
	terminate();
}

static void test_start_cleans(void **state)
{
	static const struct step steps[] = { { running, check_start }, { 0 } };

	(void)state;
	set_node(STATE, "stopped");
	set_node(SECONDS, "9.0");
	set_node(UNIT, "old.service");
	set_node(MINORVER, "stale");
	set_node("data/xenpv/device/vbd/9/errors", "io=1");
	set_node(BALLOON, "policy");
	assert_int_equal(stamp_save(1), 0);
	assert_int_equal(run(steps), 0);
	/* Stopped alone: the system is not said to run any more, its facts stay. */
	assert_true(node_is(STATE, NULL));
	assert_non_null(node("data/os_name"));
}

static void migrate(void)
{
	nodes_clear();
	t.domid = 8;
	t.watch(t.watch_data, "domid");
	assert_true(node_is(STATE, "running"));
	assert_true(node_is("attr/PVAddons/Installed", "1"));
	assert_non_null(node(UPDATED));
}

/* Continued in place: all is there. Then a restore whose domain got the same number. */
static void continue_and_restore(void)
{
	int writes = t.writes;

	t.watch(t.watch_data, "domid");
	assert_int_equal(t.writes, writes);
	nodes_clear();
	t.watch(t.watch_data, "domid");
	assert_true(node_is(STATE, "running"));
}

static void hang_up(void)
{
	remove_node("data");
	assert_int_equal(kill(getpid(), SIGHUP), 0);
}

static void test_reports_anew(void **state)
{
	static const struct step steps[] = {
		{ running, migrate },
		{ at_once, continue_and_restore },
		{ running, hang_up },
		{ running, terminate },
		{ 0 },
	};

	(void)state;
	assert_int_equal(run(steps), 0);
}

/* A toolstack that keeps everything read-only, and an exhausted quota, stop nothing. */
static void test_refusals(void **state)
{
	static const int errors[] = { -EACCES, -ENOSPC, -E2BIG, -EINVAL };
	static const struct step steps[] = { { at_once, terminate }, { 0 } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
		t.refuse = errors[i];
		t.writes = 0;
		assert_int_equal(run(steps), 0);
		/* each node was tried, once */
		assert_in_range(t.writes, 20, 60);
		assert_int_equal(nodes_count(), 0);
	}
}

/* Without a connection there is nothing to stay for. */
static void lose_connection(void)
{
	t.refuse = -EPIPE;
	nodes_clear();
	t.watch(t.watch_data, "domid");
}

static void test_connection_lost(void **state)
{
	static const struct step steps[] = { { running, lose_connection }, { 0 } };

	(void)state;
	assert_int_equal(run(steps), -EPIPE);
}

/* A shutdown from its announcement to the end, systemd and bus appearing after the agent. */
static const struct job_info jobs_begin[] = {
	{ 1, "shutdown.target", "start", "waiting" },
	{ 2, "slow.service", "stop", "running" },
	{ 3, "home.mount", "stop", "waiting" },
};
static const struct job_info jobs_hooks[] = {
	{ 1, "shutdown.target", "start", "waiting" },
	{ 4, "reboot.target", "start", "waiting" },
	{ 5, SHUTDOWN_HOOKS_UNIT, "stop", "running" },
	{ 2, "slow.service", "stop", "waiting" },
};
static const struct job_info jobs_mount[] = {
	{ 1, "shutdown.target", "start", "waiting" },
	{ 3, "home.mount", "stop", "running" },
};

static void announce(void)
{
	peer_emit_prepare(t.bus, true);
}

static void check_announced(void)
{
	uint64_t since;

	assert_int_equal(stamp_load(&since), 0);
	assert_true(node_is(UNIT, NULL));
}

static bool lock_released(void)
{
	return requested() && !peer_lock_held(t.bus);
}

static bool stopping_unlocked(void)
{
	return stopping() && !peer_lock_held(t.bus);
}

static void run_hooks(void)
{
	peer_set_jobs(t.manager, jobs_hooks, ELEMENTSOF(jobs_hooks));
	peer_emit_job_new(t.manager, 1, "shutdown.target");
}

static bool hooks_named(void)
{
	return node_is(UNIT, SHUTDOWN_HOOKS_UNIT);
}

static void stop_units(void)
{
	assert_true(requested());
	/* The bus is among the first to go. */
	peer_drop(t.bus);
	peer_emit_job_removed(t.manager, 5, SHUTDOWN_HOOKS_UNIT, "done");
	peer_set_jobs(t.manager, jobs_begin, ELEMENTSOF(jobs_begin));
	peer_emit_job_new(t.manager, 1, "shutdown.target");
	peer_emit_job_new(t.manager, 2, "slow.service");
}

static bool slow_named(void)
{
	return node_is(UNIT, "slow.service");
}

static void end_slow(void)
{
	peer_set_jobs(t.manager, jobs_mount, ELEMENTSOF(jobs_mount));
	peer_emit_job_removed(t.manager, 2, "slow.service", "done");
	peer_emit_job_running(t.manager, 3);
}

static bool mount_named(void)
{
	return node_is(UNIT, "home.mount");
}

static void test_shutdown(void **state)
{
	static const struct step steps[] = {
		{ running, start_manager },
		{ manager_ready, start_bus },
		{ lock_held, announce },
		{ requested, check_announced },
		{ lock_released, run_hooks },
		{ hooks_named, stop_units },
		{ slow_named, end_slow },
		{ mount_named, terminate },
		{ 0 },
	};

	(void)state;
	assert_int_equal(run(steps), 0);
	assert_true(stopping() && node_is(UNIT, NULL));
	assert_true(node_is(SHUTDOWN_PATH_ACTION, "reboot"));
	/* A stopping system is not asked to start its bus again. */
	assert_int_equal(stamp_load(&(uint64_t){ 0 }), 0);
}

/* No bus at all: systemd's jobs tell. Cancelled, then begun again, over a reconnection. */
static void begin_jobs(void)
{
	peer_set_jobs(t.manager, jobs_begin, ELEMENTSOF(jobs_begin));
	peer_emit_job_new(t.manager, 1, "shutdown.target");
}

static void cancel_jobs(void)
{
	peer_set_jobs(t.manager, NULL, 0);
	peer_emit_job_removed(t.manager, 2, "slow.service", "canceled");
	peer_emit_job_removed(t.manager, 1, "shutdown.target", "canceled");
}

static void reexec(void)
{
	assert_true(node_is(UNIT, NULL));
	peer_drop(t.manager);
	peer_set_jobs(t.manager, jobs_begin, ELEMENTSOF(jobs_begin));
}

static void test_systemd_alone(void **state)
{
	static const struct step steps[] = {
		{ at_once, start_manager },  { manager_ready, begin_jobs },
		{ slow_named, cancel_jobs }, { running, reexec },
		{ slow_named, terminate },   { 0 },
	};

	(void)state;
	assert_int_equal(run(steps), 0);
}

static void call_off(void)
{
	peer_emit_prepare(t.bus, false);
}

static bool running_with_lock(void)
{
	return running() && lock_held();
}

static void test_cancelled_takes_lock_again(void **state)
{
	static const struct step steps[] = {
		{ at_once, start_bus },
		{ lock_held, announce },
		{ stopping_unlocked, call_off },
		{ running_with_lock, terminate },
		{ 0 },
	};

	(void)state;
	assert_int_equal(run(steps), 0);
}

/* The guest suspends itself: the host is told before, and that it is back. */
static void change_sleep(void)
{
	peer_emit_sleep(t.bus, !node_is(STATE, "suspending"));
}

static bool suspending_unlocked(void)
{
	return node_is(STATE, "suspending") && !lock_held();
}

static void test_sleep(void **state)
{
	static const struct step steps[] = {
		{ at_once, start_bus },
		{ lock_held, change_sleep },
		{ suspending_unlocked, change_sleep },
		{ running_with_lock, terminate },
		{ 0 },
	};

	(void)state;
	assert_int_equal(run(steps), 0);
}

static void start_refusing_bus(void)
{
	start_bus();
	peer_refuse_lock(t.bus);
}

static bool bus_ready(void)
{
	return peer_ready(t.bus);
}

/* No lock: what is announced is reported all the same. */
static void test_lock_refused(void **state)
{
	static const struct step steps[] = {
		{ at_once, start_refusing_bus },
		{ bus_ready, announce },
		{ stopping, terminate },
		{ 0 },
	};

	(void)state;
	assert_int_equal(run(steps), 0);
}

/* A request that was there before the agent is not carried out; the next one is read. */
static bool refused_as_old(void)
{
	return running() && node_is(FREEZE_PATH "/state", "failed") &&
	       strstr(node(FREEZE_PATH "/error"), "older") != NULL;
}

static void ask_anew(void)
{
	assert_true(node_is(FREEZE_PATH "/id", "aa"));
	assert_true(node_is(FREEZE_FEATURE, "1"));
	remove_node(FREEZE_REQUEST);
	t.request_watch(t.watch_data, FREEZE_REQUEST);
	set_node(FREEZE_REQUEST, "freeze bb never");
	t.request_watch(t.watch_data, FREEZE_REQUEST);
}

static bool refused_as_malformed(void)
{
	return node_is(FREEZE_PATH "/id", "bb") &&
	       strstr(node(FREEZE_PATH "/error"), "form") != NULL;
}

static void test_freeze_requests(void **state)
{
	static const struct step steps[] = {
		{ refused_as_old, ask_anew },
		{ refused_as_malformed, terminate },
		{ 0 },
	};

	(void)state;
	set_node(FREEZE_REQUEST, "freeze aa 5");
	set_node(FREEZE_PATH "/state", "frozen");
	assert_int_equal(run(steps), 0);
	assert_null(node(FREEZE_FEATURE));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_start_cleans),
		TEST(test_reports_anew),
		TEST(test_refusals),
		TEST(test_connection_lost),
		TEST(test_shutdown),
		TEST(test_systemd_alone),
		TEST(test_cancelled_takes_lock_again),
		TEST(test_lock_refused),
		TEST(test_sleep),
		TEST(test_freeze_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
