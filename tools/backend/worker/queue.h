/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One ring being served: its thread, its io_uring, its grants. Made and freed by
 * the control thread; runs on its own in between.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"
#include "lib/log.h"
#include "storage/storage.h"
#include "worker/abi.h"
#include "worker/journal.h"
#include "worker/proto.h"

struct queue;

/* All pointers stay valid as long as the queue. */
struct queue_config {
	const struct log_about *about;
	struct host_gnt *gnt;
	uint32_t domid;
	uint32_t number; /* of the ring */
	const struct abi *abi;
	uint32_t ring_pages;
	const uint32_t *ring_ref; /* of ring_pages; used by queue_new() only */
	uint32_t remote_port;
	uint32_t max_indirect;
	bool persistent;
	uint32_t persistent_max; /* pages */
	uint32_t copy_max;       /* bytes */
	uint32_t poll_us;
	const struct storage_image *image;
	const uint64_t *sectors;    /* of 512 bytes; changes atomically */
	struct disk_counts *counts; /* written by the thread alone, atomically */
	/* the thread ended, after queue_stop() or failed(): written to this eventfd */
	int ended_event;
	/* Called from the thread when the frontend broke the protocol; @text names the value. */
	void (*failed)(void *arg, uint32_t number, int error, const char *text);
	void *arg;
};

/*
 * queue_new - map the ring and bind the event channel
 * @evtchn_fd: descriptor for host_evtchn_fdopen(); taken over, also on failure
 * @ret_why: what was tried, on failure
 */
int queue_new(const struct queue_config *config, int evtchn_fd, struct queue **ret,
	      const char **ret_why);

/* Where a ring that nothing is in flight on stands. */
uint32_t queue_first_index(const struct queue *q);

/*
 * queue_run - start the thread
 * @journal: of this ring
 * @recover: take up what the journal has open
 *
 * Errors: -EBADMSG (journal and ring contradict each other), -EPROTO (the ring's
 * indices cannot be), those of io_uring_setup(2), pthread_create(3).
 */
int queue_run(struct queue *q, const struct journal_view *journal, bool recover,
	      const char **ret_why);

/* Ask the thread to finish what is in flight, to take nothing more, and to end. */
void queue_stop(struct queue *q);

/* The thread is over, or never ran. */
bool queue_ended(const struct queue *q);

/* Requests in flight now. */
uint32_t queue_in_flight(const struct queue *q);

/* Join the thread, which has ended, and free everything. NULL is allowed. */
void queue_free(struct queue *q);
