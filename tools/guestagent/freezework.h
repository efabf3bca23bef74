/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that freeze and thaw. One, forked from the agent, keeps watch: it waits for the
 * word to thaw, the time limit and the agent's end, and calls nothing that a disk can hold up.
 * That is done by processes that it forks: one freezes; one thaws, and when that hangs at a
 * file system, the next one thaws the others.
 *
 * Forked from a process with threads, so nothing here allocates or logs.
 */
#pragma once

#include "freezer.h"
#include "frozen.h"

/* What the process tells the agent; one message each, so that it is read as a whole. */
struct freezework_message {
	enum freezer_event event;
	uint32_t n;      /* file systems that are, or were, frozen */
	int error;       /* of FREEZER_FAILED */
	uint32_t failed; /* index of that file system; FROZEN_MAX: none of them */
	bool hangs;      /* a call to the kernel has not returned: the process stays */
	uint32_t hung;   /* index of what that is about; FROZEN_MAX: not frozen at all */
};

struct freezework {
	int channel;      /* to the agent; a word from it, or its end, is to thaw */
	int64_t deadline; /* milliseconds of CLOCK_MONOTONIC */
	const int *fds;   /* of the mount points, -1 for one that is gone */
	struct frozen *frozen;
	bool thaw_only; /* what others have frozen, who are gone */

	/* The watch's own. */
	int signals;    /* tells that a child ended */
	uint32_t hands; /* children that live */
};

int64_t freezework_now(void);

/* Runs until nothing is frozen, and ends the process. */
void freezework_run(struct freezework *work) __attribute__((noreturn));
