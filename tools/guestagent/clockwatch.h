/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps of the system clock: whoever makes them, the kernel tells (timerfd_create(2)). */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

/* Start with a zeroed one. */
struct clockwatch {
	sd_event_source *source;
	int64_t distance;  /* nanoseconds from the boot's clock to the system's */
	uint32_t steps;    /* since the watch began */
	int64_t last_step; /* nanoseconds, forward if positive */
	int64_t last_when; /* seconds since 1970, by the clock after the step */
	void (*stepped)(void *userdata);
	void *userdata;
};

/*
 * clockwatch_start - count steps, and call @stepped after each
 *
 * What the kernel adds for the time that the guest was suspended is no step. Errors:
 * negative errno.
 */
int clockwatch_start(struct clockwatch *watch, sd_event *event, void (*stepped)(void *userdata),
		     void *userdata);
void clockwatch_stop(struct clockwatch *watch);

/* Take account of a distance from the boot's clock to the system's; for tests and itself. */
int clockwatch_update(struct clockwatch *watch, int64_t distance, int64_t now);
