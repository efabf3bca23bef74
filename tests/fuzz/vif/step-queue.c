/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads of the queues, see step.h. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>

#ifdef __has_include
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(addr, size)   ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

#include "fuzz.h"
#include "lib/cleanup.h"
#include "step.h"

#define BEGIN_NS UINT64_C(1000000000000)
#define LOOK_NS  500   /* what looking at the clock takes */
#define MAX_IDLE 2000  /* passes in a row that do nothing, and polls that sleep for no time */
#define MAX_BUSY 20000 /* passes until it sleeps: every slot and packet there can be, and more */

struct thread {
	struct vif_queue *q; /* NULL: none */
	bool ended;
	bool paused; /* it gave control back in order to sleep */
	bool asleep; /* on these, until then: */
	struct pollfd fds[3];
	uint64_t until;
	unsigned int idle, naps, busy;
};

static struct thread threads[WORKER_MAX_VIF_QUEUES];
static struct thread *current;
static uint64_t clock_ns;
static unsigned int create_fails;

uint64_t step_now(void)
{
	return clock_ns;
}

void step_advance(uint64_t ns)
{
	clock_ns += ns;
}

void step_fail_create(unsigned int n)
{
	create_fails = n;
}

bool step_may_create(void)
{
	return !create_fails || --create_fails;
}

static struct thread *thread_of(const struct vif_queue *q)
{
	for (unsigned int i = 0; i < WORKER_MAX_VIF_QUEUES; i++) {
		if (threads[i].q == q)
			return &threads[i];
	}
	return NULL;
}

static int step_gettime(clockid_t id, struct timespec *ret)
{
	MUST_HOLD(id == CLOCK_MONOTONIC);
	clock_ns += LOOK_NS;
	ret->tv_sec = (time_t)(clock_ns / 1000000000);
	ret->tv_nsec = (long)(clock_ns % 1000000000);
	return 0;
}

static int step_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const void *mask)
{
	uint64_t ns = ts ? (uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec : UINT64_MAX;
	int r = poll(fds, n, 0);

	(void)mask;
	MUST_HOLD(n == 3 && !current->paused);
	MUST_HOLD(current->naps++ < MAX_IDLE);
	if (r || !ns)
		return r;
	memcpy(current->fds, fds, sizeof(current->fds));
	current->until = ts ? clock_ns + ns : UINT64_MAX;
	current->paused = true;
	/* makes serve() return; taken back below */
	atomic_store(&current->q->stopping, true);
	return 0;
}

static bool step_tx_pass(struct vif_queue *q, bool *want_event)
{
	bool busy = vif_tx_pass(q, want_event);

	MUST_HOLD(q == current->q);
	if (busy) {
		current->idle = current->naps = 0;
		MUST_HOLD(current->busy++ < MAX_BUSY);
	} else {
		MUST_HOLD(current->idle++ < MAX_IDLE);
	}
	return busy;
}

static bool step_rx_pass(struct vif_queue *q, bool *want_event)
{
	bool busy = vif_rx_pass(q, want_event);

	if (busy) {
		current->idle = current->naps = 0;
		MUST_HOLD(current->busy++ < MAX_BUSY);
	}
	return busy;
}

static int step_create(pthread_t *ret, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
	struct thread *t = thread_of(NULL);

	(void)attr, (void)f;
	if (!step_may_create())
		return EAGAIN;
	MUST_HOLD(t);
	*t = (struct thread){ .q = arg };
	*ret = 0;
	return 0;
}

/*
 * Arenas are kept for the next input: to get and give back so much memory takes longer than
 * most inputs do.
 */
static uint8_t *arenas[4 * WORKER_MAX_VIF_QUEUES];
static unsigned int nr_arenas;

static void keep_arena(uint8_t **arena)
{
	if (*arena && nr_arenas < ELEMENTSOF(arenas)) {
		ASAN_POISON_MEMORY_REGION(*arena, VIF_ARENA_SIZE);
		arenas[nr_arenas++] = *arena;
		*arena = NULL;
	}
}

static bool kept_arena(uint8_t **ret)
{
	if (!nr_arenas)
		return false;
	*ret = arenas[--nr_arenas];
	ASAN_UNPOISON_MEMORY_REGION(*ret, VIF_ARENA_SIZE);
	return true;
}

static int step_tx_init(struct vif_queue *q)
{
	return kept_arena(&q->tx.arena) ? 0 : vif_tx_init(q);
}

static int step_rx_init(struct vif_queue *q)
{
	return kept_arena(&q->rx.arena) ? 0 : vif_rx_init(q);
}

static void step_tx_free(struct vif_queue *q)
{
	keep_arena(&q->tx.arena);
	vif_tx_free(q);
}

static void step_rx_free(struct vif_queue *q)
{
	keep_arena(&q->rx.arena);
	vif_rx_free(q);
}

/* Two processors: on one nobody polls. */
static int step_getaffinity(pid_t pid, size_t size, cpu_set_t *ret)
{
	(void)pid;
	CPU_ZERO_S(size, ret);
	CPU_SET_S(0, size, ret);
	CPU_SET_S(1, size, ret);
	return 0;
}

static int step_join(struct vif_queue *q);
static int step_wait(pthread_cond_t *cond, pthread_mutex_t *lock);

#define clock_gettime             step_gettime
#define sched_getaffinity         step_getaffinity
#define ppoll                     step_ppoll
#define prctl(...)                ((void)0)
#define pthread_create            step_create
#define pthread_join(thread, ret) step_join(q)
#define pthread_cond_wait         step_wait
#define vif_tx_pass               step_tx_pass
#define vif_rx_pass               step_rx_pass
#define vif_tx_init               step_tx_init
#define vif_rx_init               step_rx_init
#define vif_tx_free               step_tx_free
#define vif_rx_free               step_rx_free
#include "worker/vif-queue.c"
#undef pthread_cond_wait

static int step_join(struct vif_queue *q)
{
	struct thread *t = thread_of(q);

	MUST_HOLD(t && atomic_load(&q->stopping));
	if (!t->ended)
		thread_main(q);
	*t = (struct thread){ 0 };
	return 0;
}

/* In vif_queue_call(): only the thread of the queue can end the wait. */
static int step_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	struct vif_queue *q =
		(struct vif_queue *)((uint8_t *)cond - offsetof(struct vif_queue, call_done));

	pthread_mutex_unlock(lock);
	MUST_HOLD(step_queue(q));
	pthread_mutex_lock(lock);
	return 0;
}

bool step_queue(struct vif_queue *q)
{
	struct thread *t = thread_of(q);

	if (!t || t->ended)
		return false;
	if (t->asleep && clock_ns < t->until && poll(t->fds, 3, 0) == 0)
		return false;
	t->asleep = false;
	t->idle = t->naps = t->busy = 0;
	atomic_store(&q->asleep, false);
	MUST_HOLD(!current);
	current = t;
	serve(q);
	current = NULL;
	if (t->paused) {
		t->paused = false;
		t->asleep = true;
		atomic_store(&q->asleep, true);
		atomic_store(&q->stopping, false);
	} else {
		thread_main(q);
		t->ended = true;
	}
	return true;
}

unsigned int step_running(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < WORKER_MAX_VIF_QUEUES; i++)
		n += threads[i].q && !threads[i].ended;
	return n;
}

uint64_t step_deadline(void)
{
	uint64_t first = UINT64_MAX;

	for (unsigned int i = 0; i < WORKER_MAX_VIF_QUEUES; i++) {
		const struct thread *t = &threads[i];

		if (t->q && !t->ended && t->asleep && t->until < first)
			first = t->until;
	}
	return first;
}

void step_reset(void)
{
	create_fails = 0;
	clock_ns = BEGIN_NS;
	for (unsigned int i = 0; i < WORKER_MAX_VIF_QUEUES; i++)
		MUST_HOLD(!threads[i].q);
}
