/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How busy the guest is: data/xenpv/device/{cpu,pressure}. */
#pragma once

#include <systemd/sd-event.h>

#include "report.h"

/*
 * load_report - add data/xenpv/device/cpu and data/xenpv/device/pressure
 *
 * cpu: "online= present= load1= load5= load15=", the first two counts of vCPUs. pressure:
 * "cpu-some= memory-some= memory-full= io-some= io-full=", in percent of the last ten
 * seconds; absent if the kernel keeps no such figures. Errors: -ENOMEM.
 */
int load_report(const char *root, struct report *report);

/* How many CPUs does a list like "0-3,8" have? 0 if it is none. */
unsigned int load_count_cpus(const char *list);

/*
 * load_watch - call @changed when memory or I/O has been short for some time
 * @sources: two event sources, to be unreferenced by the caller
 *
 * Errors: negative errno; -EPERM without CAP_SYS_RESOURCE, -ENOENT and -EOPNOTSUPP if the
 * kernel has no such triggers.
 */
int load_watch(sd_event *event, void (*changed)(void *userdata), void *userdata,
	       sd_event_source *sources[static 2]);
