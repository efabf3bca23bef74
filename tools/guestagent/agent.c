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
#include "logind.h"
#include "manager.h"
#include "os.h"
#include "publish.h"
#include "pvaddons.h"
#include "stamp.h"

/*
 * Dozens of units end within a moment, each making another the oldest. The node follows
 * at this pace at most: nobody reads faster, and each write costs the host.
 */
#define UNIT_INTERVAL_USEC ((uint64_t)100000)

struct agent {
	sd_event *event;
	struct xs_conn *xs;
	struct publisher publisher;
	struct xs_watch *domid_watch;
	bool domid_watched; /* the watch has fired for being set */
	uint32_t domid;     /* as last reported */
	sd_event_source *hostname;
	sd_event_source *unit_timer;

	struct shutdown shutdown;
	struct manager *manager;
	struct logind *logind;
	bool stopping; /* as last reported */
	char *unit;    /* as last reported, or NULL */
};

int agent_facts(struct report *report)
{
	_cleanup_(os_info_clear) struct os_info os = { 0 };
	int r;

	r = pvaddons_report(XENPV_VERSION, report);
	if (r < 0)
		return r;
	r = os_read("", &os);
	if (r < 0)
		return r;
	return os_report(&os, report);
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
	agent->stopping = agent->shutdown.stopping;
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

/* Everything; nodes that an earlier boot or an earlier agent left are gone afterwards. */
static int publish_all(struct agent *agent)
{
	_cleanup_(report_clear) struct report report = { 0 };
	int r;

	r = xsc_own_domid(agent->xs, &agent->domid);
	if (xsc_is_fatal(r))
		return r;
	r = note_shutdown(agent);
	if (r < 0)
		return r;
	r = agent_facts(&report);
	if (r < 0)
		return r;
	r = shutdown_report(&agent->shutdown, &report);
	if (r < 0)
		return r;
	r = agent_mark_updated(&report);
	if (r < 0)
		return r;
	return publish(&agent->publisher, &report);
}

/* From an event handler: an error that leaves nothing to go on with ends the loop. */
static void end_on_error(struct agent *agent, int r)
{
	if (r < 0)
		sd_event_exit(agent->event, r);
}

static void begin_stopping(struct agent *agent)
{
	int r;

	log_info("the system is stopping");
	r = stamp_save(agent->shutdown.since);
	if (r < 0)
		log_warning(r, "cannot keep the time at which the shutdown began: %m; the host "
			       "will not learn how long it took");
	r = publish_shutdown(agent);
	logind_release(agent->logind);
	end_on_error(agent, r);
}

static void end_stopping(struct agent *agent)
{
	int r;

	log_info("the shutdown was cancelled");
	(void)stamp_remove(); /* the next shutdown overwrites it, a next boot has none */
	logind_hold(agent->logind);
	r = publish_shutdown(agent);
	end_on_error(agent, r);
}

static bool same_unit(const char *a, const char *b)
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
	if (!same_unit(agent->unit, shutdown_unit(&agent->shutdown)))
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

	if (agent->shutdown.stopping && !agent->stopping)
		begin_stopping(agent);
	else if (!agent->shutdown.stopping && agent->stopping)
		end_stopping(agent);
	else if (!same_unit(agent->unit, shutdown_unit(&agent->shutdown)))
		end_on_error(agent, arm_unit_timer(agent));
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
	if (domid == agent->domid && r != -ENOENT)
		return;
	log_info("resumed as domain %u: reporting anew", domid);
	end_on_error(agent, publish_all(agent));
}

static int on_hostname(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct agent *agent = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	end_on_error(agent, publish_all(agent));
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
	end_on_error(agent, publish_all(agent));
	return 0;
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

/* Without a handler of its own, a signal ends the loop with code 0. */
static int watch_signals(struct agent *agent)
{
	int r;

	r = block_signals();
	if (r < 0)
		return r;
	r = sd_event_add_signal(agent->event, NULL, SIGTERM, NULL, NULL);
	if (r < 0)
		return r;
	r = sd_event_add_signal(agent->event, NULL, SIGINT, NULL, NULL);
	if (r < 0)
		return r;
	return sd_event_add_signal(agent->event, NULL, SIGHUP, on_hangup, agent);
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
	r = sd_event_add_time_relative(agent->event, &agent->unit_timer, CLOCK_MONOTONIC, 0, 0,
				       on_unit_timer, agent);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(agent->unit_timer, SD_EVENT_OFF);
	if (r < 0)
		return r;

	r = xsc_open(agent->event, &agent->xs);
	if (r < 0) {
		log_error(r, "cannot connect to xenstore: %m; is this a Xen guest, and may "
			     "/dev/xen/xenbus be opened?");
		return r;
	}
	agent->publisher.xs = agent->xs;
	r = stamp_remove();
	if (r < 0)
		log_warning(r, "cannot remove the time of an earlier shutdown: %m");
	r = publish_all(agent);
	if (r < 0)
		return r;

	r = xsc_watch(agent->xs, "domid", on_domid, agent, &agent->domid_watch);
	if (r < 0 && xsc_is_fatal(r))
		return r;
	if (r < 0)
		log_warning(r, "xenstore refused a watch: %m; after a migration the report will "
			       "be missing until \"systemctl reload xenpv-agent\"");
	r = watch_hostname(agent);
	if (r < 0)
		log_info("changes of the host name will not be noticed: %s", strerror(-r));
	r = manager_new(agent->event, manager_address, &agent->shutdown, on_shutdown_changed, agent,
			&agent->manager);
	if (r < 0)
		return r;
	return logind_new(agent->event, bus_address, &agent->shutdown, on_shutdown_changed, agent,
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

	r = report_add(&report, agent->shutdown.stopping ? SHUTDOWN_PATH_UNIT : SHUTDOWN_PATH,
		       NULL);
	if (r < 0)
		return r;
	return publish(&agent->publisher, &report);
}

static void agent_stop(struct agent *agent)
{
	logind_free(agent->logind);
	manager_free(agent->manager);
	sd_event_source_disable_unref(agent->hostname);
	xsc_unwatch(agent->domid_watch);
	xsc_close(agent->xs);
	sd_event_source_disable_unref(agent->unit_timer);
	sd_event_unref(agent->event);
	shutdown_clear(&agent->shutdown);
	free(agent->unit);
}

int agent_run(const char *manager_address, const char *bus_address)
{
	struct agent agent = { 0 };
	int r;

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
	return r;
}
