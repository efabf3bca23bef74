/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads of an interface, run one at a time and only when told to, so that an input
 * always does the same. It is the code of vif-queue.c and vif-control.c as it stands, built
 * with other words for time, sleep and threads: a thread gives control back where it would
 * sleep, and is not run again before something happened that would have woken it.
 *
 * A thread that does not come to rest, or waits for one that cannot run, aborts the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/vif-io.h"

/* What CLOCK_MONOTONIC says, in ns. It also goes on a little whenever it is looked at. */
uint64_t step_now(void);
void step_advance(uint64_t ns);

/* From now on, the @n-th thread to be created (1..) cannot be. 0: all can. */
void step_fail_create(unsigned int n);

/* All threads have to be gone. Time begins anew. */
void step_reset(void);

/*
 * Run the thread of @q until it sleeps or ends. False: it has ended, or sleeps and nothing
 * has happened that would wake it.
 */
bool step_queue(struct vif_queue *q);
bool step_control(void);

/* Threads that were begun and have not ended. */
unsigned int step_running(void);

/* When the first of the threads that sleep is to wake up. UINT64_MAX: none is. */
uint64_t step_deadline(void);

/* For the two files that stand for threads: may the next one be created? */
bool step_may_create(void);
