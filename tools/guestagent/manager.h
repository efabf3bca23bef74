/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follow the jobs of systemd, the service manager, through its own socket, which works
 * until the last unit is stopped; the message bus is among the first to go.
 */
#pragma once

#include <systemd/sd-event.h>

#include "shutdown.h"

#define MANAGER_ADDRESS "unix:path=/run/systemd/private"

struct manager;

/*
 * manager_new - start to feed @shutdown with systemd's jobs
 * @address: MANAGER_ADDRESS; tests have their own
 * @changed: called after each change of @shutdown
 *
 * That no systemd runs is no error: then nothing is ever fed. @shutdown and @address
 * have to outlive the manager.
 */
int manager_new(sd_event *event, const char *address, struct shutdown *shutdown,
		void (*changed)(void *userdata), void *userdata, struct manager **ret);
void manager_free(struct manager *manager);

/* Is there a connection to systemd, so that its jobs are known? */
bool manager_is_connected(const struct manager *manager);

/*
 * manager_start_unit - start a unit and wait for its job to end
 * @done: called once with systemd's word for the result ("done", "failed", "timeout", ...),
 *        with "refused" if there is no job, or with "lost" if the connection ends
 *
 * One at a time. Errors: -ENOTCONN (no connection), -EBUSY, negative errno; @done is then
 * not called.
 */
int manager_start_unit(struct manager *manager, const char *unit,
		       void (*done)(void *userdata, const char *result), void *userdata);

/* Do not call @done any more; the unit goes on. */
void manager_forget_unit(struct manager *manager);

/*
 * manager_says_running - does systemd say that the system is not stopping?
 *
 * Connects, asks and waits for the answer. False if nobody answers.
 */
bool manager_says_running(const char *address);
