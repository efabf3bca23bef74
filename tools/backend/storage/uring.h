/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One io_uring per thread: completions find their owner, and a full submission
 * queue is never an error. Used by the thread that made it only.
 */
#pragma once

#include <stdint.h>
#include <liburing.h>

/*
 * What waits for one completion; a member of its owner. The address is the
 * user_data of the submission, so it stays valid until @complete is called.
 */
struct uring_op {
	void (*complete)(struct uring_op *op, int32_t res);
};

/*
 * uring_init - make a ring for @entries submissions in one go
 *
 * Takes the cheapest mode of completion that the kernel has. Called by the
 * thread that will use the ring. Errors: those of io_uring_setup(2).
 */
int uring_init(struct io_uring *uring, unsigned int entries);

/*
 * An entry, submitting what is queued when there is none free. Never NULL. The
 * caller prepares it and then sets its data to a struct uring_op.
 */
struct io_uring_sqe *uring_get(struct io_uring *uring);

/* Submit what is queued. 0 or a negative errno; what stays queued is tried again next time. */
int uring_submit(struct io_uring *uring);

/* Submit, and sleep until there is a completion or @timeout_ms (-1: no limit) is over. */
int uring_wait(struct io_uring *uring, int timeout_ms);

/* Run what has completed. Returns how many. */
unsigned int uring_reap(struct io_uring *uring);
