/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Have hooks run, from the agent's event loop. */
#pragma once

#include <systemd/sd-event.h>

#include "hooks.h"
#include "manager.h"

struct hookrun;

/* @result: 0, or a negative errno: a hook failed (-EIO), the limit was reached (-ETIMEDOUT). */
typedef void (*hookrun_done_fn)(void *userdata, int result);

/*
 * hookrun_start - run the hooks of an occasion
 * @manager: systemd, which starts xenpv-agent-hooks@<name>.service; without a connection
 *           to it, "xenpv-agent --hooks=<name>" is run as a child
 * @limit: seconds for all hooks; the caller is told a little later at the latest
 * @done: called once from the event loop, also if there is nothing to run; it may free
 *        the run
 *
 * Errors: negative errno; @done is then not called.
 */
int hookrun_start(sd_event *event, struct manager *manager, enum hooks hooks, uint32_t limit,
		  hookrun_done_fn done, void *userdata, struct hookrun **ret);

/* Wait no longer; what systemd runs goes on until its limit. */
void hookrun_free(struct hookrun *run);
