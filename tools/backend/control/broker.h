/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the broker share. One thread, one loop: nothing here is locked. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "control/opener.h"
#include "control/options.h"
#include "lib/xs.h"

struct device;
struct guest;
struct links;

#define BROKER_GUEST_BUCKETS 256

struct broker {
	sd_event *event;
	struct xs_conn *xs;
	struct options options;
	char *worker_path;
	uint32_t own_domid;
	uint32_t max_queues;    /* offered to frontends */
	sd_event_source *alive; /* asks xenstored for a sign of life */
	struct opener_pool *openers;
	LIST_HEAD(guest_list, guest) guests[BROKER_GUEST_BUCKETS]; /* by domid */
	unsigned int n_guests, n_devices;
	TAILQ_HEAD(device_list, device) dirty; /* devices to step; run by `step` */
	sd_event_source *step;
	unsigned int scans_left;       /* first looks at what was there before us */
	sd_event_source *status;       /* writes status.json a little after a change */
	sd_event_source *resize;       /* looks at the sizes of images now and then */
	sd_event_source *resize_child; /* the process that looks */
	sd_event_source *resize_io;
	struct links *links; /* the host's network interfaces; NULL without vifs */
};

/*
 * A request to xenstore failed: log it. When the connection is gone, end the
 * program, which systemd starts again, and which finds all disks as they are.
 */
void broker_xs_failed(struct broker *b, const struct device *dev, int err, const char *doing);
