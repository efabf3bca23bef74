/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread of a ring: when to look, when to sleep, when to end. */
#include "worker/queue.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "worker/io.h"

#define KEEP_BUFFERS (4u << 20) /* bytes of bounce buffers kept for reuse */
#define MAX_BUFFERS  (8u << 20) /* bytes of them at work; requests wait for more */
#define IDLE_TRIM_MS 1000       /* after this long without work they go */
#define LOG_BURST    10         /* lines about one ring ... */
#define LOG_PERIOD   5          /* ... in so many seconds */

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

uint64_t queue_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

bool queue_may_log(struct queue *q)
{
	uint64_t now = queue_now();

	if (now - q->log_refilled >= LOG_PERIOD * UINT64_C(1000000000)) {
		if (q->log_suppressed)
			log_full(LOG_WARNING, q->config.about, 0,
				 "ring %u: %llu more lines like these were left out",
				 q->config.number, (unsigned long long)q->log_suppressed);
		q->log_tokens = LOG_BURST;
		q->log_refilled = now;
		q->log_suppressed = 0;
	}
	if (!q->log_tokens) {
		q->log_suppressed++;
		return false;
	}
	q->log_tokens--;
	return true;
}

void queue_fail(struct queue *q, int error, const char *fmt, ...)
{
	char text[WORKER_ERROR_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	q->failed = true;
	log_full(LOG_ERR, q->config.about, 0, "ring %u: stopped: %s", q->config.number, text);
	if (q->config.failed)
		q->config.failed(q->config.arg, q->config.number, error, text);
}

static void stop_asked(struct uring_op *op, int32_t res)
{
	struct queue *q = (struct queue *)((char *)op - offsetof(struct queue, stop_op));

	(void)res;
	q->stopping = true;
}

static void event_came(struct uring_op *op, int32_t res)
{
	struct queue *q = (struct queue *)((char *)op - offsetof(struct queue, event_op));
	int port;

	(void)res; /* what is pending is asked from the channel itself */
	q->event_armed = false;
	/* one at most: there is one channel, and a further one would end the next sleep */
	port = host_evtchn_pending(q->evtchn);
	if (port == q->local_port) {
		q->event_masked = true;
		STAT_ADD(q, events_received, 1);
	} else if (port >= 0) {
		host_evtchn_unmask(q->evtchn, (uint32_t)port);
	}
}

static void poll_fd(struct queue *q, struct uring_op *op, int fd)
{
	struct io_uring_sqe *sqe = uring_get(&q->uring);

	io_uring_prep_poll_add(sqe, fd, POLLIN);
	io_uring_sqe_set_data(sqe, op);
}

/* Get ready to sleep. False: there is work after all. */
static bool may_sleep(struct queue *q)
{
	int n;

	if (q->failed || q->stopping || q->barrier)
		return true; /* only completions are of interest */

	if (q->event_masked) {
		q->event_masked = false;
		host_evtchn_unmask(q->evtchn, (uint32_t)q->local_port);
	}
	if (!q->event_armed) {
		q->event_armed = true;
		poll_fd(q, &q->event_op, host_evtchn_fd(q->evtchn));
	}
	n = ring_arm(&q->ring);
	/* an impossible index is for the next pass to judge */
	return n == 0;
}

static void serve(struct queue *q)
{
	uint64_t idle_since = 0, now;

	poll_fd(q, &q->stop_op, q->stop_event);
	if (q->recovered) {
		/* the last worker may have published responses and not lived to say so */
		host_evtchn_notify(q->evtchn, (uint32_t)q->local_port);
		STAT_ADD(q, events_sent, 1);
	}
	for (;;) {
		if (io_pass(q)) {
			if (idle_since) {
				STAT_ADD(q, polls, 1);
				poller_learn(&q->poller, queue_now() - idle_since, false);
				idle_since = 0;
			}
			continue;
		}
		if ((q->stopping || q->failed) && !q->in_flight)
			return;

		if (q->poller.window) {
			now = queue_now();
			if (!idle_since)
				idle_since = now;
			if (now - idle_since < q->poller.window) {
				cpu_relax();
				continue;
			}
		} else if (!idle_since) {
			idle_since = queue_now();
		}

		if (!may_sleep(q))
			continue;
		if (q->buffers.kept && !q->in_flight) {
			uring_wait(&q->uring, IDLE_TRIM_MS);
			if (!io_uring_cq_ready(&q->uring)) {
				buffers_trim(&q->buffers);
				continue;
			}
		} else {
			uring_wait(&q->uring, -1);
		}
		ring_disarm(&q->ring);
		poller_learn(&q->poller, queue_now() - idle_since, true);
		idle_since = 0;
	}
}

static int thread_start(struct queue *q)
{
	const struct queue_config *c = &q->config;
	cpu_set_t cpus;
	int r;

	/* every io has one operation at most; two polls besides */
	r = uring_init(&q->uring, q->ring.slots + 8);
	if (r < 0)
		return r;
	r = storage_queue_open(c->image, &q->uring, &q->storage);
	if (r < 0) {
		io_uring_queue_exit(&q->uring);
		return r;
	}
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		CPU_ZERO(&cpus);
	poller_init(&q->poller, c->poll_us, (unsigned int)CPU_COUNT(&cpus));
	return 0;
}

/* Let go of everything that is the guest's. Repeating it does nothing. */
static void let_go(struct queue *q)
{
	persistent_free(&q->persistent);
	if (q->local_port >= 0)
		host_evtchn_unbind(q->evtchn, (uint32_t)q->local_port);
	q->local_port = -1;
	host_evtchn_close(q->evtchn);
	q->evtchn = NULL;
	if (q->shared)
		host_gnt_unmap(q->config.gnt, q->shared, q->config.ring_pages);
	q->shared = NULL;
}

static void *thread_main(void *arg)
{
	struct queue *q = arg;
	char name[16];

	/* cut short where it does not fit, which happens to odd device ids only */
	(void)!snprintf(name, sizeof(name), "vbd%u-%u", q->config.about->devid & 0xffffff,
			q->config.number & 0x1f);
	prctl(PR_SET_NAME, name);
	q->start_error = thread_start(q);
	if (q->start_error < 0) {
		__atomic_store_n(&q->ended, true, __ATOMIC_RELEASE);
		sem_post(&q->ready);
		return NULL;
	}
	sem_post(&q->ready);

	serve(q);

	storage_queue_close(q->storage);
	io_uring_queue_exit(&q->uring);
	let_go(q);
	buffers_trim(&q->buffers);
	__atomic_store_n(&q->ended, true, __ATOMIC_RELEASE);
	eventfd_write(q->config.ended_event, 1);
	return NULL;
}

int queue_new(const struct queue_config *config, int evtchn_fd, struct queue **ret,
	      const char **ret_why)
{
	struct queue *q;
	int r;

	q = calloc(1, sizeof(*q));
	if (!q) {
		close(evtchn_fd);
		*ret_why = "out of memory";
		return -ENOMEM;
	}
	q->config = *config;
	q->local_port = -1;
	q->stop_event = -1;
	q->ended = true;
	q->event_op.complete = event_came;
	q->stop_op.complete = stop_asked;
	sem_init(&q->ready, 0, 0);
	buffers_init(&q->buffers, KEEP_BUFFERS, MAX_BUFFERS);

	*ret_why = "cannot use the event channel descriptor";
	r = host_evtchn_fdopen(evtchn_fd, &q->evtchn);
	if (r < 0)
		goto fail;
	*ret_why = "cannot map the ring";
	r = host_gnt_map(config->gnt, config->ring_ref, config->ring_pages, PROT_READ | PROT_WRITE,
			 &q->shared);
	if (r < 0) {
		q->shared = NULL;
		goto fail;
	}
	*ret_why = "cannot bind the event channel";
	r = host_evtchn_bind(q->evtchn, config->domid, config->remote_port);
	if (r < 0)
		goto fail;
	q->local_port = r;
	*ret_why = "out of memory or descriptors";
	r = persistent_init(&q->persistent, config->gnt,
			    config->persistent ? config->persistent_max : 0);
	if (r < 0)
		goto fail;
	q->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->stop_event < 0) {
		r = -errno;
		goto fail;
	}
	*ret = q;
	return 0;

fail:
	queue_free(q);
	return r;
}

uint32_t queue_first_index(const struct queue *q)
{
	return ring_shared_rsp_prod(q->shared);
}

static int recover(struct queue *q, uint32_t shared_rsp_prod, uint32_t shared_req_prod,
		   const char **ret_why)
{
	_cleanup_free_ struct journal_entry *entries = calloc(q->journal.slots, sizeof(*entries));
	uint32_t n;
	int r;

	if (!entries)
		return -ENOMEM;
	r = journal_recover(&q->journal, shared_rsp_prod, shared_req_prod, entries, &n, ret_why);
	if (r < 0)
		return r;
	q->ring.req_cons = q->journal.ring->req_cons;
	*ret_why = "has the same request id twice";
	r = io_recover(q, entries, n);
	if (r < 0)
		return r;
	log_full(LOG_INFO, q->config.about, 0, "ring %u: %u requests taken up from the journal",
		 q->config.number, n);
	return 0;
}

int queue_run(struct queue *q, const struct journal_view *journal, bool do_recover,
	      const char **ret_why)
{
	const struct queue_config *c = &q->config;
	uint32_t rsp_prod = queue_first_index(q);
	int r;

	q->journal = *journal;
	q->limits = (struct request_limits){
		.logical_block = c->image->logical_block,
		.max_indirect = c->max_indirect,
		.readonly = c->image->readonly,
		.discard = c->image->can_discard,
		.secure_discard = c->image->can_secure_discard,
	};
	*ret_why = "cannot be served";
	r = ring_attach(&q->ring, q->shared, c->ring_pages, c->abi, rsp_prod, rsp_prod);
	if (r < 0)
		return r;
	r = io_init(q);
	if (r < 0)
		return r;

	r = ring_pending(&q->ring);
	if (r < 0) {
		*ret_why = "has a request index that cannot be";
		return r;
	}
	if (do_recover) {
		r = recover(q, rsp_prod, rsp_prod + (uint32_t)r, ret_why);
		if (r < 0)
			return r;
		q->recovered = true;
	}

	*ret_why = "cannot start its thread";
	__atomic_store_n(&q->ended, false, __ATOMIC_RELAXED);
	r = pthread_create(&q->thread, NULL, thread_main, q);
	if (r) {
		q->ended = true;
		return -r;
	}
	q->started = true;
	while (sem_wait(&q->ready) < 0)
		;
	if (q->start_error < 0) {
		*ret_why = "cannot set up io_uring";
		return q->start_error;
	}
	return 0;
}

void queue_stop(struct queue *q)
{
	eventfd_write(q->stop_event, 1);
}

bool queue_ended(const struct queue *q)
{
	return __atomic_load_n(&q->ended, __ATOMIC_ACQUIRE);
}

uint32_t queue_in_flight(const struct queue *q)
{
	return __atomic_load_n(&q->in_flight, __ATOMIC_RELAXED);
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	if (q->started)
		pthread_join(q->thread, NULL);
	let_go(q);
	io_free(q);
	if (q->stop_event >= 0)
		close(q->stop_event);
	sem_destroy(&q->ready);
	free(q);
}
