/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own announcements of devices. Not udev's: they need no udevd, and what udevd
 * would add, the agent looks up itself. A label that was changed is announced too, since
 * udevd has the kernel announce a "change" when a writer closes a disk.
 */
#pragma once

#include <stddef.h>
#include <systemd/sd-event.h>

/* @name: of the device in /dev, or NULL. */
typedef void (*uevents_fn)(void *userdata, const char *subsystem, const char *name);

/*
 * uevents_watch - call @fn for each event
 *
 * Events that the kernel had to drop come as one with subsystem "". Errors: negative errno.
 */
int uevents_watch(sd_event *event, uevents_fn fn, void *userdata, sd_event_source **ret);

/*
 * uevents_field - the value of @key in a message: "action@path", then "KEY=value" strings
 *
 * NULL if there is none, or if @message is not terminated.
 */
const char *uevents_field(const char *message, size_t size, const char *key);
