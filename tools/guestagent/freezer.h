/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Freeze file systems, and thaw them whatever happens.
 *
 * A process of its own freezes them, waits for the word to thaw, for the time limit, or for
 * the agent's end, and thaws them. The agent stays on its event loop meanwhile, and its death
 * leaves nothing frozen. Should that process be killed, the agent thaws in its place.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "mounts.h"

/* File systems frozen at most; a guest with more is not frozen at all. */
#define FREEZER_MAX 256

enum freezer_event {
	FREEZER_FROZEN,  /* all of them */
	FREEZER_FAILED,  /* one cannot be frozen; those before it are thawed again */
	FREEZER_THAWED,  /* as asked */
	FREEZER_TIMEOUT, /* thawed by the time limit, also if not all were frozen yet */
	FREEZER_LOST     /* thawed here, since the process was killed */
};

struct freezer;

/*
 * @n: file systems that are, or were, frozen
 * @error: negative errno of FREEZER_FAILED and @target, the mount point; else 0 and NULL
 *
 * After any event but FREEZER_FROZEN the freezer is idle and has to be freed, which the
 * callback may do.
 */
typedef void (*freezer_fn)(void *userdata, enum freezer_event event, uint32_t n, int error,
			   const char *target);

/*
 * freezer_start - freeze all file systems of @mounts that are writable
 * @seconds: after which they thaw, counted from now
 *
 * What was mounted last is frozen first: it may lie in a file of another. One that knows no
 * freezing, or is frozen already, is left out. SIGCHLD has to be blocked. Errors: -E2BIG,
 * negative errno; nothing is frozen then.
 */
int freezer_start(sd_event *event, const struct mounts *mounts, uint32_t seconds, freezer_fn fn,
		  void *userdata, struct freezer **ret);

/* Thaw; the event tells when that is done. Nothing if the freezer is idle. */
void freezer_thaw(struct freezer *freezer);

/* Thaw if need be, and wait until that is done. */
void freezer_free(struct freezer *freezer);
