/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker's half of storage: asynchronous I/O on an open image, one queue for
 * each thread. Knows no ring and no guest. Each kind of storage implements
 * struct storage_queue_ops.
 */
#pragma once

#include <stdint.h>
#include <sys/uio.h>

#include "storage/storage.h"
#include "storage/uring.h"

enum storage_op_type {
	STORAGE_READ,
	STORAGE_WRITE,
	STORAGE_FLUSH, /* all that was completed before it becomes durable */
	STORAGE_DISCARD,
	STORAGE_SECURE_DISCARD,
};

/* One operation; a member of its owner, untouched by it from submit to done. */
struct storage_op {
	enum storage_op_type type;
	uint64_t offset;   /* bytes; multiple of the image's dio_align */
	uint64_t length;   /* bytes; the sum of @iov for a read or write */
	struct iovec *iov; /* consumed as it goes; memory aligned to dio_align */
	unsigned int iovcnt;
	/*
	 * Called once, from uring_reap() or from within submit. @result: 0 (all of
	 * it was done) or a negative errno. A read past the end of a short file
	 * yields zeroes.
	 */
	void (*done)(struct storage_op *op, int result);

	/* private to the queue */
	struct storage_queue *queue;
	struct uring_op uring;
	struct storage_op *next;
	int result;
};

struct storage_queue;

struct storage_queue_ops {
	void (*submit)(struct storage_queue *queue, struct storage_op *op);
	void (*close)(struct storage_queue *queue);
};

struct storage_queue {
	const struct storage_queue_ops *ops;
};

/*
 * storage_queue_open - make a queue on @image, completing through @uring
 * @image: stays open, and unchanged but for its size, as long as the queue
 *
 * Errors: -ENOMEM, -EOPNOTSUPP (a kind without a queue).
 */
int storage_queue_open(const struct storage_image *image, struct io_uring *uring,
		       struct storage_queue **ret);

/* Start @op. What it queues on the io_uring goes out with the next uring_submit(). */
static inline void storage_queue_submit(struct storage_queue *queue, struct storage_op *op)
{
	queue->ops->submit(queue, op);
}

/* Nothing may be in flight. NULL is allowed. */
static inline void storage_queue_close(struct storage_queue *queue)
{
	if (queue)
		queue->ops->close(queue);
}

/* Of storage/file-queue.c */
int file_queue_open(const struct storage_image *image, struct io_uring *uring,
		    struct storage_queue **ret);
