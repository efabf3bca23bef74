/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the agent, /etc/xenpv/agent.conf; see xenpv-agent.conf(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_PATH "/etc/xenpv/agent.conf"

/* Longest that a guest may stay frozen, in seconds; the host's protocol has this bound. */
#define FREEZE_SECONDS_MAX 600

struct settings {
	/* [report]: which parts the host is told */
	bool network;
	bool memory;
	bool time;
	bool disks;
	bool load;
	uint32_t interval; /* seconds between two looks at figures; 0: only at events */

	/* [time] */
	bool correct; /* put the clock right after a resume */

	/* [hooks] */
	uint32_t shutdown_timeout; /* seconds that shutdown.d and sleep.d may take */
	uint32_t freeze_timeout;   /* seconds that freeze.d may take */

	/* [freeze] */
	bool freeze;           /* freeze when the host asks */
	uint32_t freeze_limit; /* seconds after which file systems thaw at the latest */
};

void settings_default(struct settings *settings);

/*
 * settings_load - defaults, then @path and its drop-ins
 * @error: one line on failure
 *
 * Errors as conf_load().
 */
int settings_load(const char *path, struct settings *settings, char *error, size_t error_size);
