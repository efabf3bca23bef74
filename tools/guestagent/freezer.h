/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Freeze file systems, and thaw them whatever happens.
 *
 * Processes of their own do it (freezework.h) and thaw at the word, at the time limit, or at
 * the agent's end. The agent stays on its event loop meanwhile, and its death leaves nothing
 * frozen. Should the process that keeps watch be killed, another takes its place; should all
 * of them be, a file (frozen.h) tells the next agent what to thaw.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "mounts.h"

enum freezer_event {
	FREEZER_FROZEN,  /* all of them */
	FREEZER_FAILED,  /* one cannot be frozen; those before it are thawed again */
	FREEZER_THAWED,  /* as asked */
	FREEZER_TIMEOUT, /* thawed by the time limit, also if not all were frozen yet */
	FREEZER_LOST,    /* thawed since a process was killed, or what an earlier agent left */
	FREEZER_ENDED    /* what @hangs told of is over */
};

struct freezer_news {
	enum freezer_event event;
	uint32_t n;         /* file systems that are, or were, frozen */
	int error;          /* of FREEZER_FAILED, negative errno, and */
	const char *target; /* its mount point, or NULL */
	/*
	 * A call to the kernel has not returned, since a disk does not answer: for the mount
	 * point @hung, or before anything was frozen (NULL). All others are thawed, and this
	 * one will be at once when it does. FREEZER_ENDED follows; then @hung is what could not
	 * be thawed at all.
	 */
	bool hangs;
	const char *hung;
};

struct freezer;

/*
 * Called with FREEZER_FROZEN, if it gets that far, and with one of the others. After that, or
 * if @hangs, after FREEZER_ENDED, the freezer is idle and has to be freed, which this may do.
 */
typedef void (*freezer_fn)(void *userdata, const struct freezer_news *news);

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

/*
 * freezer_recover - thaw what an agent left that was killed
 *
 * FREEZER_LOST tells when that is done. Returns 1, or 0 and no freezer if nothing is left.
 * SIGCHLD has to be blocked. Errors: negative errno.
 */
int freezer_recover(sd_event *event, freezer_fn fn, void *userdata, struct freezer **ret);

/* Thaw; the event tells when that is done. Nothing if the freezer is idle. */
void freezer_thaw(struct freezer *freezer);

/*
 * Thaw if need be, and wait until that is done; ten seconds at most, and not at all for what
 * hangs: the processes are left alone with it.
 */
void freezer_free(struct freezer *freezer);
