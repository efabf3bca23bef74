// SPDX-License-Identifier: GPL-2.0-or-later
#include "sources.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "drivers.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "load.h"
#include "meminfo.h"
#include "mounts.h"
#include "netlink.h"
#include "os.h"
#include "pvaddons.h"
#include "suspend.h"
#include "timesync.h"
#include "uevents.h"

void sources_init(struct sources *sources, const char *root, const struct settings *settings)
{
	*sources = (struct sources){ .root = root, .settings = settings };
}

static int report_suspend(struct sources *sources, struct report *report)
{
	_cleanup_free_ char *feature = NULL;
	bool known = false;

	if (sources->xs) {
		int r = xsc_read(sources->xs, XBT_NULL, "control/feature-suspend", "", &feature);

		if (xsc_is_fatal(r))
			return r;
		if (feature && strcmp(feature, "1") == 0)
			sources->suspendable = true;
		/* The kernel says so at boot, and not again in the home after a resume. */
		known = r >= 0 || (r == -ENOENT && !sources->suspendable);
	}
	return suspend_report(sources->root, feature, known, sources->frozen, report);
}

/* What cannot be read is no reason to leave out the rest. */
static int report_fallback(struct sources *sources, struct report *report)
{
	struct fallback fallback;
	int r;

	r = fallback_read(sources->root, &fallback);
	if (r == -ENOMEM)
		return r;
	if (r < 0 && !sources->fallback_failed)
		log_warning(r, "cannot read %s: %m", FALLBACK_FILE);
	sources->fallback_failed = r < 0;
	fallback_log(&sources->fallback, &fallback);
	sources->fallback = fallback;
	return fallback_report(&fallback, report);
}

static int report_system(struct sources *sources, struct report *report)
{
	_cleanup_(os_info_clear) struct os_info os = { 0 };
	int r;

	r = pvaddons_report(XENPV_VERSION, report);
	if (r < 0)
		return r;
	r = os_read(sources->root, &os);
	if (r < 0)
		return r;
	r = os_report(&os, report);
	if (r < 0)
		return r;
	r = drivers_report(sources->root, report);
	if (r < 0)
		return r;
	r = report_fallback(sources, report);
	return r < 0 ? r : report_suspend(sources, report);
}

/* What cannot be read now keeps the table as it was. */
static int refresh_table(struct sources *sources)
{
	struct net_table table = { 0 };
	int r;

	r = netlink_read(sources->root, &table);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_warning(r, "cannot read interfaces and addresses from the kernel: %m");
		return 0;
	}
	net_table_clear(&sources->table);
	sources->table = table;
	return 0;
}

static int report_network(struct sources *sources, struct report *report)
{
	int r;

	if (!sources->settings->network)
		return 0;
	r = refresh_table(sources);
	if (r < 0)
		return r;
	return vif_report(&sources->table, &sources->vifs, report);
}

static int report_memory(struct sources *sources, struct report *report)
{
	return sources->settings->memory ? meminfo_report(sources->root, report) : 0;
}

static int report_time(struct sources *sources, struct report *report)
{
	struct time_status status;

	if (!sources->settings->time)
		return 0;
	time_read(sources->root, &time_ports_default, &status);
	timesyncd_add(&sources->timesyncd, &status);
	return time_report(sources->root, &status, sources->clock.source ? &sources->clock : NULL,
			   sources->correction, report);
}

static int report_load(struct sources *sources, struct report *report)
{
	int r = 0;

	if (sources->settings->memory)
		r = memory_report(sources->root, report);
	if (r >= 0 && sources->settings->load)
		r = load_report(sources->root, report);
	return r;
}

/* The table is that of the last look at the network, which any change causes. */
static int report_vifs(struct sources *sources, struct report *report)
{
	if (!sources->settings->network)
		return 0;
	return vifstat_report(&sources->vif_histories, &sources->table, sources->root, report);
}

static int report_disks(struct sources *sources, struct report *report)
{
	if (!sources->settings->disks)
		return 0;
	return disks_report(&sources->disks, sources->root, sources->xs, report);
}

static void tell(struct sources *sources, enum section section)
{
	sources->changed(sources->userdata, section);
}

void sources_sample(struct sources *sources)
{
	struct timespec ts = { 0 };
	uint64_t now;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	if (sources->settings->network && refresh_table(sources) >= 0)
		vifstat_sample(&sources->vif_histories, &sources->table, now);
	if (sources->settings->disks)
		disks_sample(&sources->disks, sources->root, now);
	tell(sources, SECTION_MEMORY);
	tell(sources, SECTION_TIME);
	tell(sources, SECTION_LOAD);
	tell(sources, SECTION_VIFS);
	tell(sources, SECTION_DISKS);
}

void sources_resumed(struct sources *sources)
{
	struct time_status status;
	enum correction correction;
	bool managed;
	int r;

	if (!sources->settings->correct)
		return;
	time_read(sources->root, &time_ports_default, &status);
	sources->correction = NULL;
	if (!status.has_host)
		return;
	/* One that cannot be asked does not like to be interfered with either. */
	managed = status.managed || time_daemon_runs(sources->root);
	correction = hostclock_decide(&status.host, managed, status.synchronised);
	r = hostclock_apply(correction, &status.host);
	if (r < 0) {
		log_warning(r, "the clock is %+.3f s off and cannot be set: %m",
			    (double)status.host.offset / 1e9);
		return;
	}
	sources->correction = correction_name(correction);
	if (correction == CORRECTION_AHEAD)
		log_warning(
			0,
			"the clock is %.3f s ahead of the host's, which looks like a time zone "
			"and not like a wrong clock; it is left alone: put the host's right, or "
			"localtime in the domain's configuration, or set this one by hand",
			(double)status.host.offset / 1e9);
	else if (correction != CORRECTION_NONE)
		log_info("the clock was %+.3f s off after the resume and is %s",
			 (double)status.host.offset / 1e9, sources->correction);
}

int sources_report(struct sources *sources, enum section section, struct report *report)
{
	static int (*const reporters[SECTION_MAX])(struct sources * sources,
						   struct report * report) = {
		[SECTION_SYSTEM] = report_system, [SECTION_NETWORK] = report_network,
		[SECTION_MEMORY] = report_memory, [SECTION_TIME] = report_time,
		[SECTION_LOAD] = report_load,     [SECTION_VIFS] = report_vifs,
		[SECTION_DISKS] = report_disks,
	};

	return reporters[section] ? reporters[section](sources, report) : 0;
}

static void on_netlink(void *userdata)
{
	tell(userdata, SECTION_NETWORK);
	tell(userdata, SECTION_VIFS);
}

static void on_step(void *userdata)
{
	tell(userdata, SECTION_TIME);
}

static void on_timesyncd(void *userdata)
{
	tell(userdata, SECTION_TIME);
}

static void on_mounts(void *userdata)
{
	tell(userdata, SECTION_DISKS);
}

static void on_pressure(void *userdata)
{
	tell(userdata, SECTION_MEMORY);
	tell(userdata, SECTION_LOAD);
}

static void on_uevent(void *userdata, const char *subsystem, const char *name)
{
	struct sources *sources = userdata;
	bool all = !*subsystem;

	if (all || strcmp(subsystem, "block") == 0) {
		disks_forget(&sources->disks, all ? NULL : name);
		tell(sources, SECTION_DISKS);
	}
	if (all || strcmp(subsystem, "cpu") == 0 || strcmp(subsystem, "memory") == 0)
		tell(sources, SECTION_LOAD);
	if (all || strcmp(subsystem, "xen") == 0 || strcmp(subsystem, "pci") == 0)
		tell(sources, SECTION_SYSTEM);
	/* A driver that takes an interface over does not change the interface. */
	if (all || strcmp(subsystem, "net") == 0)
		on_netlink(sources);
}

/* Returns -ENOMEM or 0; what else fails costs only promptness. */
static int complain(int r, const char *what)
{
	if (r < 0 && r != -ENOMEM)
		log_info("cannot follow %s: %s; changes are told at the next interval", what,
			 strerror(-r));
	return r == -ENOMEM ? r : 0;
}

int sources_watch(struct sources *sources, sd_event *event,
		  void (*changed)(void *userdata, enum section section), void *userdata)
{
	const struct settings *settings = sources->settings;
	int r = 0;

	sources->changed = changed;
	sources->userdata = userdata;
	sources->timesyncd.changed = on_timesyncd;
	sources->timesyncd.userdata = sources;
	if (settings->network)
		r = complain(netlink_watch(event, on_netlink, sources, &sources->netlink),
			     "interfaces and addresses");
	if (r >= 0 && settings->disks)
		r = complain(mounts_watch(event, on_mounts, sources, &sources->mounts), "mounts");
	if (r >= 0)
		r = complain(uevents_watch(event, on_uevent, sources, &sources->uevents),
			     "devices");
	if (r >= 0 && settings->load)
		r = complain(load_watch(event, on_pressure, sources, sources->pressure),
			     "pressure");
	if (r >= 0 && settings->time)
		r = complain(clockwatch_start(&sources->clock, event, on_step, sources),
			     "steps of the clock");
	return r;
}

void sources_clear(struct sources *sources)
{
	sources->netlink = sd_event_source_disable_unref(sources->netlink);
	sources->mounts = sd_event_source_disable_unref(sources->mounts);
	sources->uevents = sd_event_source_disable_unref(sources->uevents);
	for (size_t i = 0; i < ELEMENTSOF(sources->pressure); i++)
		sources->pressure[i] = sd_event_source_disable_unref(sources->pressure[i]);
	clockwatch_stop(&sources->clock);
	disks_clear(&sources->disks);
	net_table_clear(&sources->table);
}
