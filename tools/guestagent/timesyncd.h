/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What systemd-timesyncd tells on the message bus of the server that it follows. It is asked when
 * it announces an answer of the server, appears or goes, and never started for being asked.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "timesync.h"

/* Set .changed and .userdata; the rest is timesyncd.c's. */
struct timesyncd {
	void (*changed)(void *userdata);
	void *userdata;

	bool asking, again; /* a call is under way; another is to follow */
	bool present;       /* it runs */
	char server[64];    /* "" if unknown */
	uint32_t stratum;   /* 0: no server has answered yet */
	double offset;      /* seconds that the system clock was ahead at the last answer */
};

/* A bus_link_ops.setup and what belongs to its .lost, with a struct timesyncd. */
int timesyncd_setup(sd_bus *bus, struct timesyncd *t);
void timesyncd_lost(struct timesyncd *t);

/* Complete what time_read() found, unless chronyd or ntpd keeps the time. */
void timesyncd_add(const struct timesyncd *t, struct time_status *status);
