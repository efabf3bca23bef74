/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Learn from logind that the system is about to stop, before the first unit is stopped,
 * and hold the stop up until the host has been told. logind itself bounds the delay
 * (InhibitDelayMaxSec=, 5 s).
 */
#pragma once

#include <systemd/sd-event.h>

#include "shutdown.h"
#include "timesyncd.h"

#define LOGIND_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"

struct logind;

/*
 * logind_new - start to feed @shutdown with logind's announcements
 * @address: of the message bus, LOGIND_BUS_ADDRESS; tests have their own
 * @changed: called after each change of @shutdown
 * @timesyncd: is on the same bus, and fed over the same connection; NULL: not wanted
 *
 * That neither a message bus nor logind runs is no error: then nothing is ever fed.
 * @shutdown, @timesyncd and @address have to outlive the object.
 */
int logind_new(sd_event *event, const char *address, struct shutdown *shutdown,
	       void (*changed)(void *userdata), void *userdata, struct timesyncd *timesyncd,
	       struct logind **ret);
void logind_free(struct logind *logind);

/* Take the delay lock, unless it is held or being asked for. */
void logind_hold(struct logind *logind);

/* Give the delay lock back: the system may go on stopping. */
void logind_release(struct logind *logind);
