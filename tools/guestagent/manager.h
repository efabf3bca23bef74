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
