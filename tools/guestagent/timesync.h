/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the guest keeps time: data/xenpv/time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "clockwatch.h"
#include "hostclock.h"
#include "report.h"

enum time_source {
	TIME_NONE,
	TIME_PHC,    /* chronyd, following the host's clock */
	TIME_CHRONY, /* chronyd, following something else */
	TIME_NTPD,
	TIME_TIMESYNCD,
	TIME_OTHER, /* somebody told the kernel that the clock is right */
};

struct time_status {
	enum time_source source;
	bool managed; /* chronyd or ntpd runs, whether synchronised or not */
	bool synchronised;
	bool has_offset;
	double offset;      /* seconds that the system clock is ahead of the source */
	int64_t age;        /* seconds since the source was heard, -1 if unknown */
	uint32_t stratum;   /* 0: unknown */
	char reference[64]; /* "" if unknown */
	bool rtc_local;
	bool has_host;
	struct hostclock host; /* against the host's clock */
};

/* Ports of chronyd and ntpd, others than theirs in tests. */
struct time_ports {
	uint16_t chrony, ntp;
};
extern const struct time_ports time_ports_default;

/*
 * time_read - find out how the guest keeps time
 * @root: "" for the running system
 *
 * Asks chronyd and ntpd on the loopback interface; one that is there but does not answer
 * costs a tenth of a second. Nothing here fails: what is not known stays unset.
 */
void time_read(const char *root, const struct time_ports *ports, struct time_status *ret);

/*
 * time_daemon_runs - is there a process that is called as chronyd or ntpd are?
 * @root: as above
 *
 * Finds those that time_read() cannot ask: chronyd with "cmdport 0", ntpd that listens
 * elsewhere or does not answer, OpenNTPD. Looks at each process, so not for each report.
 */
bool time_daemon_runs(const char *root);

/*
 * time_report - add data/xenpv/time to @report
 * @watch: steps, or NULL if nobody counts them
 * @correction: name of what was done after the last resume, or NULL
 *
 * Errors: -ENOMEM.
 */
int time_report(const char *root, const struct time_status *status, const struct clockwatch *watch,
		const char *correction, struct report *report);
