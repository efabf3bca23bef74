/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request that finds no packet, or no room for one, is to fail at once: RWF_NOWAIT. A
 * kernel that does not have that for taps (before 6.4) lets it wait instead, although the
 * descriptor is non-blocking. It is then cancelled before anybody can miss it, and may still
 * have been carried out in between.
 *
 * Writes are linked, each to the one before it: after one that failed nothing is written.
 * Reads cannot be, since a packet shorter than its buffer breaks a link. They are carried
 * out by the thread that asked for them, one by one, and their completions come in the
 * order in which they were: not always that of the requests, when some had to wait.
 */
#include "net/tap-batch.h"

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "net/tap.h"

/* Tests put something here that no kernel knows, and which it then refuses as well. */
#ifndef TAP_BATCH_NOWAIT
#define TAP_BATCH_NOWAIT RWF_NOWAIT
#endif

/* How long to wait for requests that were cancelled. */
#ifndef TAP_BATCH_GIVE_UP_MS
#define TAP_BATCH_GIVE_UP_MS 5000
#endif

#define CANCELLATION  UINT64_MAX /* user_data; of a request: its number */
#define ROUND_MS      1          /* and until they are cancelled once more */
#define NS_PER_MS     UINT64_C(1000000)
#define NS_PER_SECOND UINT64_C(1000000000)

struct tap_batch {
	struct io_uring uring; /* of the present batch: */
	bool broken;
	bool nowait;                /* not refused so far */
	uint32_t missing;           /* requests that have not completed, a bit each */
	unsigned int cancellations; /* that have not completed */
	unsigned int done;          /* requests that have, and which: */
	unsigned int order[TAP_BATCH_MAX];
	int32_t res[TAP_BATCH_MAX];
};

int tap_batch_new(struct tap_batch **ret)
{
	struct tap_batch *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	r = io_uring_queue_init(TAP_BATCH_MAX, &b->uring, 0);
	if (r < 0)
		goto fail;
	/* brings waits that end, and all that was there before it */
	if (!(b->uring.features & IORING_FEAT_EXT_ARG)) {
		io_uring_queue_exit(&b->uring);
		r = -EOPNOTSUPP;
		goto fail;
	}
	b->nowait = true;
	*ret = b;
	return 0;

fail:
	free(b);
	return r;
}

/* What is still on its way is cancelled by that, some time. */
static void break_up(struct tap_batch *b)
{
	if (!b->broken)
		io_uring_queue_exit(&b->uring);
	b->broken = true;
}

void tap_batch_free(struct tap_batch *b)
{
	if (!b)
		return;
	break_up(b);
	free(b);
}

bool tap_batch_broken(const struct tap_batch *b)
{
	return b->broken;
}

bool tap_batch_never_waits(const struct tap_batch *b)
{
	return b->nowait;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

static void reap(struct tap_batch *b)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&b->uring, head, cqe)
	{
		n++;
		if (cqe->user_data == CANCELLATION) {
			b->cancellations--;
			continue;
		}
		b->res[cqe->user_data] = cqe->res;
		b->missing &= ~(UINT32_C(1) << cqe->user_data);
		b->order[b->done++] = (unsigned int)cqe->user_data;
	}
	io_uring_cq_advance(&b->uring, n);
}

/* Submit, and wait for @n completions or until @ms have passed. */
static void wait_for(struct tap_batch *b, unsigned int n, unsigned int ms)
{
	struct __kernel_timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * (long long)NS_PER_MS,
	};
	struct io_uring_cqe *cqe;

	/* whatever it returns, what has completed is what counts */
	io_uring_submit_and_wait_timeout(&b->uring, &cqe, n, &ts, NULL);
	reap(b);
}

/* Have what is missing completed. False: it will not. */
static bool cancel(struct tap_batch *b)
{
	uint64_t until = now_ns() + TAP_BATCH_GIVE_UP_MS * NS_PER_MS;

	do {
		for (unsigned int i = 0; i < TAP_BATCH_MAX; i++) {
			struct io_uring_sqe *sqe;

			if (!(b->missing >> i & 1))
				continue;
			sqe = io_uring_get_sqe(&b->uring);
			/* what has not been submitted the last time is still in there */
			if (!sqe)
				break;
			io_uring_prep_cancel64(sqe, i, 0);
			io_uring_sqe_set_data64(sqe, CANCELLATION);
			b->cancellations++;
		}
		wait_for(b, b->cancellations, TAP_BATCH_GIVE_UP_MS);
		/* one that was about to be carried out cannot be cancelled, and will be soon */
		if (b->missing)
			wait_for(b, 1, ROUND_MS);
		if (!b->missing && !b->cancellations)
			return true;
	} while (now_ns() < until);
	return false;
}

/* Have @n requests carried out that were prepared. Each has a result then. */
static void carry_out(struct tap_batch *b, unsigned int n)
{
	unsigned int left;

	b->done = 0;
	b->missing = n == 32 ? UINT32_MAX : (UINT32_C(1) << n) - 1;
	io_uring_submit(&b->uring);
	left = io_uring_sq_ready(&b->uring);
	for (unsigned int i = n - left; i < n; i++)
		b->missing &= ~(UINT32_C(1) << i);
	reap(b);
	/* with requests left over nothing more can be submitted; closing it cancels as well */
	if (left || (b->missing && !cancel(b)))
		break_up(b);
	for (unsigned int i = 0; i < n; i++) {
		if (i >= n - left || b->missing >> i & 1)
			b->res[i] = -ECANCELED;
	}
}

static void write_linked(struct tap_batch *b, int fd, const struct tap_packet *packet,
			 unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&b->uring);

		io_uring_prep_write(sqe, fd, packet[i].buf, (unsigned int)packet[i].size, 0);
		sqe->rw_flags = b->nowait ? TAP_BATCH_NOWAIT : 0;
		sqe->flags = i + 1 < n ? IOSQE_IO_LINK : 0;
		io_uring_sqe_set_data64(sqe, i);
	}
	carry_out(b, n);
}

unsigned int tap_batch_write(struct tap_batch *b, int fd, struct tap_packet *packet, unsigned int n)
{
	unsigned int done = 0, i;
	int r;

	while (done < n) {
		struct tap_packet *p = packet + done;

		if (b->broken || n - done == 1) {
			r = tap_write(fd, p->buf, p->size);
			p->result = r;
			if (r == -EAGAIN || r == -EPIPE)
				break;
			done++;
			continue;
		}
		write_linked(b, fd, p, n - done);
		for (i = 0; i < n - done && b->res[i] >= 0; i++)
			p[i].result = 0;
		done += i;
		if (done == n)
			break;
		/* the first that failed; the rest has not been tried */
		r = b->res[i];
		if (r == -EOPNOTSUPP && b->nowait) {
			b->nowait = false;
		} else if (r != -EINTR) {
			/* it had to wait */
			r = tap_write_result(r == -ECANCELED ? -EAGAIN : r);
			packet[done].result = r;
			if (r == -EAGAIN || r == -EPIPE)
				break;
			done++;
		}
	}
	return done;
}

static void read_all(struct tap_batch *b, int fd, const struct tap_packet *packet, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&b->uring);

		io_uring_prep_read(sqe, fd, packet[i].buf, (unsigned int)packet[i].size, 0);
		sqe->rw_flags = b->nowait ? TAP_BATCH_NOWAIT : 0;
		io_uring_sqe_set_data64(sqe, i);
	}
	carry_out(b, n);
}

/* Why there is nothing more, when several requests say so: what is final counts. */
static void note_end(int *end, int r)
{
	if (*end != -EPIPE)
		*end = r;
}

unsigned int tap_batch_read(struct tap_batch *b, int fd, struct tap_packet *packet, unsigned int n,
			    int *ret_end)
{
	struct tap_packet got[TAP_BATCH_MAX], none[TAP_BATCH_MAX];
	unsigned int nr_got = 0, nr_none = 0;
	uint32_t seen = 0;

	*ret_end = 0;
	if (b->broken)
		return 0;
	read_all(b, fd, packet, n);
	if (b->nowait && n && b->res[0] == -EOPNOTSUPP && !b->broken) {
		b->nowait = false;
		read_all(b, fd, packet, n);
	}
	for (unsigned int i = 0; i < b->done; i++) {
		unsigned int at = b->order[i];
		ssize_t r = tap_read_result(b->res[at], packet[at].size);

		seen |= UINT32_C(1) << at;
		if (r >= 0 || r == -EMSGSIZE) {
			got[nr_got] = packet[at];
			got[nr_got++].result = r;
			continue;
		}
		none[nr_none++] = packet[at];
		if (r == -ECANCELED)
			note_end(ret_end, -EAGAIN);
		else if (r != -EINTR)
			note_end(ret_end, (int)r);
	}
	/* of one that broke: they have no completion */
	for (unsigned int i = 0; i < n; i++) {
		if (!(seen >> i & 1))
			none[nr_none++] = packet[i];
	}
	for (unsigned int i = 0; i < n; i++)
		packet[i] = i < nr_got ? got[i] : none[i - nr_got];
	return nr_got;
}
