// SPDX-License-Identifier: GPL-2.0-or-later
#include "manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buslink.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_JOB     "org.freedesktop.systemd1.Job"

/* More jobs than any shutdown has; what goes beyond is not followed. */
#define JOBS_MAX 16384

struct manager {
	struct bus_link link;
	sd_event *event;
	struct shutdown *shutdown;
	void (*changed)(void *userdata);
	void *userdata;
	/*
	 * JobNew and a job's PropertiesChanged do not say what kind of job it is, so both
	 * only cause the list to be read. One reading at a time: signals that come while
	 * one is under way ask for one more after it.
	 */
	bool listing;
	bool list_again;

	/* The unit that manager_start_unit() waits for; @unit_done is NULL if there is none. */
	char unit[64];
	void (*unit_done)(void *userdata, const char *result);
	void *unit_userdata;
};

static int list_jobs(struct manager *manager, sd_bus *bus);

/* Strings of @ret_infos belong to @m. Returns the number of jobs or a negative errno. */
static int read_jobs(sd_bus_message *m, struct job_info **ret_infos)
{
	_cleanup_free_ struct job_info *infos = NULL;
	size_t n = 0, allocated = 0;
	int r;

	r = sd_bus_message_enter_container(m, 'a', "(usssoo)");
	if (r < 0)
		return r;
	for (;;) {
		struct job_info job;

		r = sd_bus_message_read(m, "(usssoo)", &job.id, &job.unit, &job.type, &job.state,
					NULL, NULL);
		if (r < 0)
			return r;
		if (r == 0 || n == JOBS_MAX)
			break;
		if (n == allocated) {
			struct job_info *more;

			allocated = allocated ? 2 * allocated : 64;
			more = reallocarray(infos, allocated, sizeof(*more));
			if (!more)
				return -ENOMEM;
			infos = more;
		}
		infos[n++] = job;
	}
	*ret_infos = TAKE_PTR(infos);
	return (int)n;
}

static int on_jobs(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct manager *manager = userdata;
	_cleanup_free_ struct job_info *infos = NULL;
	uint64_t now;
	int n, r;

	(void)error;
	manager->listing = false;
	if (manager->list_again) {
		manager->list_again = false;
		r = list_jobs(manager, sd_bus_message_get_bus(m));
		if (r < 0)
			log_warning(r, "cannot ask systemd for its jobs: %m");
	}

	if (sd_bus_message_is_method_error(m, NULL)) {
		log_warning(-sd_bus_message_get_errno(m), "systemd does not list its jobs: %m");
		return 0;
	}
	n = read_jobs(m, &infos);
	if (n < 0) {
		log_warning(n, "systemd's list of jobs is not understood: %m");
		return 0;
	}
	r = sd_event_now(manager->event, CLOCK_BOOTTIME, &now);
	if (r >= 0)
		r = shutdown_set_jobs(manager->shutdown, infos, (size_t)n, now);
	if (r < 0) {
		log_warning(r, "cannot follow systemd's jobs: %m");
		return 0;
	}
	manager->changed(manager->userdata);
	return 0;
}

static int list_jobs(struct manager *manager, sd_bus *bus)
{
	int r;

	if (manager->listing) {
		manager->list_again = true;
		return 0;
	}
	r = sd_bus_call_method_async(bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				     "ListJobs", on_jobs, manager, NULL);
	if (r < 0)
		return r;
	manager->listing = true;
	return 0;
}

static int on_job_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	int r;

	(void)error;
	r = list_jobs(userdata, sd_bus_message_get_bus(m));
	if (r < 0)
		log_warning(r, "cannot ask systemd for its jobs: %m");
	return 0;
}

static void end_unit(struct manager *manager, const char *result)
{
	void (*done)(void *userdata, const char *result) = manager->unit_done;

	manager->unit_done = NULL;
	if (done)
		done(manager->unit_userdata, result);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct manager *manager = userdata;
	const char *unit, *result;
	uint32_t id;
	int r;

	(void)error;
	r = sd_bus_message_read(m, "uoss", &id, NULL, &unit, &result);
	if (r < 0) {
		log_warning(r, "systemd's signal JobRemoved is not understood: %m");
		return 0;
	}
	if (manager->unit_done && strcmp(unit, manager->unit) == 0)
		end_unit(manager, result);
	if (manager->shutdown->requested) {
		shutdown_job_removed(manager->shutdown, id, unit, result);
		manager->changed(manager->userdata);
	}
	return 0;
}

/* The sender is left out: on a direct connection messages have none. */
static int manager_setup(sd_bus *bus, void *userdata)
{
	int r;

	r = sd_bus_match_signal(bus, NULL, NULL, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobNew",
				on_job_changed, userdata);
	if (r < 0)
		return r;
	r = sd_bus_match_signal(bus, NULL, NULL, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
				on_job_removed, userdata);
	if (r < 0)
		return r;
	r = sd_bus_add_match(bus, NULL,
			     "type='signal',path_namespace='" SYSTEMD_PATH "/job',"
			     "interface='org.freedesktop.DBus.Properties',"
			     "member='PropertiesChanged',arg0='" SYSTEMD_JOB "'",
			     on_job_changed, userdata);
	if (r < 0)
		return r;
	return list_jobs(userdata, bus);
}

static bool manager_lost(void *userdata)
{
	struct manager *manager = userdata;

	manager->listing = false;
	manager->list_again = false;
	end_unit(manager, "lost");
	return true; /* systemctl daemon-reexec ends it, and takes a new connection at once */
}

static const struct bus_link_ops manager_ops = {
	.setup = manager_setup,
	.lost = manager_lost,
};

int manager_new(sd_event *event, const char *address, struct shutdown *shutdown,
		void (*changed)(void *userdata), void *userdata, struct manager **ret)
{
	struct manager *manager;
	int r;

	manager = malloc(sizeof(*manager));
	if (!manager)
		return -ENOMEM;
	*manager = (struct manager){
		.link = {
			.name = "systemd",
			.address = address,
			.ops = &manager_ops,
			.userdata = manager,
		},
		.event = event,
		.shutdown = shutdown,
		.changed = changed,
		.userdata = userdata,
	};
	r = bus_link_open(&manager->link, event);
	if (r < 0) {
		manager_free(manager);
		return r;
	}
	*ret = manager;
	return 0;
}

bool manager_is_connected(const struct manager *manager)
{
	return manager->link.bus && sd_bus_is_ready(manager->link.bus) > 0;
}

static int on_unit_started(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct manager *manager = userdata;

	(void)error;
	/* The job's end comes as a signal, after this. */
	if (sd_bus_message_is_method_error(m, NULL)) {
		log_warning(-sd_bus_message_get_errno(m), "systemd does not start %s: %m",
			    manager->unit);
		end_unit(manager, "refused");
	}
	return 0;
}

int manager_start_unit(struct manager *manager, const char *unit,
		       void (*done)(void *userdata, const char *result), void *userdata)
{
	int r;

	if (manager->unit_done)
		return -EBUSY;
	if (!manager_is_connected(manager))
		return -ENOTCONN;
	if (strlen(unit) >= sizeof(manager->unit))
		return -ENAMETOOLONG;
	strcpy(manager->unit, unit);
	r = sd_bus_call_method_async(manager->link.bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
				     SYSTEMD_MANAGER, "StartUnit", on_unit_started, manager, "ss",
				     unit, "replace");
	if (r < 0)
		return r;
	manager->unit_done = done;
	manager->unit_userdata = userdata;
	return 0;
}

void manager_forget_unit(struct manager *manager)
{
	manager->unit_done = NULL;
}

bool manager_says_running(const char *address)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
	_cleanup_free_ char *state = NULL;

	if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 || sd_bus_start(bus) < 0)
		return false;
	if (sd_bus_get_property_string(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				       "SystemState", NULL, &state) < 0)
		return false;
	return strcmp(state, "stopping") != 0;
}

void manager_free(struct manager *manager)
{
	if (!manager)
		return;
	bus_link_close(&manager->link);
	free(manager);
}
