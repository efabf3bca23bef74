/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a request: taken from the ring into the journal, checked, given
 * its data, executed, answered. Each stage works on all requests of a pass, so
 * that grant operations, submissions and the response index go out in batches.
 */
#include "worker/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/blkif.h>

#include "worker/crashpoint.h"

static void step(struct io *io);
static void storage_done(struct storage_op *op, int result);

int io_init(struct queue *q)
{
	uint32_t n = q->ring.slots;

	q->io = calloc(n, sizeof(*q->io));
	q->free = calloc(n, sizeof(*q->free));
	if (!q->io || !q->free)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		q->io[i].queue = q;
		q->io[i].slot = i;
		q->free[q->nr_free++] = n - 1 - i;
	}
	return idset_init(&q->ids, n);
}

void io_free(struct queue *q)
{
	idset_free(&q->ids);
	free(q->io);
	free(q->free);
	q->io = NULL;
	q->free = NULL;
}

static void count_in_flight(struct queue *q, int n)
{
	__atomic_store_n(&q->in_flight, q->in_flight + n, __ATOMIC_RELAXED);
	STAT_SET(q, in_flight, q->in_flight);
}

/* Make a free io ready for the request in @raw. */
static void io_prepare(struct io *io, const uint8_t raw[static ABI_MAX_SLOT])
{
	request_parse(io->queue->config.abi, raw, &io->req);
	io->status = BLKIF_RSP_OKAY;
	io->error = 0;
	io->step = IO_NEW;
	io->segs = io->req.direct;
	io->iov = io->iov_direct;
	io->page = io->page_direct;
	io->iovcnt = 0;
	io->kind = TRANSFER_NONE;
	io->counted = false;
}

/*
 * Note the id of @io. False: a request in flight has it already, so that a response
 * could mean either. Flushes without data are left out: mini-os sends a barrier
 * and a flush at once, both with id 0, and which is answered does not matter.
 */
static bool note_id(struct io *io)
{
	io->in_ids = false;
	if (!io->req.nr_segments &&
	    (io->req.op == BLKIF_OP_FLUSH_DISKCACHE || io->req.op == BLKIF_OP_WRITE_BARRIER))
		return true;
	io->in_ids = idset_add(&io->queue->ids, io->slot, io->req.id);
	return io->in_ids;
}

int io_recover(struct queue *q, const struct journal_entry *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct journal_slot *slot = &q->journal.ring->slot[entries[i].slot];
		struct io *io = &q->io[entries[i].slot];

		io_prepare(io, slot->request);
		if (!note_id(io))
			return -EBADMSG;
		if (entries[i].done) {
			io->status = (int16_t)slot->status;
			io->counted = true;
			io_list_add(&q->answer, io);
		} else {
			io_list_add(&q->replay, io);
		}
	}

	/* the stack of free numbers, without those in use */
	q->nr_free = 0;
	for (uint32_t i = q->ring.slots; i-- > 0;) {
		uint32_t state = q->journal.ring->slot[i].state;

		if (state == JOURNAL_FREE)
			q->free[q->nr_free++] = i;
	}
	count_in_flight(q, (int)n);
	STAT_ADD(q, replayed, n);
	return 0;
}

static void refuse(struct io *io, int status, const char *why)
{
	struct queue *q = io->queue;

	io->status = (int16_t)status;
	io_list_add(&q->answer, io);
	if (queue_may_log(q))
		log_full(LOG_WARNING, q->config.about, 0,
			 "ring %u: %s request, id %" PRIu64 ", is refused: %s", q->config.number,
			 request_op_name(io->req.op), io->req.id, why);
}

/* The data could not be moved, or the storage failed. */
static void fail(struct io *io, const char *what, int error)
{
	struct queue *q = io->queue;

	io->status = error == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
	if (queue_may_log(q))
		log_full(LOG_WARNING, q->config.about, error,
			 "ring %u: %s request, id %" PRIu64 ", sectors %" PRIu64 "+%" PRIu64
			 ": %s: %m",
			 q->config.number, request_op_name(io->req.op), io->req.id, io->req.sector,
			 io->req.nr_sectors, what);
}

/* Consume one request that is new on the ring. NULL: the ring is no longer served. */
static struct io *take_new(struct queue *q)
{
	uint8_t raw[ABI_MAX_SLOT];
	struct io *io = &q->io[q->free[--q->nr_free]];

	ring_copy_request(&q->ring, q->ring.req_cons, raw);
	journal_record(&q->journal, io->slot, q->ring.req_cons, raw);
	q->ring.req_cons++;
	count_in_flight(q, 1);
	io_prepare(io, raw);
	if (!note_id(io)) {
		uint64_t id = io->req.id;

		q->free[q->nr_free++] = io->slot;
		count_in_flight(q, -1);
		queue_fail(q, -EPROTO, "%s request uses id %" PRIu64 ", which is in flight already",
			   request_op_name(io->req.op), id);
		return NULL;
	}
	return io;
}

static void took(struct queue *q, struct io *io, uint64_t now)
{
	io->begun = now;
	io_list_add(&q->taken, io);
	if (io->req.op == BLKIF_OP_WRITE_BARRIER)
		q->barrier = io;
}

/* Take what there is, up to and including the next barrier. */
static bool take(struct queue *q)
{
	uint64_t now = 0;
	struct io *io;
	int n;

	if (q->failed || q->barrier)
		return false;
	if (q->replay.head)
		now = queue_now();
	while (!q->barrier && (io = io_list_take(&q->replay)))
		took(q, io, now);
	if (!q->barrier && !q->stopping) {
		n = ring_pending(&q->ring);
		if (n < 0) {
			queue_fail(q, n,
				   "request index %u is impossible with %u requests taken, %u "
				   "answered and %u slots",
				   q->ring.bad_prod, q->ring.req_cons, q->ring.published,
				   q->ring.slots);
			return true;
		}
		if (n)
			now = queue_now();
		for (int i = 0; i < n && !q->barrier; i++) {
			io = take_new(q);
			if (!io)
				break;
			took(q, io, now);
		}
		if (n)
			journal_consumed(&q->journal, q->ring.req_cons);
	}
	return q->taken.head != NULL;
}

/* Room for the arrays of an indirect request, in one piece. */
static int allocate_indirect(struct io *io)
{
	size_t n = io->req.nr_segments;
	char *p = malloc(
		n * (sizeof(*io->iov) + sizeof(*io->page) + sizeof(*io->segs) + ABI_SEGMENT_SIZE));

	if (!p)
		return -ENOMEM;
	io->more = p;
	io->iov = (void *)p;
	p += n * sizeof(*io->iov);
	io->page = (void *)p;
	p += n * sizeof(*io->page);
	io->segs = (void *)p;
	p += n * sizeof(*io->segs);
	io->descriptors = (uint8_t *)p;
	return 0;
}

/* Judge the heads, and fetch the segments of indirect requests. */
static void check(struct queue *q, struct io_list *ret)
{
	char why[REQUEST_WHY_SIZE];
	struct io *io;
	int r;

	while ((io = io_list_take(&q->taken))) {
		r = request_check(&io->req, &q->limits, why);
		if (r != BLKIF_RSP_OKAY) {
			/* what is not accepted has no segments to give back */
			io->req.nr_segments = 0;
			refuse(io, r, why);
			continue;
		}
		if (io->req.indirect) {
			r = allocate_indirect(io);
			if (r < 0) {
				fail(io, "no memory for the segments", r);
				io_list_add(&q->answer, io);
				continue;
			}
			transfer_descriptors(io);
		}
		io_list_add(ret, io);
	}
	transfer_copy(q);
}

/* Fetch or map the data, or wait for room. */
static void load_data(struct io *io, struct io_list *ret)
{
	struct queue *q = io->queue;
	int r;

	if (q->waiting.head || !transfer_has_room(io)) {
		io_list_add(&q->waiting, io);
		return;
	}
	r = transfer_begin(io);
	if (r < 0) {
		fail(io, "no memory for the data", r);
		io_list_add(&q->done, io);
		return;
	}
	io_list_add(ret, io);
}

/* Judge the segments and load the data. */
static void load(struct queue *q, struct io_list *list, struct io_list *ret)
{
	struct io_list waited = q->waiting;
	char why[REQUEST_WHY_SIZE];
	struct io *io;
	int r;

	q->waiting = (struct io_list){ 0 };
	while ((io = io_list_take(&waited)))
		load_data(io, ret);
	while ((io = io_list_take(list))) {
		if (io->error) {
			fail(io, "cannot read the indirect segments", io->error);
			io_list_add(&q->done, io);
			continue;
		}
		if (io->req.indirect)
			request_parse_segments(io->descriptors, io->req.nr_segments, io->segs);
		if (io->req.nr_segments) {
			r = request_check_segments(&io->req, io->segs, &q->limits, why);
			if (r != BLKIF_RSP_OKAY) {
				refuse(io, r, why);
				continue;
			}
			load_data(io, ret);
			continue;
		}
		io_list_add(ret, io);
	}
	transfer_copy(q);
}

/* Start what was taken in this pass. */
static void begin(struct queue *q)
{
	struct io_list checked = { 0 }, loaded = { 0 };
	struct io *io;

	/* read once a pass: a resize holds for a request altogether or not at all */
	q->limits.sectors = __atomic_load_n(q->config.sectors, __ATOMIC_RELAXED);

	check(q, &checked);
	load(q, &checked, &loaded);
	while ((io = io_list_take(&loaded))) {
		if (io->error) {
			fail(io, "cannot copy from the guest", io->error);
			io_list_add(&q->done, io);
		} else if (io != q->barrier) {
			step(io);
		}
	}
}

/* Hand the current step of @io to the storage. */
static void submit_step(struct io *io)
{
	io->op = (struct storage_op){
		.type = STORAGE_FLUSH,
		.done = storage_done,
	};
	if (io->step == IO_DATA) {
		io->op.offset = io->req.sector * ABI_SECTOR_SIZE;
		io->op.length = io->req.nr_sectors * ABI_SECTOR_SIZE;
		if (io->req.op == BLKIF_OP_DISCARD) {
			io->op.type = io->req.secure ? STORAGE_SECURE_DISCARD : STORAGE_DISCARD;
		} else {
			io->op.type =
				io->req.data_op == BLKIF_OP_READ ? STORAGE_READ : STORAGE_WRITE;
			io->op.iov = io->iov;
			io->op.iovcnt = io->iovcnt;
		}
	}
	storage_queue_submit(io->queue->storage, &io->op);
	crash_point();
}

static void storage_done(struct storage_op *op, int result)
{
	struct io *io = (struct io *)((char *)op - offsetof(struct io, op));

	if (result == -EFAULT && io->step == IO_DATA && !io->buffer &&
	    (io->kind == TRANSFER_MAP || io->kind == TRANSFER_PERSISTENT)) {
		log_full(
			LOG_NOTICE, io->queue->config.about, 0,
			"ring %u: the storage cannot use mapped grants, data is copied from now on",
			io->queue->config.number);
		result = transfer_bounce(io);
		if (result == 0) {
			submit_step(io);
			return;
		}
	}
	if (result < 0) {
		fail(io, "I/O error", result);
		io_list_add(&io->queue->done, io);
		return;
	}
	step(io);
}

static enum io_step next_step(const struct io *io)
{
	bool data = io->req.nr_segments || io->req.op == BLKIF_OP_DISCARD;

	switch (io->step) {
	case IO_NEW:
		if (io->req.op == BLKIF_OP_FLUSH_DISKCACHE || io->req.op == BLKIF_OP_WRITE_BARRIER)
			return IO_FLUSH_BEFORE;
		return IO_DATA;
	case IO_FLUSH_BEFORE:
		return data ? IO_DATA : IO_OVER;
	case IO_DATA:
		return io->req.op == BLKIF_OP_WRITE_BARRIER ? IO_FLUSH_AFTER : IO_OVER;
	default:
		return IO_OVER;
	}
}

/* Go on with the next step of @io, or be done with it. */
static void step(struct io *io)
{
	io->step = next_step(io);
	if (io->step == IO_OVER)
		io_list_add(&io->queue->done, io);
	else
		submit_step(io);
}

/* Bring read data to the guest and let go of its pages, before it hears of the end. */
static void finish(struct queue *q)
{
	struct io_list list = q->done;
	struct io *io;

	q->done = (struct io_list){ 0 };
	for (io = list.head; io; io = io->next) {
		if (io->status == BLKIF_RSP_OKAY)
			transfer_copy_out(io);
	}
	transfer_copy(q);

	while ((io = io_list_take(&list))) {
		if (io->status == BLKIF_RSP_OKAY && io->error)
			fail(io, "cannot copy to the guest", io->error);
		io_list_add(&q->answer, io);
	}
}

static void release(struct io *io)
{
	struct queue *q = io->queue;

	if (io->in_ids)
		idset_remove(&q->ids, io->slot);
	q->free[q->nr_free++] = io->slot;
	count_in_flight(q, -1);
	if (q->barrier == io)
		q->barrier = NULL;
}

/*
 * Count a request that the journal has an answer for: once, whoever publishes it, and before
 * the frontend can know of its end.
 */
static void count(const struct io *io, uint64_t now)
{
	bool fine = io->status == BLKIF_RSP_OKAY;
	struct queue *q = io->queue;

	if (io->counted)
		return;
	if (io->req.data_op == BLKIF_OP_READ) {
		STAT_ADD(q, reads, 1);
		STAT_ADD(q, sectors_read, fine ? io->req.nr_sectors : 0);
	} else if (io->req.data_op == BLKIF_OP_WRITE) {
		STAT_ADD(q, writes, 1);
		STAT_ADD(q, sectors_written, fine ? io->req.nr_sectors : 0);
	} else if (io->req.op == BLKIF_OP_DISCARD) {
		STAT_ADD(q, discards, 1);
	} else if (io->req.op == BLKIF_OP_FLUSH_DISKCACHE || io->req.op == BLKIF_OP_WRITE_BARRIER) {
		STAT_ADD(q, flushes, 1);
	}
	if (!fine)
		STAT_ADD(q, errors, 1);
	STAT_ADD(q, busy_ns, now - io->begun);
}

/* Publish all responses of this pass at once. */
static void answer(struct queue *q)
{
	uint64_t now = queue_now();
	struct io_list list = q->answer;
	struct io *io;
	bool notify;

	q->answer = (struct io_list){ 0 };
	for (io = list.head; io; io = io->next) {
		transfer_end(io);
		if (q->failed)
			continue; /* the ring makes no sense any more */
		journal_answering(&q->journal, io->slot, io->status, q->ring.rsp_prod);
		count(io, now);
		/* A response to an indirect request names what it carried (Linux checks that). */
		ring_put_response(&q->ring, io->req.id,
				  io->req.op == BLKIF_OP_INDIRECT ? io->req.data_op : io->req.op,
				  io->status);
	}
	if (!q->failed) {
		journal_intent(&q->journal, q->ring.rsp_prod);
		notify = ring_publish(&q->ring);
		journal_published(&q->journal);
		if (notify) {
			host_evtchn_notify(q->evtchn, (uint32_t)q->local_port);
			STAT_ADD(q, events_sent, 1);
			crash_point();
		}
	}
	while ((io = io_list_take(&list))) {
		if (!q->failed)
			journal_free(&q->journal, io->slot);
		release(io);
	}
}

/* Requests that will never start because the ring is no longer served. */
static void drop_unstarted(struct queue *q)
{
	struct io *io;

	while ((io = io_list_take(&q->replay)) || (io = io_list_take(&q->taken)) ||
	       (io = io_list_take(&q->waiting))) {
		if (io == q->barrier)
			q->barrier = NULL;
		io_list_add(&q->answer, io);
	}
	if (q->barrier && q->barrier->step == IO_NEW) {
		io = q->barrier;
		q->barrier = NULL;
		io_list_add(&q->answer, io);
	}
}

bool io_pass(struct queue *q)
{
	bool work = uring_reap(&q->uring) != 0;

	if (take(q) || (q->waiting.head && transfer_has_room(q->waiting.head))) {
		work = true;
		if (!q->failed)
			begin(q);
	}
	if (q->failed)
		drop_unstarted(q);

	/* new I/O is on its way to the disk while what is over goes to the guest */
	uring_submit(&q->uring);
	crash_point();
	if (q->done.head)
		finish(q);
	if (q->answer.head) {
		answer(q);
		work = true;
	}
	if (q->barrier && q->barrier->step == IO_NEW && q->in_flight == 1 && !q->waiting.head) {
		step(q->barrier);
		uring_submit(&q->uring);
		work = true;
	}
	return work;
}
