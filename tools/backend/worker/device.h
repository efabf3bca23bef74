/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One disk of the guest: its image, its journal and, while connected, its
 * queues. Used by the control thread only.
 *
 * Attached -> connect -> Connected -> disconnect -> Draining -> Attached.
 */
#pragma once

#include "host/host.h"
#include "lib/log.h"
#include "worker/journal.h"
#include "worker/proto.h"
#include "worker/queue.h"

/* Descriptors that come with a disk. */
#define DEVICE_FDS 3

/* How long requests in flight may take to end when a disk is disconnected. */
#define DEVICE_DRAIN_MS 30000

/* The same for all disks and interfaces of a worker. */
struct device_env {
	struct host_gnt *gnt;
	struct worker_hello hello;
	int ended_event; /* eventfd, written when a queue has ended */
	/* @class: enum worker_class */
	void (*ring_failed)(void *arg, uint32_t class, uint32_t devid, uint32_t ring, int error,
			    const char *text);
	void *arg;
};

enum device_state {
	DEVICE_ATTACHED,
	DEVICE_CONNECTED,
	DEVICE_DRAINING,
};

struct device {
	const struct device_env *env;
	struct device *next;
	struct log_about about;
	struct storage_image image; /* owns image.fd */
	int journal_fd;
	int counters_fd;
	struct counters counters; /* once it was connected; written by the queues */
	struct journal journal;
	uint64_t sectors; /* atomic; read by the queues */
	enum device_state state;
	uint32_t nr_queues;
	struct queue *queue[WORKER_MAX_RINGS];

	/* the answer owed at the end of the draining */
	bool reply_owed;
	uint32_t reply_seq;
	int reply_error;
	char reply_text[WORKER_ERROR_SIZE];
	uint64_t drain_deadline; /* CLOCK_MONOTONIC, ms */
};

/*
 * device_new - a disk that nothing is connected to yet
 * @fds: image, journal, counters; taken over, also on failure
 */
int device_new(const struct device_env *env, uint32_t devid, const struct worker_attach *attach,
	       const int fds[DEVICE_FDS], struct device **ret, char error[WORKER_ERROR_SIZE]);

/* Only while attached. */
void device_free(struct device *d);

/*
 * device_connect - serve the rings of @connect
 * @evtchn_fds: one per ring; taken over, also on failure
 *
 * After a failure the disk is attached, or draining when some queue had begun.
 */
int device_connect(struct device *d, const struct worker_connect *connect, const int *evtchn_fds,
		   char error[WORKER_ERROR_SIZE]);

/* Have all queues finish what is in flight; device_drained() tells when. */
void device_disconnect(struct device *d);

/* All queues have ended: free them, and the disk is attached again. False: not yet. */
bool device_drained(struct device *d);

/* Requests in flight on all queues. */
uint32_t device_in_flight(const struct device *d);

void device_resize(struct device *d, uint64_t size);
void device_stats(const struct device *d, struct disk_counts *ret);
