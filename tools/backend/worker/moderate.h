/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to listen to nobody for a moment. Where no processor is free, a packet wakes the
 * thread in place of the one who sends it, perhaps with more in hand: each packet then costs
 * a wakeup, an event and an interrupt of the guest. A moment in which neither packets nor the
 * guest's events wake the thread lets them come together. Whether they do is tried, and where
 * they do not, as with one that waits for an answer, nothing is delayed. Pure arithmetic, in
 * nanoseconds.
 */
#pragma once

#include <stdint.h>

#define MODERATE_MAX UINT64_C(2000000) /* the longest moment */

struct moderate {
	enum {
		MODERATE_OFF,
		MODERATE_TRIAL,
		MODERATE_ON
	} state;
	uint64_t cost;           /* of a wakeup that finds little, on average */
	uint64_t delay;          /* the last moment; 0: none */
	uint32_t wakes, packets; /* of the present round */
	uint32_t before;         /* packets of 16 wakes without a delay */
	uint32_t wait;           /* wakes until it is tried again */
};

void moderate_init(struct moderate *m);

/*
 * moderate_next - after the work of a wakeup
 * @packets: came from the tap
 * @worked: how long that took, from the wakeup to the sleep that comes now
 * @slept: the sleep before it
 *
 * Returns for how long the thread is not to listen; 0: sleep until there is something.
 */
uint64_t moderate_next(struct moderate *m, uint32_t packets, uint64_t worked, uint64_t slept);
