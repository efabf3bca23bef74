/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A D-Bus connection on the event loop that is made when its peer appears and made again
 * when it is lost. A peer that never appears costs an inotify watch and nothing else, so
 * a guest without systemd or without a message bus needs no case of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct bus_link_ops {
	/*
	 * Called for each new connection object, before anything is received: adds
	 * matches and sends the first calls, with floating slots (they end with the
	 * connection). An error ends this attempt.
	 */
	int (*setup)(sd_bus *bus, void *userdata);
	/* The connection is gone, replies will not come. True: try again. */
	bool (*lost)(void *userdata);
};

struct bus_link {
	const char *name;    /* for the log, "systemd" */
	const char *address; /* D-Bus address; has to stay valid */
	bool broker;         /* the peer is a message bus, not a program */
	const struct bus_link_ops *ops;
	void *userdata;

	/* Private to buslink.c. */
	sd_event *event;
	sd_bus *bus;
	sd_event_source *retry;
	uint64_t delay; /* microseconds until the next attempt */
};

/*
 * bus_link_open - start to connect; the public fields have been set
 *
 * Errors are those of memory and of the event loop; that nobody listens is none.
 * bus_link_close() must be called after a success, and may be after a failure.
 */
int bus_link_open(struct bus_link *link, sd_event *event);

/* Connect again if there is neither a connection nor an attempt under way. */
void bus_link_resume(struct bus_link *link);

void bus_link_close(struct bus_link *link);
