/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a queue, for queue.c (thread), io.c (life of a request) and
 * transfer.c (its data). Everything belongs to the queue's thread, but for the
 * members that say otherwise.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "storage/queue.h"
#include "worker/buffers.h"
#include "worker/idset.h"
#include "worker/persistent.h"
#include "worker/poller.h"
#include "worker/queue.h"
#include "worker/request.h"
#include "worker/ring.h"

#define COPY_BATCH 512 /* pieces collected for one host_gnt_copy() */

enum transfer_kind {
	TRANSFER_NONE,
	TRANSFER_COPY,       /* through a buffer, by grant copy */
	TRANSFER_MAP,        /* mapped for this request, used in place */
	TRANSFER_PERSISTENT, /* mapped for good, used in place or through a buffer */
};

enum io_step {
	IO_NEW,
	IO_FLUSH_BEFORE,
	IO_DATA,
	IO_FLUSH_AFTER,
	IO_OVER,
};

/* One request in flight. */
struct io {
	struct queue *queue;
	struct io *next; /* on one struct io_list at most */
	uint32_t slot;   /* number of this io, of its journal slot, of its id in the set */
	struct request req;
	int16_t status; /* BLKIF_RSP_* */
	int error;      /* what a transfer or the storage said first */
	enum io_step step;
	bool in_ids;    /* has a member in queue.ids */
	bool counted;   /* by the worker that answered it in the journal, before it died */
	uint64_t begun; /* ns, when it was taken */
	struct storage_op op;

	/* the data; arrays of req.nr_segments, inline or in `more` */
	struct request_segment *segs;
	struct iovec *iov;
	struct persistent_page **page;
	unsigned int iovcnt;
	uint8_t *descriptors; /* raw, of an indirect request, in `more` */
	void *more;
	enum transfer_kind kind;
	void *buffer; /* of bytes; NULL: none */
	size_t bytes;
	void *map; /* of nr_segments pages, with TRANSFER_MAP */
	struct iovec iov_direct[ABI_MAX_DIRECT];
	struct persistent_page *page_direct[ABI_MAX_DIRECT];
};

struct io_list {
	struct io *head;
	struct io *tail;
};

struct copy_batch {
	struct host_gnt_copy piece[COPY_BATCH];
	struct io *owner[COPY_BATCH];
	size_t n;
};

struct queue {
	struct queue_config config;
	struct host_evtchn *evtchn;
	int local_port; /* -1: not bound */
	void *shared;
	struct ring ring;
	struct journal_view journal;
	struct io_uring uring;
	struct storage_queue *storage;
	struct request_limits limits;

	struct io *io;  /* one per ring slot */
	uint32_t *free; /* stack of io numbers */
	uint32_t nr_free;
	uint32_t in_flight; /* written by the thread, read by all, atomically */
	struct idset ids;
	struct io_list replay;  /* found in the journal, to be done before anything new */
	struct io_list taken;   /* consumed in this pass */
	struct io_list waiting; /* checked, for a buffer */
	struct io_list done;    /* storage is done with them */
	struct io_list answer;  /* only the response is missing */
	struct io *barrier;     /* taken; nothing behind it is consumed before it is over */

	struct buffers buffers;
	struct persistent persistent;
	struct copy_batch copy;
	bool no_zero_copy; /* the storage cannot do I/O on mapped grants */

	struct poller poller;
	struct uring_op event_op; /* the event channel's descriptor */
	struct uring_op stop_op;
	bool event_armed;
	bool event_masked; /* taken, and not yet unmasked */
	bool recovered;    /* the frontend was connected before us */
	bool stopping;
	bool failed;
	int stop_event;
	uint32_t log_tokens;
	uint64_t log_refilled;
	uint64_t log_suppressed;

	pthread_t thread;
	bool started; /* control thread only */
	sem_t ready;
	int start_error; /* before `ready` the thread's, after it the control thread's */
	bool ended;      /* atomic */
};

#define STAT_SET(q, field, value)                                                                  \
	__atomic_store_n(&(q)->config.counts->field, value, __ATOMIC_RELAXED)
#define STAT_ADD(q, field, n) STAT_SET(q, field, (q)->config.counts->field + (n))

static inline void io_list_add(struct io_list *list, struct io *io)
{
	io->next = NULL;
	if (list->head)
		list->tail->next = io;
	else
		list->head = io;
	list->tail = io;
}

static inline struct io *io_list_take(struct io_list *list)
{
	struct io *io = list->head;

	if (io)
		list->head = io->next;
	return io;
}

/* queue.c */

/* Stop serving: @fmt names what the frontend did. What is in flight is finished unanswered. */
__attribute__((format(printf, 3, 4))) void queue_fail(struct queue *q, int error, const char *fmt,
						      ...);

/* CLOCK_MONOTONIC, ns */
uint64_t queue_now(void);

/* May another line be logged about this ring now? The guest decides how often we ask. */
bool queue_may_log(struct queue *q);

/* io.c */

/* Number the ios and make all but those in @used free. */
int io_init(struct queue *q);
void io_free(struct queue *q);

/* Put the open requests of a journal back in flight. -EBADMSG: an id is there twice. */
int io_recover(struct queue *q, const struct journal_entry *entries, uint32_t n);

/* One pass: take, start, finish, answer. True when there was anything to do. */
bool io_pass(struct queue *q);

/* transfer.c */

/* Is there a buffer for @io, in case that it needs one? */
bool transfer_has_room(const struct io *io);

/* Prepare io->iov; the data of a write is there after the next transfer_copy(). */
int transfer_begin(struct io *io);

/* For a completed read: have its buffer copied out, by the next transfer_copy() at the latest. */
void transfer_copy_out(struct io *io);

/* Read the descriptor pages of an indirect request with the next transfer_copy(). */
void transfer_descriptors(struct io *io);

/* Carry out the collected pieces; a failed one sets io->error of its owner. */
void transfer_copy(struct queue *q);

/* The storage refused mapped memory: go through a buffer. 0 or a negative errno. */
int transfer_bounce(struct io *io);

/* Give back everything that transfer_begin() took. */
void transfer_end(struct io *io);
