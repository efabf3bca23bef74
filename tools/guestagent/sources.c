// SPDX-License-Identifier: GPL-2.0-or-later
#include "sources.h"

#include <errno.h>

#include "drivers.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "meminfo.h"
#include "netlink.h"
#include "os.h"
#include "pvaddons.h"
#include "suspend.h"
#include "timesync.h"

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
		known = r >= 0 || r == -ENOENT;
	}
	return suspend_report(sources->root, feature, known, sources->frozen, report);
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
	return time_report(sources->root, &status, sources->clock.source ? &sources->clock : NULL,
			   sources->correction, report);
}

void sources_resumed(struct sources *sources)
{
	struct time_status status;
	enum correction correction;
	int r;

	if (!sources->settings->correct)
		return;
	time_read(sources->root, &time_ports_default, &status);
	sources->correction = NULL;
	if (!status.has_host)
		return;
	correction = hostclock_decide(&status.host, status.managed);
	r = hostclock_apply(correction, &status.host);
	if (r < 0) {
		log_warning(r, "the clock is %+.3f s off and cannot be set: %m",
			    (double)status.host.offset / 1e9);
		return;
	}
	sources->correction = correction_name(correction);
	if (correction == CORRECTION_AHEAD)
		log_warning(0,
			    "the clock is %.3f s ahead of the host's; it is not stepped back: "
			    "set it by hand or run chronyd",
			    (double)status.host.offset / 1e9);
	else if (correction != CORRECTION_NONE)
		log_info("the clock was %+.3f s off after the resume and is %s",
			 (double)status.host.offset / 1e9, sources->correction);
}

int sources_report(struct sources *sources, enum section section, struct report *report)
{
	static int (*const reporters[SECTION_MAX])(struct sources * sources,
						   struct report * report) = {
		[SECTION_SYSTEM] = report_system,
		[SECTION_NETWORK] = report_network,
		[SECTION_MEMORY] = report_memory,
		[SECTION_TIME] = report_time,
	};

	return reporters[section] ? reporters[section](sources, report) : 0;
}

static void on_netlink(void *userdata)
{
	struct sources *sources = userdata;

	sources->changed(sources->userdata, SECTION_NETWORK);
}

static void on_step(void *userdata)
{
	struct sources *sources = userdata;

	sources->changed(sources->userdata, SECTION_TIME);
}

int sources_watch(struct sources *sources, sd_event *event,
		  void (*changed)(void *userdata, enum section section), void *userdata)
{
	int r = 0;

	sources->changed = changed;
	sources->userdata = userdata;
	if (sources->settings->network)
		r = netlink_watch(event, on_netlink, sources, &sources->netlink);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		log_warning(r, "cannot follow changes of addresses: %m; they will be reported "
			       "late");
	if (sources->settings->time)
		r = clockwatch_start(&sources->clock, event, on_step, sources);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		log_warning(r, "steps of the clock will not be noticed: %m");
	return 0;
}

void sources_clear(struct sources *sources)
{
	sources->netlink = sd_event_source_disable_unref(sources->netlink);
	clockwatch_stop(&sources->clock);
	net_table_clear(&sources->table);
}
