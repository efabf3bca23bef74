/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The course of a shutdown, as told by events from logind and systemd.
 *
 *   running --request--> requested --begin--> stopping --(--stopped)--> stopped
 *      ^                     |                   |
 *      +------cancel---------+-------------------+
 *
 * logind announces it, or a start job of shutdown.target shows it. While no unit is being
 * stopped but the one that runs the administrator's hooks, it is only requested. Then the
 * stop jobs of systemd are followed, to name the unit that has been stopping longest: the
 * one that a person who waits wants to know. "stopped" is for "xenpv-agent --stopped", run by
 * systemd-shutdown. This file does no input or output and knows no clock; it is driven by
 * logind.c and manager.c and by the tables of its unit test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

/* Nodes below the guest's home; STATE is running, requested, stopping, stopped or suspending. */
#define SHUTDOWN_PATH         "data/xenpv/shutdown"
#define SHUTDOWN_PATH_STATE   SHUTDOWN_PATH "/state"
#define SHUTDOWN_PATH_UNIT    SHUTDOWN_PATH "/unit"
#define SHUTDOWN_PATH_SECONDS SHUTDOWN_PATH "/seconds"
#define SHUTDOWN_PATH_ACTION  SHUTDOWN_PATH "/action"

/* Its stop job runs the hooks, before any other unit is stopped. */
#define SHUTDOWN_HOOKS_UNIT "xenpv-agent-hooks.service"

/* A systemd job as ListJobs() of org.freedesktop.systemd1.Manager describes it. */
struct job_info {
	uint32_t id;
	const char *unit;
	const char *type;  /* "stop", "start", ... */
	const char *state; /* "waiting" or "running" */
};

struct shutdown_job {
	uint32_t id;
	bool running;
	uint64_t since; /* microseconds; when it was first seen running */
	char *unit;
};

/* Start with a zeroed one, which is "running"; shutdown_clear() frees what it holds. */
struct shutdown {
	bool requested; /* also while stopping */
	bool stopping;
	bool suspending;    /* logind is about to suspend the guest by itself */
	bool jobs_known;    /* systemd's jobs of the shutdown have been seen */
	uint64_t since;     /* microseconds; when it was requested */
	const char *action; /* "poweroff", "reboot", "halt", "kexec", or NULL */
	struct shutdown_job *jobs;
	size_t n_jobs;
};

/*
 * shutdown_request - somebody wants the system to stop
 * @now: microseconds, from a clock that also counts while the guest is suspended; the
 *       same clock for all calls
 *
 * The first call counts; later ones change nothing.
 */
void shutdown_request(struct shutdown *shutdown, uint64_t now);

/* Units are being stopped. As shutdown_request(), and beyond. */
void shutdown_begin(struct shutdown *shutdown, uint64_t now);

/* The system stays up after all. */
void shutdown_cancel(struct shutdown *shutdown);

/*
 * shutdown_set_jobs - a complete list of systemd's jobs was read at @now
 *
 * Requests the shutdown if shutdown.target is about to start, and begins it unless the
 * hooks are still to end; learns from other targets what comes after it. Jobs seen before keep
 * their age. Errors: -ENOMEM (the jobs known before are kept).
 */
int shutdown_set_jobs(struct shutdown *shutdown, const struct job_info *infos, size_t n,
		      uint64_t now);

/*
 * shutdown_job_removed - a job ended
 * @result: systemd's word for how: "done", "canceled", "timeout", ...
 *
 * A cancelled start of shutdown.target cancels the shutdown.
 */
void shutdown_job_removed(struct shutdown *shutdown, uint32_t id, const char *unit,
			  const char *result);

/* The unit whose stop job has run longest, the lowest job number first; NULL if none. */
const char *shutdown_unit(const struct shutdown *shutdown);

/* The word for where it is now; a constant. */
const char *shutdown_state(const struct shutdown *shutdown);

/*
 * shutdown_report - add the shutdown's nodes to @report
 *
 * The state comes last, so that who waits for "stopping" finds the unit there.
 * Errors: -ENOMEM.
 */
int shutdown_report(const struct shutdown *shutdown, struct report *report);

/*
 * shutdown_report_stopped - add the nodes that say that everything was stopped
 * @usec: how long stopping took, or NULL if that is not known
 *
 * Errors: -ENOMEM.
 */
int shutdown_report_stopped(const uint64_t *usec, struct report *report);

void shutdown_clear(struct shutdown *shutdown);
