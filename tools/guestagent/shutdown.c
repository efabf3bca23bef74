// SPDX-License-Identifier: GPL-2.0-or-later
#include "shutdown.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define SHUTDOWN_TARGET "shutdown.target"

static void free_jobs(struct shutdown_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(jobs[i].unit);
	free(jobs);
}

static void forget_jobs(struct shutdown *shutdown)
{
	free_jobs(shutdown->jobs, shutdown->n_jobs);
	shutdown->jobs = NULL;
	shutdown->n_jobs = 0;
}

void shutdown_request(struct shutdown *shutdown, uint64_t now)
{
	if (shutdown->requested)
		return;
	shutdown->requested = true;
	shutdown->since = now;
}

void shutdown_begin(struct shutdown *shutdown, uint64_t now)
{
	shutdown_request(shutdown, now);
	shutdown->stopping = true;
}

void shutdown_cancel(struct shutdown *shutdown)
{
	shutdown->requested = shutdown->stopping = shutdown->jobs_known = false;
	shutdown->since = 0;
	shutdown->action = NULL;
	forget_jobs(shutdown);
}

static const struct shutdown_job *find_job(const struct shutdown *shutdown, uint32_t id)
{
	for (size_t i = 0; i < shutdown->n_jobs; i++)
		if (shutdown->jobs[i].id == id)
			return &shutdown->jobs[i];
	return NULL;
}

static bool is_job(const struct job_info *info, const char *unit, const char *type)
{
	return strcmp(info->unit, unit) == 0 && strcmp(info->type, type) == 0;
}

/* What the list of jobs says of the system as a whole. */
static void read_targets(struct shutdown *shutdown, const struct job_info *infos, size_t n,
			 uint64_t now)
{
	static const struct {
		const char *unit, *action;
	} targets[] = {
		{ "poweroff.target", "poweroff" },
		{ "reboot.target", "reboot" },
		{ "halt.target", "halt" },
		{ "kexec.target", "kexec" },
		{ "soft-reboot.target", "soft-reboot" },
	};
	bool hooks = false;

	for (size_t i = 0; i < n; i++) {
		shutdown->jobs_known |= is_job(&infos[i], SHUTDOWN_TARGET, "start");
		hooks |= is_job(&infos[i], SHUTDOWN_HOOKS_UNIT, "stop");
	}
	if (!shutdown->jobs_known)
		return;
	shutdown_request(shutdown, now);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < ELEMENTSOF(targets); j++)
			if (is_job(&infos[i], targets[j].unit, "start"))
				shutdown->action = targets[j].action;
	if (!hooks)
		shutdown_begin(shutdown, now);
}

int shutdown_set_jobs(struct shutdown *shutdown, const struct job_info *infos, size_t n,
		      uint64_t now)
{
	struct shutdown_job *jobs;
	size_t n_jobs = 0;

	read_targets(shutdown, infos, n, now);
	if (!shutdown->requested)
		return 0;

	jobs = calloc(n ?: 1, sizeof(*jobs));
	if (!jobs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct shutdown_job *known = find_job(shutdown, infos[i].id);
		struct shutdown_job *job = &jobs[n_jobs];

		if (strcmp(infos[i].type, "stop") != 0)
			continue;
		job->id = infos[i].id;
		job->running = strcmp(infos[i].state, "running") == 0;
		job->since = known && known->running ? known->since : now;
		job->unit = strdup(infos[i].unit);
		if (!job->unit) {
			free_jobs(jobs, n_jobs);
			return -ENOMEM;
		}
		n_jobs++;
	}
	forget_jobs(shutdown);
	shutdown->jobs = jobs;
	shutdown->n_jobs = n_jobs;
	return 0;
}

void shutdown_job_removed(struct shutdown *shutdown, uint32_t id, const char *unit,
			  const char *result)
{
	if (strcmp(unit, SHUTDOWN_TARGET) == 0 && strcmp(result, "canceled") == 0) {
		shutdown_cancel(shutdown);
		return;
	}
	/* Units that wait for it are stopped now. */
	if (shutdown->requested && strcmp(unit, SHUTDOWN_HOOKS_UNIT) == 0)
		shutdown_begin(shutdown, shutdown->since);
	for (size_t i = 0; i < shutdown->n_jobs; i++) {
		if (shutdown->jobs[i].id != id)
			continue;
		free(shutdown->jobs[i].unit);
		shutdown->jobs[i] = shutdown->jobs[--shutdown->n_jobs];
		return;
	}
}

const char *shutdown_unit(const struct shutdown *shutdown)
{
	const struct shutdown_job *oldest = NULL;

	for (size_t i = 0; i < shutdown->n_jobs; i++) {
		const struct shutdown_job *job = &shutdown->jobs[i];

		if (!job->running)
			continue;
		if (!oldest || job->since < oldest->since ||
		    (job->since == oldest->since && job->id < oldest->id))
			oldest = job;
	}
	return oldest ? oldest->unit : NULL;
}

const char *shutdown_state(const struct shutdown *shutdown)
{
	if (shutdown->stopping)
		return "stopping";
	if (shutdown->requested)
		return "requested";
	return shutdown->suspending ? "suspending" : "running";
}

int shutdown_report(const struct shutdown *shutdown, struct report *report)
{
	int r;

	r = report_add(report, SHUTDOWN_PATH_SECONDS, NULL);
	if (r < 0)
		return r;
	r = report_add(report, SHUTDOWN_PATH_UNIT, shutdown_unit(shutdown));
	if (r < 0)
		return r;
	r = report_add(report, SHUTDOWN_PATH_ACTION, shutdown->action);
	if (r < 0)
		return r;
	return report_add(report, SHUTDOWN_PATH_STATE, shutdown_state(shutdown));
}

int shutdown_report_stopped(const uint64_t *usec, struct report *report)
{
	int r;

	r = report_add(report, SHUTDOWN_PATH_UNIT, NULL);
	if (r < 0)
		return r;
	if (usec)
		r = report_addf(report, SHUTDOWN_PATH_SECONDS, "%" PRIu64 ".%" PRIu64,
				*usec / 1000000, *usec / 100000 % 10);
	else
		r = report_add(report, SHUTDOWN_PATH_SECONDS, NULL);
	if (r < 0)
		return r;
	return report_add(report, SHUTDOWN_PATH_STATE, "stopped");
}

void shutdown_clear(struct shutdown *shutdown)
{
	forget_jobs(shutdown);
	*shutdown = (struct shutdown){ 0 };
}
