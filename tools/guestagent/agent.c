// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/xs.h"
#include "freeze.h"
#include "logind.h"
#include "manager.h"
#include "publish.h"
#include "sources.h"
#include "stamp.h"

/*
 * Dozens of units end within a moment, each making another the oldest. The node follows
 * at this pace at most: nobody reads faster, and each write costs the host.
 */
#define UNIT_INTERVAL_USEC ((uint64_t)100000)

/* A change of addresses, disks or mounts brings others with it; they are told as one. */
#define CHANGE_DELAY_USEC ((uint64_t)200000)

struct agent {
	sd_event *event;
	struct xs_conn *xs;
	struct publisher publisher;
	struct xs_watch *domid_watch;
	bool domid_watched; /* the watch has fired for being set */
	uint32_t domid;     /* as last reported */
	sd_event_source *hostname;
	sd_event_source *unit_timer;
	struct sources sources;
	unsigned int changed; /* bit for each section that is to be reported anew */
	sd_event_source *change_timer;
	sd_event_source *interval_timer;
	uint64_t interval; /* microseconds */

	struct freeze *freeze;
	struct xs_watch *freeze_watch;
	bool freeze_watched; /* the watch has fired for being set */
	bool ending;         /* SIGTERM came; the loop ends when nothing is frozen */

	struct shutdown shutdown;
	struct manager *manager;
	struct logind *logind;
	bool was_requested; /* a shutdown, when it last changed */
	const char *state;  /* of the shutdown, as last reported */
	char *unit;         /* as last reported, or NULL */
};

int agent_report(struct sources *sources, struct report *report)
{
	for (enum section section = SECTION_NONE + 1; section < SECTION_MAX; section++) {
		int r = sources_report(sources, section, report);

		if (r < 0)
			return r;
	}
	return 0;
}

int agent_mark_updated(struct report *report)
{
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm))
		return -EINVAL;
	return report_add(report, "data/updated", text);
}

/* Remember what the shutdown's nodes hold now. */
static int note_shutdown(struct agent *agent)
{
	const char *unit = shutdown_unit(&agent->shutdown);
	char *copy = unit ? strdup(unit) : NULL;

	if (unit && !copy)
		return -ENOMEM;
	free(agent->unit);
	agent->unit = copy;
	agent->state = shutdown_state(&agent->shutdown);
	return 0;
}

static int publish_shutdown(struct agent *agent)
{
	_cleanup_(report_clear) struct report report = { 0 };
	int r;

	r = note_shutdown(agent);
	if (r < 0)
		return r;
	r = shutdown_report(&agent->shutdown, &report);
	if (r < 0)
		return r;
	return publish(&agent->publisher, &report);
}

/* The trees that are the agent's alone; of others, each node is asked to be absent. */
static int clear_stale(struct agent *agent)
{
	static const char *const trees[] = {
		"attr/vif",          "data/xenpv/device",   "data/xenpv/feature-freeze",
		"data/xenpv/freeze", "data/xenpv/shutdown", "data/xenpv/time",
	};
	_cleanup_(report_clear) struct report report = { 0 };

	publisher_forget(&agent->publisher);
	for (size_t i = 0; i < ELEMENTSOF(trees); i++) {
		int r = report_add(&report, trees[i], NULL);

		if (r < 0)
			return r;
	}
	return publish(&agent->publisher, &report);
}

static int publish_updated(struct agent *agent)
{
	_cleanup_(report_clear) struct report report = { 0 };
	int r = agent_mark_updated(&report);

	return r < 0 ? r : publish(&agent->publisher, &report);
}

/* Returns the number of nodes changed. */
static int publish_source(struct agent *agent, enum section section)
{
	_cleanup_(report_clear) struct report report = { 0 };
	int r;

	r = sources_report(&agent->sources, section, &report);
	return r < 0 ? r : publish_section(&agent->publisher, section, &report);
}

static int publish_freeze(struct agent *agent)
{
	_cleanup_(report_clear) struct report report = { 0 };
	int r = freeze_report(agent->freeze, &report);

	return r < 0 ? r : publish(&agent->publisher, &report);
}

/*
 * Everything. @anew: xenstore may hold anything, also nodes that an earlier boot, agent or
 * home left; afterwards they are gone.
 */
static int publish_all(struct agent *agent, bool anew)
{
	int r;

	r = xsc_own_domid(agent->xs, &agent->domid);
	if (xsc_is_fatal(r))
		return r;
	if (anew) {
		freeze_reset(agent->freeze);
		r = clear_stale(agent);
		if (r < 0)
			return r;
	}
	for (enum section section = SECTION_NONE + 1; section < SECTION_MAX; section++) {
		r = publish_source(agent, section);
		if (r < 0)
			return r;
	}
	r = publish_freeze(agent);
	if (r < 0)
		return r;
	r = publish_shutdown(agent);
	if (r < 0)
		return r;
	agent->changed = 0;
	return publish_updated(agent);
}

/* From an event handler: an error that leaves nothing to go on with ends the loop. */
static void end_on_error(struct agent *agent, int r)
{
	if (r < 0)
		sd_event_exit(agent->event, r);
}

static int on_change_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;
	unsigned int changed = agent->changed;
	int nodes = 0, r = 0;

	(void)source;
	(void)usec;
	agent->changed = 0;
	for (enum section section = SECTION_NONE + 1; section < SECTION_MAX && r >= 0; section++) {
		if (!(changed & 1u << section))
			continue;
		r = publish_source(agent, section);
		nodes += r > 0 ? r : 0;
	}
	if (r >= 0 && nodes > 0)
		r = publish_updated(agent);
	end_on_error(agent, r);
	return 0;
}

static void on_changed(void *userdata, enum section section)
{
	struct agent *agent = userdata;
	int enabled, r;

	agent->changed |= 1u << section;
	r = sd_event_source_get_enabled(agent->change_timer, &enabled);
	if (r == 0)
		r = sd_event_source_set_time_relative(agent->change_timer, CHANGE_DELAY_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(agent->change_timer, SD_EVENT_ONESHOT);
	end_on_error(agent, r);
}

/* Figures of which no event tells. */
static int on_interval_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;
	int r;

	(void)usec;
	sources_sample(&agent->sources);
	r = sd_event_source_set_time_relative(source, agent->interval);
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	end_on_error(agent, r);
	return 0;
}

/*
 * The system is about to stop or to sleep. logind waits for the lock, so the host knows
 * before anything is done. Of systemd without logind, and of logind without systemd, what is
 * known is told.
 */
static void on_state(struct agent *agent, bool was_requested)
{
	int r;

	if (agent->shutdown.requested && !was_requested) {
		freeze_abort(agent->freeze, "shutdown");
		log_info("the system is about to stop");
		r = stamp_save(agent->shutdown.since);
		if (r < 0)
			log_warning(r, "cannot keep the time at which the shutdown began: %m; the "
				       "host will not learn how long it took");
	}
	if (!agent->shutdown.requested && was_requested) {
		log_info("the shutdown was cancelled");
		(void)stamp_remove(); /* the next shutdown overwrites it, a next boot has none */
	}
	/* Nobody else would say that units are being stopped. */
	if (agent->shutdown.requested && !manager_is_connected(agent->manager))
		shutdown_begin(&agent->shutdown, agent->shutdown.since);
	r = publish_shutdown(agent);
	if (agent->shutdown.requested || agent->shutdown.suspending)
		logind_release(agent->logind);
	else
		logind_hold(agent->logind);
	end_on_error(agent, r);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int publish_unit(struct agent *agent)
{
	_cleanup_(report_clear) struct report report = { 0 };
	int r;

	r = note_shutdown(agent);
	if (r < 0)
		return r;
	r = report_add(&report, SHUTDOWN_PATH_UNIT, agent->unit);
	if (r < 0)
		return r;
	return publish(&agent->publisher, &report);
}

static int on_unit_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;

	(void)source;
	(void)usec;
	if (!same(agent->unit, shutdown_unit(&agent->shutdown)))
		end_on_error(agent, publish_unit(agent));
	return 0;
}

static int arm_unit_timer(struct agent *agent)
{
	int enabled, r;

	r = sd_event_source_get_enabled(agent->unit_timer, &enabled);
	if (r != 0)
		return r < 0 ? r : 0; /* under way already */
	r = sd_event_source_set_time_relative(agent->unit_timer, UNIT_INTERVAL_USEC);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(agent->unit_timer, SD_EVENT_ONESHOT);
}

static void on_shutdown_changed(void *userdata)
{
	struct agent *agent = userdata;
	bool was_requested = agent->was_requested;

	agent->was_requested = agent->shutdown.requested;
	if (!same(agent->state, shutdown_state(&agent->shutdown)))
		on_state(agent, was_requested);
	else if (!same(agent->unit, shutdown_unit(&agent->shutdown)))
		end_on_error(agent, arm_unit_timer(agent));
}

static void on_freeze_changed(void *userdata)
{
	struct agent *agent = userdata;
	bool frozen = freeze_is_active(agent->freeze);

	end_on_error(agent, publish_freeze(agent));
	if (frozen != agent->sources.frozen) {
		agent->sources.frozen = frozen;
		on_changed(agent, SECTION_SYSTEM); /* it cannot be suspended now, or can again */
	}
	if (agent->ending && !frozen)
		sd_event_exit(agent->event, 0);
}

static void on_freeze_request(void *userdata, const char *path)
{
	struct agent *agent = userdata;
	_cleanup_free_ char *text = NULL;
	bool old = !agent->freeze_watched;
	int r;

	(void)path;
	agent->freeze_watched = true;
	r = xsc_read(agent->xs, XBT_NULL, FREEZE_REQUEST, "", &text);
	if (xsc_is_fatal(r))
		end_on_error(agent, r);
	else if (r == 0 || r == -ENOENT)
		freeze_request(agent->freeze, text, old);
	else
		log_warning(r, "cannot read %s: %m", FREEZE_REQUEST);
}

/*
 * The toolstack writes our domid once, so this fires when the watch is set, and again when
 * the kernel sets it anew after a resume. A restored or migrated guest has a new home that
 * knows nothing of it; one that only continued (a checkpoint) has its old one.
 */
static void on_domid(void *userdata, const char *path)
{
	struct agent *agent = userdata;
	_cleanup_free_ char *updated = NULL;
	uint32_t domid;
	int r;

	(void)path;
	if (!agent->domid_watched) {
		agent->domid_watched = true;
		return;
	}
	sources_resumed(&agent->sources);
	r = xsc_own_domid(agent->xs, &domid);
	if (r < 0) {
		if (xsc_is_fatal(r))
			end_on_error(agent, r);
		return;
	}
	r = xsc_read(agent->xs, XBT_NULL, "data/updated", "", &updated);
	if (xsc_is_fatal(r)) {
		end_on_error(agent, r);
		return;
	}
	if (domid == agent->domid && r != -ENOENT) {
		on_changed(agent, SECTION_TIME);
		return;
	}
	log_info("resumed as domain %u: reporting anew", domid);
	end_on_error(agent, publish_all(agent, true));
}

static int on_hostname(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct agent *agent = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	on_changed(agent, SECTION_SYSTEM);
	return 0;
}

/* A change of the kernel's host name is signalled as EPOLLERR, which is always asked for. */
static int watch_hostname(struct agent *agent)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = sd_event_add_io(agent->event, &agent->hostname, fd, 0, on_hostname, agent);
	if (r < 0)
		return r;
	r = sd_event_source_set_io_fd_own(agent->hostname, true);
	if (r < 0) {
		agent->hostname = sd_event_source_disable_unref(agent->hostname);
		return r;
	}
	(void)TAKE_FD(fd);
	return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct agent *agent = userdata;

	(void)source;
	(void)info;
	log_info("reporting anew on SIGHUP");
	publisher_forget(&agent->publisher);
	end_on_error(agent, publish_all(agent, false));
	return 0;
}

/* What is frozen is thawed first, hooks and all. */
static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info,
			void *userdata)
{
	struct agent *agent = userdata;

	(void)info;
	if (!freeze_is_active(agent->freeze))
		return sd_event_exit(sd_event_source_get_event(source), 0);
	agent->ending = true;
	freeze_abort(agent->freeze, "error");
	return 0;
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD); /* sd-event asks for it, for the hooks */
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int watch_signals(struct agent *agent)
{
	int r;

	r = block_signals();
	if (r < 0)
		return r;
	r = sd_event_add_signal(agent->event, NULL, SIGTERM, on_terminate, agent);
	if (r < 0)
		return r;
	r = sd_event_add_signal(agent->event, NULL, SIGINT, on_terminate, agent);
	if (r < 0)
		return r;
	return sd_event_add_signal(agent->event, NULL, SIGHUP, on_hangup, agent);
}

static int add_timer(struct agent *agent, sd_event_source **ret, uint64_t usec,
		     sd_event_time_handler_t handler)
{
	int r;

	/* The accuracy lets the kernel wake us together with others. */
	r = sd_event_add_time_relative(agent->event, ret, CLOCK_MONOTONIC, usec, usec / 10, handler,
				       agent);
	if (r >= 0 && !usec)
		r = sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
	return r;
}

static int add_timers(struct agent *agent)
{
	int r;

	r = add_timer(agent, &agent->unit_timer, 0, on_unit_timer);
	if (r >= 0)
		r = add_timer(agent, &agent->change_timer, 0, on_change_timer);
	if (r >= 0)
		r = add_timer(agent, &agent->interval_timer, agent->interval, on_interval_timer);
	return r;
}

static int watch_xenstore(struct agent *agent)
{
	int r;

	r = xsc_watch(agent->xs, "domid", on_domid, agent, &agent->domid_watch);
	if (xsc_is_fatal(r) || r == -ENOMEM)
		return r;
	if (r < 0)
		log_warning(r, "xenstore refused a watch: %m; after a migration the report will "
			       "be missing until \"systemctl reload xenpv-agent\"");
	r = xsc_watch(agent->xs, FREEZE_REQUEST, on_freeze_request, agent, &agent->freeze_watch);
	if (xsc_is_fatal(r) || r == -ENOMEM)
		return r;
	if (r < 0)
		log_warning(r, "xenstore refused a watch: %m; the host cannot freeze this guest");
	return 0;
}

static int agent_start(struct agent *agent, const char *manager_address, const char *bus_address)
{
	int r;

	r = sd_event_new(&agent->event);
	if (r < 0)
		return r;
	/* Before the first watch: libxenstore's reader thread inherits the mask. */
	r = watch_signals(agent);
	if (r < 0)
		return r;
	r = add_timers(agent);
	if (r < 0)
		return r;

	r = xsc_open(agent->event, &agent->xs);
	if (r < 0) {
		log_error(r, "cannot connect to xenstore: %m; is this a Xen guest, and may "
			     "/dev/xen/xenbus be opened?");
		return r;
	}
	agent->publisher.xs = agent->sources.xs = agent->xs;
	r = stamp_remove();
	if (r < 0)
		log_warning(r, "cannot remove the time of an earlier shutdown: %m");
	r = sources_watch(&agent->sources, agent->event, on_changed, agent);
	if (r < 0)
		return r;
	sources_sample(&agent->sources); /* rates are told from the first interval on */
	r = manager_new(agent->event, manager_address, &agent->shutdown, on_shutdown_changed, agent,
			&agent->manager);
	if (r < 0)
		return r;
	r = freeze_new(agent->event, agent->manager, agent->sources.settings, "", on_freeze_changed,
		       agent, &agent->freeze);
	if (r < 0)
		return r;
	r = publish_all(agent, true);
	if (r < 0)
		return r;

	r = watch_xenstore(agent);
	if (r < 0)
		return r;
	r = watch_hostname(agent);
	if (r < 0)
		log_info("changes of the host name will not be noticed: %s", strerror(-r));
	return logind_new(agent->event, bus_address, &agent->shutdown, on_shutdown_changed, agent,
			  agent->sources.settings->time ? &agent->sources.timesyncd : NULL,
			  &agent->logind);
}

/*
 * Leave nodes behind that stay true. At a shutdown this is systemd-shutdown killing what is
 * left: no unit is being stopped any more, and "stopped" is for who comes after us. Otherwise
 * the agent alone was stopped, and nobody will speak of a shutdown.
 */
static int publish_farewell(struct agent *agent)
{
	_cleanup_(report_clear) struct report report = { 0 };
	int r;

	r = report_add(&report, agent->shutdown.requested ? SHUTDOWN_PATH_UNIT : SHUTDOWN_PATH,
		       NULL);
	if (r >= 0)
		r = report_add(&report, FREEZE_FEATURE, NULL);
	if (r < 0)
		return r;
	return publish(&agent->publisher, &report);
}

static void agent_stop(struct agent *agent)
{
	logind_free(agent->logind);
	freeze_free(agent->freeze);
	manager_free(agent->manager);
	sources_clear(&agent->sources);
	sd_event_source_disable_unref(agent->hostname);
	xsc_unwatch(agent->domid_watch);
	xsc_unwatch(agent->freeze_watch);
	xsc_close(agent->xs);
	publisher_forget(&agent->publisher);
	sd_event_source_disable_unref(agent->unit_timer);
	sd_event_source_disable_unref(agent->change_timer);
	sd_event_source_disable_unref(agent->interval_timer);
	sd_event_unref(agent->event);
	shutdown_clear(&agent->shutdown);
	free(agent->unit);
}

int agent_run(const struct settings *settings, const char *manager_address, const char *bus_address)
{
	struct agent agent = { .interval = (uint64_t)settings->interval * 1000000 };
	int r;

	sources_init(&agent.sources, "", settings);
	r = agent_start(&agent, manager_address, bus_address);
	if (r < 0) {
		log_error(r, "cannot start: %m");
		goto out;
	}
	(void)sd_notify(false, "READY=1");
	r = sd_event_loop(agent.event);
	if (r < 0) {
		log_error(r, "ending early: %m");
		goto out;
	}
	(void)sd_notify(false, "STOPPING=1");
	r = publish_farewell(&agent);
	if (r < 0)
		log_error(r, "cannot tidy up xenstore: %m");
out:
	agent_stop(&agent);
	return r < 0 ? r : 0;
}
