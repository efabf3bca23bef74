/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many packets to ask a tap for in one call. It learns from runs, the packets between
 * two times that the tap was empty: what two of them had the next one is taken to have, and
 * one that has gone on for twice as long goes on. Where there is one packet now and then,
 * each is asked for alone. Pure arithmetic.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VIF_AHEAD_LEAST 4u /* fewer are not worth it */

struct vif_ahead {
	uint32_t run;          /* packets of the present run */
	uint32_t last, before; /* and of those before it */
};

/* The tap had @n packets. */
void vif_ahead_found(struct vif_ahead *a, uint32_t n);

/* The tap is empty. */
void vif_ahead_end(struct vif_ahead *a);

/*
 * vif_ahead_next - packets to ask for in one call, or 0: ask for the next one alone
 * @most: that there is room for
 * @freely: asking for some that are not there costs little
 */
uint32_t vif_ahead_next(const struct vif_ahead *a, uint32_t most, bool freely);
