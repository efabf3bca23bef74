/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread of a queue: when to look, when to sleep, when to end. */
#include "worker/vif-queue.h"

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
#include "worker/vif-io.h"

#define LOG_BURST       10 /* lines about one queue ... */
#define LOG_PERIOD      5  /* ... in so many seconds */
#define TX_EVENT_PASSES 4  /* after which the guest hears that its packets have been sent */
#define NO_NOTIFY_MS    5  /* a frontend that sends no events for receive requests is looked at */
#define NS_PER_MS       UINT64_C(1000000)
#define NS_PER_SECOND   UINT64_C(1000000000)

uint64_t vif_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

bool vif_may_log(struct vif_queue *q)
{
	uint64_t now = vif_now();

	if (now - q->log_refilled >= LOG_PERIOD * NS_PER_SECOND) {
		if (q->log_suppressed)
			log_full(LOG_WARNING, &q->common->about, 0,
				 "queue %u: %llu more lines like these were left out", q->number,
				 (unsigned long long)q->log_suppressed);
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

void vif_fail(struct vif_queue *q, const char *fmt, ...)
{
	struct vif_common *c = q->common;
	char text[WORKER_ERROR_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	q->failed = true;
	log_full(LOG_ERR, &c->about, 0, "queue %u: stopped: %s", q->number, text);
	c->failed(c->arg, q->number, -EPROTO, text);
}

struct tap_batch *vif_batch(struct vif_queue *q)
{
	const struct log_about *about = &q->common->about;
	int r;

	if (q->no_batch)
		return NULL;
	if (!q->batch) {
		r = tap_batch_new(&q->batch);
		if (r < 0) {
			q->no_batch = true;
			if (!atomic_exchange(&q->common->said_single, true))
				log_full(LOG_INFO, about, r,
					 "packets pass the tap one by one, without an io_uring: "
					 "%m");
			return NULL;
		}
	}
	if (tap_batch_broken(q->batch)) {
		q->no_batch = true;
		log_full(LOG_WARNING, about, 0,
			 "queue %u: an io_uring failed; packets pass the tap one by one from now "
			 "on",
			 q->number);
		return NULL;
	}
	return q->batch;
}

void vif_kick(struct vif_queue *q)
{
	eventfd_write(q->wake, 1);
}

static void take_call(struct vif_queue *q)
{
	if (!atomic_load_explicit(&q->called, memory_order_acquire))
		return;
	pthread_mutex_lock(&q->call_lock);
	if (q->call) {
		q->call(q, q->call_arg);
		q->call = NULL;
		atomic_store(&q->called, false);
		pthread_cond_signal(&q->call_done);
	}
	pthread_mutex_unlock(&q->call_lock);
}

void vif_queue_call(struct vif_queue *q, void (*f)(struct vif_queue *q, void *arg), void *arg)
{
	pthread_mutex_lock(&q->call_lock);
	if (!q->running) {
		f(q, arg);
	} else {
		q->call = f;
		q->call_arg = arg;
		atomic_store(&q->called, true);
		vif_kick(q);
		while (q->call)
			pthread_cond_wait(&q->call_done, &q->call_lock);
	}
	pthread_mutex_unlock(&q->call_lock);
}

struct vif_grants *vif_queue_grants(struct vif_queue *q)
{
	return &q->grants;
}

struct vif_hash *vif_queue_hash(struct vif_queue *q)
{
	return &q->hash;
}

/* Of one port: another one that is pending ends the next sleep at once, and is rare. */
static void take_event(struct vif_queue *q)
{
	int port = host_evtchn_pending(q->evtchn);

	if (port < 0)
		return;
	VIF_STAT_ADD(q, events_received, 1);
	if (port == q->tx_port)
		q->tx_masked = true;
	else if (port == q->rx_port)
		q->rx_masked = true;
	else
		host_evtchn_unmask(q->evtchn, (uint32_t)port);
}

static void unmask(struct vif_queue *q)
{
	if (q->tx_masked)
		host_evtchn_unmask(q->evtchn, (uint32_t)q->tx_port);
	if (q->rx_masked)
		host_evtchn_unmask(q->evtchn, (uint32_t)q->rx_port);
	q->tx_masked = q->rx_masked = false;
}

static void notify(struct vif_queue *q, bool tx, bool rx)
{
	if (tx || (rx && q->rx_port == q->tx_port)) {
		host_evtchn_notify(q->evtchn, (uint32_t)q->tx_port);
		VIF_STAT_ADD(q, events_sent, 1);
	}
	if (rx && q->rx_port != q->tx_port) {
		host_evtchn_notify(q->evtchn, (uint32_t)q->rx_port);
		VIF_STAT_ADD(q, events_sent, 1);
	}
}

/* Get ready to sleep, and to be woken by events. False: there is work after all. */
static bool arm(struct vif_queue *q)
{
	int n;

	if (!q->deaf) {
		unmask(q);
		/* with a batch in hand the ring is not looked at */
		if (!q->tx.nr_packets && !q->tx.hold && ring_arm(&q->tx.ring) != 0)
			return false;
	}
	if (vif_rx_waits(q)) {
		n = ring_arm_for(&q->rx.ring, q->rx.need);
		if (n < 0 || (uint32_t)n >= q->rx.need)
			return false;
	}
	return !atomic_load(&q->called) && !atomic_load(&q->stopping) &&
	       (vif_rx_waits(q) ||
		(!atomic_load(&q->inbox.count) && !vif_stage_left(&q->rx.stage)));
}

/* Until when to sleep at most: ns from now, or UINT64_MAX. */
static uint64_t longest_sleep(const struct vif_queue *q)
{
	uint64_t until = q->deaf ?: UINT64_MAX, now, end;
	/* with a batch in hand what follows is held anyway, until the tap takes it */
	bool held = q->tx.hold && !q->tx.nr_packets;

	if (!held && !vif_rx_waits(q))
		return until;
	now = vif_now();
	if (held) {
		end = q->tx.hold > now ? q->tx.hold - now : 0;
		if (end < until)
			until = end;
	}
	if (vif_rx_waits(q)) {
		end = q->rx.wait_since + VIF_STALL_MS * NS_PER_MS;
		end = end > now ? end - now : 0;
		if (!q->common->rx_notify && end > NO_NOTIFY_MS * NS_PER_MS)
			end = NO_NOTIFY_MS * NS_PER_MS;
		if (end < until)
			until = end;
	}
	return until;
}

static void nap(struct vif_queue *q)
{
	bool listen = !vif_rx_waits(q) && !q->deaf;
	short tap = (short)((listen ? POLLIN : 0) | (q->tx.blocked ? POLLOUT : 0));
	struct pollfd p[3] = {
		{ .fd = q->deaf ? -1 : host_evtchn_fd(q->evtchn), .events = POLLIN },
		{ .fd = q->wake, .events = POLLIN },
		{ .fd = tap && !q->tap_gone ? q->tap : -1, .events = tap },
	};
	uint64_t ns = longest_sleep(q);
	struct timespec ts = { .tv_sec = (time_t)(ns / NS_PER_SECOND),
			       .tv_nsec = (long)(ns % NS_PER_SECOND) };
	eventfd_t ignored;

	ppoll(p, ELEMENTSOF(p), ns == UINT64_MAX ? NULL : &ts, NULL);
	if (p[0].revents)
		take_event(q);
	if (p[1].revents)
		eventfd_read(q->wake, &ignored);
	q->rx.quiet = listen && !p[2].revents;
	ring_disarm(&q->tx.ring);
	/* a device that is gone says so for ever, and reading tells it apart */
	if (p[2].revents & (POLLERR | POLLHUP) && !(p[2].revents & POLLIN))
		q->tap_gone = true;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static bool pass(struct vif_queue *q)
{
	bool tx_event = false, rx_event = false, busy;

	take_call(q);
	busy = vif_tx_pass(q, &tx_event);
	if (!q->failed)
		busy |= vif_rx_pass(q, &rx_event);
	/*
	 * That its packets have been sent the guest learns once for several passes: it waits
	 * for that only when it has no room left, and then there is nothing to do here.
	 */
	if (tx_event && !q->tx_owed)
		q->tx_owed = 1;
	tx_event = q->tx_owed && (!busy || q->tx_owed++ == TX_EVENT_PASSES);
	if (tx_event || (rx_event && q->rx_port == q->tx_port))
		q->tx_owed = 0;
	if (tx_event || rx_event)
		notify(q, tx_event, rx_event);
	return busy;
}

/* What the next sleep listens to. Once for each. */
static void choose(struct vif_queue *q, uint64_t now)
{
	if (q->chosen)
		return;
	q->chosen = true;
	q->deaf = moderate_next(&q->moderate, q->taken, now - q->woken, q->slept);
	/* what is in hand waits for what only events tell */
	if (vif_rx_waits(q) || q->tx.nr_packets)
		q->deaf = 0;
	q->taken = 0;
}

/* Sleep from @now, which the thread found nothing to do at since @idle_since. */
static void sleep_on(struct vif_queue *q, uint64_t now, uint64_t idle_since)
{
	if (q->tx_owed)
		notify(q, true, false);
	q->tx_owed = 0;
	if (q->deaf)
		VIF_STAT_ADD(q, delays, 1);
	nap(q);
	q->woken = vif_now();
	q->slept = q->woken - now;
	q->chosen = false;
	poller_learn(&q->poller, q->woken - idle_since, true);
}

static void serve(struct vif_queue *q)
{
	uint64_t idle_since = 0, now;

	q->woken = vif_now();
	while (!q->failed && !atomic_load_explicit(&q->stopping, memory_order_relaxed)) {
		/* the tap tells when there is more, and arm() looks into the ring */
		if (pass(q) && (q->poller.window || !q->rx.drained)) {
			if (idle_since) {
				VIF_STAT_ADD(q, polls, 1);
				poller_learn(&q->poller, vif_now() - idle_since, false);
				idle_since = 0;
			}
			continue;
		}
		now = vif_now();
		if (!idle_since)
			idle_since = now;
		if (now - idle_since < q->poller.window) {
			cpu_relax();
			continue;
		}
		choose(q, now);
		atomic_store(&q->asleep, true);
		if (arm(q) && !q->failed) {
			sleep_on(q, now, idle_since);
			idle_since = 0;
		}
		atomic_store(&q->asleep, false);
	}
}

/* Let go of everything that is the guest's. Repeating it does nothing. */
static void let_go(struct vif_queue *q)
{
	struct host_gnt *gnt = q->common->gnt;

	for (uint32_t i = 0; i < VIF_GRANTS_MAX; i++) {
		if (q->grants.grant[i].addr)
			host_gnt_unmap(gnt, q->grants.grant[i].addr, 1);
	}
	vif_grants_init(&q->grants);
	if (q->rx_port >= 0 && q->rx_port != q->tx_port)
		host_evtchn_unbind(q->evtchn, (uint32_t)q->rx_port);
	if (q->tx_port >= 0)
		host_evtchn_unbind(q->evtchn, (uint32_t)q->tx_port);
	q->tx_port = q->rx_port = -1;
	host_evtchn_close(q->evtchn);
	q->evtchn = NULL;
	if (q->tx_page)
		host_gnt_unmap(gnt, q->tx_page, 1);
	if (q->rx_page)
		host_gnt_unmap(gnt, q->rx_page, 1);
	q->tx_page = q->rx_page = NULL;
}

static void *thread_main(void *arg)
{
	struct vif_queue *q = arg;
	char name[16];

	/* cut short where it does not fit */
	(void)!snprintf(name, sizeof(name), "vif%u-q%u", q->common->about.devid & 0xffffff,
			q->number & 7);
	prctl(PR_SET_NAME, name);
	serve(q);

	pthread_mutex_lock(&q->call_lock);
	q->running = false;
	pthread_mutex_unlock(&q->call_lock);
	take_call(q);
	return NULL;
}

static int map_ring(struct vif_queue *q, uint32_t ref, void **ret)
{
	return host_gnt_map(q->common->gnt, &ref, 1, PROT_READ | PROT_WRITE, ret);
}

static int bind_ports(struct vif_queue *q)
{
	uint32_t domid = q->common->about.domid;
	int r;

	r = host_evtchn_bind(q->evtchn, domid, q->rings.tx_evtchn);
	if (r < 0)
		return r;
	q->tx_port = q->rx_port = r;
	if (q->rings.rx_evtchn == q->rings.tx_evtchn)
		return 0;
	r = host_evtchn_bind(q->evtchn, domid, q->rings.rx_evtchn);
	if (r < 0)
		return r;
	q->rx_port = r;
	return 0;
}

int vif_queue_new(struct vif_common *common, uint32_t number, const struct worker_vif_queue *rings,
		  int evtchn_fd, int tap_fd, struct vif_counts *counts, struct vif_queue **ret,
		  const char **ret_why)
{
	struct vif_queue *q;
	cpu_set_t cpus;
	int r;

	*ret_why = "out of memory";
	q = calloc(1, sizeof(*q));
	if (!q) {
		close(evtchn_fd);
		return -ENOMEM;
	}
	q->common = common;
	q->number = number;
	q->rings = *rings;
	q->tap = tap_fd;
	q->counts = counts;
	q->tx_port = q->rx_port = -1;
	q->wake = -1;
	pthread_mutex_init(&q->call_lock, NULL);
	pthread_cond_init(&q->call_done, NULL);
	vif_grants_init(&q->grants);
	vif_inbox_init(&q->inbox);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		CPU_ZERO(&cpus);
	moderate_init(&q->moderate);
	poller_init(&q->poller, common->poll_us, (unsigned int)CPU_COUNT(&cpus));

	*ret_why = "cannot use the event channel descriptor";
	r = host_evtchn_fdopen(evtchn_fd, &q->evtchn);
	if (r < 0)
		goto fail;
	*ret_why = "cannot map the transmit ring";
	r = map_ring(q, rings->tx_ref, &q->tx_page);
	if (r < 0)
		goto fail;
	*ret_why = "cannot map the receive ring";
	r = map_ring(q, rings->rx_ref, &q->rx_page);
	if (r < 0)
		goto fail;
	*ret_why = "cannot bind the event channels";
	r = bind_ports(q);
	if (r < 0)
		goto fail;
	*ret_why = "out of memory or descriptors";
	q->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = q->wake < 0 ? -errno : vif_tx_init(q);
	if (r == 0)
		r = vif_rx_init(q);
	if (r < 0)
		goto fail;
	*ret = q;
	return 0;

fail:
	vif_queue_free(q);
	return r;
}

/* Go on where the responses stand: what was not answered is carried (again). */
static int attach_ring(struct ring *ring, void *page, const struct abi *abi, struct ring_undo *undo,
		       bool known)
{
	uint32_t at = ring_shared_rsp_prod(page);
	int r = ring_attach(ring, page, 1, abi, at, at);

	if (r == 0)
		r = ring_pending(ring);
	if (r >= 0)
		ring_keep_undo(ring, undo, known);
	return r;
}

int vif_queue_run(struct vif_queue *q, bool reattach, bool known, const char **ret_why)
{
	struct vif_state_rings *undo = vif_state_rings(&q->common->state, q->number);
	int r;

	*ret_why = "the transmit ring has a request index that cannot be";
	r = attach_ring(&q->tx.ring, q->tx_page, &vif_abi_tx, &undo->tx, known);
	if (r < 0)
		return r;
	*ret_why = "the receive ring has a request index that cannot be";
	r = attach_ring(&q->rx.ring, q->rx_page, &vif_abi_rx, &undo->rx, known);
	if (r < 0)
		return r;
	if (reattach)
		/* the last worker may have published responses and not lived to say so */
		notify(q, true, true);

	*ret_why = "cannot start its thread";
	q->running = true;
	r = pthread_create(&q->thread, NULL, thread_main, q);
	if (r) {
		q->running = false;
		return -r;
	}
	q->started = true;
	return 0;
}

void vif_queue_stop(struct vif_queue *q)
{
	atomic_store(&q->stopping, true);
	vif_kick(q);
}

void vif_queue_join(struct vif_queue *q)
{
	if (!q->started)
		return;
	vif_queue_stop(q);
	pthread_join(q->thread, NULL);
	q->started = false;
}

void vif_queue_free(struct vif_queue *q)
{
	if (!q)
		return;
	vif_queue_join(q);
	let_go(q);
	tap_batch_free(q->batch);
	vif_tx_free(q);
	vif_rx_free(q);
	vif_inbox_free(&q->inbox);
	if (q->wake >= 0)
		close(q->wake);
	pthread_cond_destroy(&q->call_done);
	pthread_mutex_destroy(&q->call_lock);
	free(q);
}
