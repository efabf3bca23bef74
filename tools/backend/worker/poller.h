/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long to look for more work before asking for an event. Learns from what
 * would have paid: a sleep that ended within the bound lengthens the window, a
 * longer one shortens it. Pure arithmetic, in nanoseconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct poller {
	uint64_t max;    /* bound, 0: never poll */
	uint64_t window; /* poll this long now */
};

/* @max_us: the bound in microseconds; with a single CPU polling only delays the guest: 0. */
void poller_init(struct poller *p, uint32_t max_us, unsigned int cpus);

/* Work came after @waited, in the window or, with @slept, after it. */
void poller_learn(struct poller *p, uint64_t waited, bool slept);
