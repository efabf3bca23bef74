/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest: its devices, its worker, and the watches on its frontends. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "control/broker.h"
#include "control/device.h"
#include "control/workerproc.h"

struct guest {
	struct broker *broker;
	LIST_ENTRY(guest) link;
	uint32_t domid;
	LIST_HEAD(guest_devices, device) devices;
	struct guest_frontends {
		struct guest *guest;
		struct xs_watch *watch; /* of dir; NULL: no device of this class yet */
		char dir[64];           /* /local/domain/<domid>/device/vbd */
	} frontends[_WORKER_CLASS_MAX];
	struct workerproc *worker;
	unsigned int restarts; /* of the worker */
	uint64_t allowance;    /* us that may be spent on starting workers */
	uint64_t allowance_at; /* when it was counted, CLOCK_MONOTONIC us */
};

struct guest *guest_find(struct broker *b, uint32_t domid);

/* Find or make; errors: -ENOMEM, others of xenstore. */
int guest_get(struct broker *b, uint32_t domid, struct guest **ret);

/* Free a guest that has no device left, and let its worker go. */
void guest_release(struct guest *g);

/* Watch the guest's frontends of a class; *ret_dir is their directory. Errors: of xenstore. */
int guest_watch(struct guest *g, const struct device_class *class, const char **ret_dir);

struct device *guest_find_device(struct guest *g, enum device_kind kind, uint32_t devid);

/*
 * guest_worker - the guest's worker, started if there is none
 * @ret_delay_us: with -EAGAIN: when to ask again
 *
 * Errors: -EAGAIN (it died too often, wait), others of starting a process.
 */
int guest_worker(struct guest *g, struct workerproc **ret, uint64_t *ret_delay_us);
