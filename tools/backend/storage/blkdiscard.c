/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/blkdiscard.h"

#include <errno.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct blkdiscard {
	int fd;
	int event; /* says that `finished` is not empty */
	struct io_uring *uring;
	struct uring_op poll;
	unsigned int in_flight; /* queue thread only */
	bool started;           /* queue thread only */
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under lock */
	struct storage_op *waiting, **waiting_end;
	struct storage_op *finished;
	bool stop;
};

static void *run(void *arg)
{
	struct blkdiscard *d = arg;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		struct storage_op *op = d->waiting;
		uint64_t range[2];
		unsigned long request;

		if (!op) {
			if (d->stop)
				break;
			pthread_cond_wait(&d->wake, &d->lock);
			continue;
		}
		d->waiting = op->next;
		if (!d->waiting)
			d->waiting_end = &d->waiting;
		pthread_mutex_unlock(&d->lock);

		range[0] = op->offset;
		range[1] = op->length;
		request = op->type == STORAGE_SECURE_DISCARD ? BLKSECDISCARD : BLKDISCARD;
		op->result = ioctl(d->fd, request, range) < 0 ? -errno : 0;

		pthread_mutex_lock(&d->lock);
		op->next = d->finished;
		d->finished = op;
		eventfd_write(d->event, 1);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static void arm(struct blkdiscard *d)
{
	struct io_uring_sqe *sqe = uring_get(d->uring);

	io_uring_prep_poll_add(sqe, d->event, POLLIN);
	io_uring_sqe_set_data(sqe, &d->poll);
}

static void finished(struct uring_op *uring, int32_t res)
{
	struct blkdiscard *d =
		(struct blkdiscard *)((char *)uring - offsetof(struct blkdiscard, poll));
	struct storage_op *op, *next;
	eventfd_t n;

	(void)res; /* whatever woke us, the list tells what is over */
	pthread_mutex_lock(&d->lock);
	eventfd_read(d->event, &n);
	op = d->finished;
	d->finished = NULL;
	pthread_mutex_unlock(&d->lock);

	for (; op; op = next) {
		next = op->next;
		d->in_flight--;
		op->done(op, op->result);
	}
	if (d->in_flight)
		arm(d);
}

int blkdiscard_open(int fd, struct io_uring *uring, struct blkdiscard **ret)
{
	struct blkdiscard *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event < 0) {
		int r = -errno;

		free(d);
		return r;
	}
	d->fd = fd;
	d->uring = uring;
	d->poll.complete = finished;
	d->waiting_end = &d->waiting;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->wake, NULL);
	*ret = d;
	return 0;
}

void blkdiscard_close(struct blkdiscard *d)
{
	if (!d)
		return;
	if (d->started) {
		pthread_mutex_lock(&d->lock);
		d->stop = true;
		pthread_cond_signal(&d->wake);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->thread, NULL);
	}
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	close(d->event);
	free(d);
}

void blkdiscard_submit(struct blkdiscard *d, struct storage_op *op)
{
	int r;

	if (!d->started) {
		r = pthread_create(&d->thread, NULL, run, d);
		if (r) {
			op->done(op, -r);
			return;
		}
		d->started = true;
	}
	if (!d->in_flight++)
		arm(d);

	op->next = NULL;
	pthread_mutex_lock(&d->lock);
	*d->waiting_end = op;
	d->waiting_end = &op->next;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
}
