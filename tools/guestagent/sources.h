/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that the agent reports but shutdowns and freezes, in sections: each can be gathered
 * alone when an event says that it may have changed.
 */
#pragma once

#include <systemd/sd-event.h>

#include "clockwatch.h"
#include "disks.h"
#include "fallback.h"
#include "lib/xs.h"
#include "nettable.h"
#include "report.h"
#include "settings.h"
#include "timesyncd.h"
#include "vif.h"
#include "vifstat.h"

/* In the order in which they are written; the last go without if nodes run out. */
enum section {
	SECTION_NONE,    /* shutdown and freeze, which their own parts write */
	SECTION_SYSTEM,  /* agent, operating system, drivers, fallback */
	SECTION_NETWORK, /* attr/vif */
	SECTION_MEMORY,  /* data/meminfo_* */
	SECTION_TIME,    /* data/xenpv/time */
	SECTION_LOAD,    /* data/xenpv/device/{memory,cpu,pressure} */
	SECTION_VIFS,    /* data/xenpv/device/vif */
	SECTION_DISKS,   /* data/xenpv/device/vbd */
	SECTION_MAX
};

/* Start with sources_init(); sources_clear() frees what it holds. */
struct sources {
	const char *root;                /* "" for the running system; borrowed */
	const struct settings *settings; /* borrowed */
	struct xs_conn *xs; /* borrowed; NULL without xenstore, whose facts are then left out */
	bool frozen;        /* file systems are, on the host's wish */
	bool suspendable;   /* the kernel said since boot that it is */
	struct net_table table;
	struct vif_memory vifs;
	struct vif_histories vif_histories;
	struct disks disks;
	struct fallback fallback; /* as last read */
	bool fallback_failed;     /* to be read, and it was logged */
	sd_event_source *netlink, *mounts, *uevents, *pressure[2];
	struct clockwatch clock;
	struct timesyncd timesyncd; /* fed by who has the message bus */
	const char *correction;     /* of the clock after the last resume, or NULL */
	void (*changed)(void *userdata, enum section section);
	void *userdata;
};

void sources_init(struct sources *sources, const char *root, const struct settings *settings);

/*
 * sources_watch - call @changed for a section that may have changed
 *
 * A source that cannot be watched is logged and left to the interval. Errors: -ENOMEM.
 */
int sources_watch(struct sources *sources, sd_event *event,
		  void (*changed)(void *userdata, enum section section), void *userdata);

/*
 * Add the nodes of @section as they are now to @report. Errors: -ENOMEM, -EINVAL, and those
 * for which xsc_is_fatal() holds.
 */
int sources_report(struct sources *sources, enum section section, struct report *report);

/*
 * sources_sample - an interval has ended: look at all counters
 *
 * Calls @changed of sources_watch() for the sections that hold figures.
 */
void sources_sample(struct sources *sources);

/*
 * sources_resumed - the guest goes on after a suspension, perhaps elsewhere
 *
 * Puts the clock right by the host's, unless chronyd or ntpd runs or settings forbid it.
 */
void sources_resumed(struct sources *sources);

void sources_clear(struct sources *sources);
