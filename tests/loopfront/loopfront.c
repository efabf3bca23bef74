/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "loop-msg.h"
#include "loopfront.h"

#define PAGE       4096
#define GNT_FRAMES 16
#define N_GRANTS   (GNT_FRAMES * PAGE / sizeof(struct grant_entry_v1))
#define FIRST_REF  8 /* GNTTAB_NR_RESERVED_ENTRIES */
#define MIN_PAGES  80

/* Frame 0 stays empty; then come the shared area, the grant table and the store page. */
#define SHARED_FRAME 1
#define GNT_FRAME    (SHARED_FRAME + LOOP_SHARED_PAGES)
#define STORE_FRAME  (GNT_FRAME + GNT_FRAMES)
#define FREE_FRAME   (STORE_FRAME + 1)

struct loopfront {
	uint32_t domid;
	int control; /* keeps nothing alive; used for loop_call() only */
	int sock;    /* being the domain */
	int mem_fd, upcall_fd;
	uint8_t *mem;
	size_t pages, next_frame;
	struct loop_shared *shared;
	struct grant_entry_v1 *table;
	uint32_t next_ref;
	uint32_t free_ref[N_GRANTS];
	size_t n_free_ref;

	/* Serves the hub and the upcall pipe. */
	pthread_t thread;
	int stop_fd;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t raised;
	int handle_fd[LOOP_NR_PORTS]; /* pipe of whoever bound the port, or -1 */
	uint32_t local[LOOP_NR_PORTS];
	bool event[LOOP_NR_PORTS];
};

static void handle_bound(struct loopfront *lf, struct loop_msg *msg, int fds[])
{
	uint32_t port = msg->port;

	pthread_mutex_lock(&lf->lock);
	if (port < LOOP_NR_PORTS && lf->shared->port[port].state == LOOP_PORT_OPEN &&
	    lf->shared->port[port].gen == msg->gen && fds[0] >= 0) {
		if (lf->handle_fd[port] >= 0)
			close(lf->handle_fd[port]);
		lf->handle_fd[port] = fds[0];
		lf->local[port] = (uint32_t)msg->arg[0];
		fds[0] = -1;
		msg->result = 0;
	} else {
		msg->result = -EINVAL;
	}
	pthread_mutex_unlock(&lf->lock);
}

static void handle_unbound(struct loopfront *lf, struct loop_msg *msg)
{
	uint32_t port = msg->port;

	pthread_mutex_lock(&lf->lock);
	if (port < LOOP_NR_PORTS && lf->shared->port[port].gen == msg->gen &&
	    lf->handle_fd[port] >= 0) {
		close(lf->handle_fd[port]);
		lf->handle_fd[port] = -1;
	}
	pthread_mutex_unlock(&lf->lock);
}

static bool serve_hub(struct loopfront *lf)
{
	struct loop_msg msg;
	int fds[LOOP_MAX_FDS], r;

	while ((r = loop_recv(lf->sock, &msg, fds, NULL, MSG_DONTWAIT)) == 0) {
		if (msg.op == LOOP_BOUND)
			handle_bound(lf, &msg, fds);
		else if (msg.op == LOOP_UNBOUND)
			handle_unbound(lf, &msg);
		if (msg.op == LOOP_BOUND || msg.op == LOOP_UNBOUND)
			loop_send(lf->sock, &msg, NULL, 0);
		loop_close_fds(fds);
	}
	return r == -EAGAIN;
}

static void serve_upcall(struct loopfront *lf)
{
	char buf[64];

	while (read(lf->upcall_fd, buf, sizeof(buf)) > 0)
		;
	while (__atomic_exchange_n(&lf->shared->upcall, 0, __ATOMIC_SEQ_CST)) {
		pthread_mutex_lock(&lf->lock);
		for (uint32_t w = 0; w < LOOP_NR_PORTS / 64; w++) {
			uint64_t bits =
				__atomic_exchange_n(&lf->shared->pending[w], 0, __ATOMIC_SEQ_CST);

			for (; bits; bits &= bits - 1)
				lf->event[w * 64 + (uint32_t)__builtin_ctzll(bits)] = true;
		}
		pthread_cond_broadcast(&lf->raised);
		pthread_mutex_unlock(&lf->lock);
	}
}

static void *serve(void *p)
{
	struct loopfront *lf = p;
	struct pollfd pfd[] = { { .fd = lf->stop_fd, .events = POLLIN },
				{ .fd = lf->upcall_fd, .events = POLLIN },
				{ .fd = lf->sock, .events = POLLIN } };

	for (;;) {
		if (poll(pfd, 3, -1) < 0 && errno != EINTR)
			return NULL;
		if (pfd[0].revents)
			return NULL;
		if (pfd[1].revents)
			serve_upcall(lf);
		if (pfd[2].revents && !serve_hub(lf))
			return NULL;
	}
}

static int wait_for_flag(struct loopfront *lf, uint32_t flag)
{
	const struct timespec pause = { .tv_nsec = 200000 };

	for (int i = 0; i < 25000; i++) {
		struct loop_msg msg = { .op = LOOP_INFO, .domid = lf->domid };
		int r = loop_call(lf->control, &msg, NULL);

		if (r < 0)
			return r;
		if (msg.arg[0] & LOOP_DOM_DEAD)
			return -EINVAL;
		if (msg.arg[0] & flag)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

static int start_domain(struct loopfront *lf)
{
	struct loop_msg msg = { .op = LOOP_CREATE };
	int fds[LOOP_MAX_FDS], r;

	r = loop_call(lf->control, &msg, fds);
	if (r < 0)
		return r;
	lf->domid = msg.domid;
	lf->sock = fds[0];

	msg = (struct loop_msg){ .op = LOOP_REGISTER };
	msg.arg[0] = lf->pages * PAGE;
	msg.arg[1] = SHARED_FRAME;
	msg.arg[2] = GNT_FRAME;
	msg.arg[3] = GNT_FRAMES;
	msg.arg[4] = STORE_FRAME;
	r = loop_send(lf->sock, &msg, &lf->mem_fd, 1);
	if (r == 0)
		r = wait_for_flag(lf, LOOP_DOM_REGISTERED);
	if (r < 0)
		return r;

	msg = (struct loop_msg){ .op = LOOP_UNPAUSE, .domid = lf->domid };
	r = loop_call(lf->control, &msg, NULL);
	if (r == 0)
		r = loop_recv(lf->sock, &msg, fds, NULL, 0);
	if (r < 0)
		return r;
	if (msg.op != LOOP_START || fds[0] < 0) {
		loop_close_fds(fds);
		return -EPROTO;
	}
	lf->upcall_fd = fds[0];
	return 0;
}

int loopfront_open(const char *socket, size_t pages, struct loopfront **ret)
{
	struct loopfront *lf = calloc(1, sizeof(*lf));
	void *mem;
	int r;

	if (!lf)
		return -ENOMEM;
	lf->sock = lf->mem_fd = lf->upcall_fd = lf->control = lf->stop_fd = -1;
	pthread_mutex_init(&lf->lock, NULL);
	pthread_cond_init(&lf->raised, NULL);
	for (uint32_t i = 0; i < LOOP_NR_PORTS; i++)
		lf->handle_fd[i] = -1;
	lf->pages = pages < MIN_PAGES ? MIN_PAGES : pages;
	lf->next_frame = FREE_FRAME;
	lf->next_ref = FIRST_REF;

	lf->control = loop_connect(socket);
	if (lf->control < 0) {
		r = lf->control;
		goto fail;
	}
	lf->mem_fd = memfd_create("loopfront", MFD_CLOEXEC);
	lf->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (lf->mem_fd < 0 || lf->stop_fd < 0 ||
	    ftruncate(lf->mem_fd, (off_t)(lf->pages * PAGE)) < 0) {
		r = -errno;
		goto fail;
	}
	mem = mmap(NULL, lf->pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, lf->mem_fd, 0);
	if (mem == MAP_FAILED) {
		r = -errno;
		goto fail;
	}
	lf->mem = mem;
	lf->shared = mem + SHARED_FRAME * PAGE;
	lf->table = mem + GNT_FRAME * PAGE;
	r = start_domain(lf);
	if (r == 0)
		r = -pthread_create(&lf->thread, NULL, serve, lf);
	if (r < 0)
		goto fail;
	*ret = lf;
	return 0;
fail:
	if (lf->mem)
		munmap(lf->mem, lf->pages * PAGE);
	for (size_t i = 0; i < 5; i++) {
		int fd =
			(int[]){ lf->sock, lf->mem_fd, lf->upcall_fd, lf->control, lf->stop_fd }[i];

		if (fd >= 0)
			close(fd);
	}
	free(lf);
	return r;
}

void loopfront_close(struct loopfront *lf)
{
	const uint64_t one = 1;

	if (!lf)
		return;
	while (write(lf->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(lf->thread, NULL);
	for (uint32_t i = 0; i < LOOP_NR_PORTS; i++) {
		if (lf->handle_fd[i] >= 0)
			close(lf->handle_fd[i]);
	}
	munmap(lf->mem, lf->pages * PAGE);
	close(lf->sock);
	close(lf->mem_fd);
	close(lf->upcall_fd);
	close(lf->control);
	close(lf->stop_fd);
	free(lf);
}

uint32_t loopfront_domid(const struct loopfront *lf)
{
	return lf->domid;
}

int64_t loopfront_alloc(struct loopfront *lf, size_t n)
{
	size_t frame = lf->next_frame;

	if (n > lf->pages - frame)
		return -ENOSPC;
	lf->next_frame += n;
	return (int64_t)frame;
}

void *loopfront_page(struct loopfront *lf, uint64_t frame)
{
	return frame < lf->pages ? lf->mem + frame * PAGE : NULL;
}

void loopfront_grant_raw(struct loopfront *lf, uint32_t ref, uint16_t flags, uint16_t domid,
			 uint32_t frame)
{
	struct grant_entry_v1 *entry = &lf->table[ref % N_GRANTS];

	__atomic_store_n(&entry->flags, 0, __ATOMIC_SEQ_CST);
	entry->frame = frame;
	entry->domid = domid;
	__atomic_store_n(&entry->flags, flags, __ATOMIC_SEQ_CST);
}

int64_t loopfront_grant(struct loopfront *lf, uint64_t frame, bool readonly)
{
	uint32_t ref;

	if (lf->n_free_ref)
		ref = lf->free_ref[--lf->n_free_ref];
	else if (lf->next_ref < N_GRANTS)
		ref = lf->next_ref++;
	else
		return -ENOSPC;
	loopfront_grant_raw(lf, ref, GTF_permit_access | (readonly ? GTF_readonly : 0),
			    LOOP_HOST_DOMID, (uint32_t)frame);
	return ref;
}

uint16_t loopfront_grant_use(struct loopfront *lf, uint32_t ref)
{
	return __atomic_load_n(&lf->table[ref % N_GRANTS].flags, __ATOMIC_SEQ_CST) &
	       (GTF_reading | GTF_writing);
}

int loopfront_revoke(struct loopfront *lf, uint32_t ref)
{
	uint16_t *flags, old;

	if (ref < FIRST_REF || ref >= N_GRANTS)
		return -EINVAL;
	flags = &lf->table[ref].flags;
	old = __atomic_load_n(flags, __ATOMIC_SEQ_CST);
	do {
		if (old & (GTF_reading | GTF_writing))
			return -EBUSY;
	} while (!__atomic_compare_exchange_n(flags, &old, 0, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	lf->free_ref[lf->n_free_ref++] = ref;
	return 0;
}

int loopfront_evtchn_alloc(struct loopfront *lf)
{
	int r = -ENOSPC;

	pthread_mutex_lock(&lf->lock);
	for (uint32_t i = 1; i < LOOP_NR_PORTS; i++) {
		struct loop_port *port = &lf->shared->port[i];

		if (port->state != LOOP_PORT_FREE)
			continue;
		lf->event[i] = false;
		port->out = 0;
		port->remote = LOOP_HOST_DOMID;
		port->gen++;
		__atomic_store_n(&port->state, LOOP_PORT_OPEN, __ATOMIC_SEQ_CST);
		r = (int)i;
		break;
	}
	pthread_mutex_unlock(&lf->lock);
	return r;
}

int loopfront_evtchn_close(struct loopfront *lf, uint32_t port)
{
	struct loop_msg msg = { .op = LOOP_CLOSED, .port = port };

	if (port == 0 || port >= LOOP_NR_PORTS)
		return -EINVAL;
	pthread_mutex_lock(&lf->lock);
	msg.gen = lf->shared->port[port].gen;
	__atomic_store_n(&lf->shared->port[port].state, LOOP_PORT_FREE, __ATOMIC_SEQ_CST);
	if (lf->handle_fd[port] >= 0) {
		close(lf->handle_fd[port]);
		lf->handle_fd[port] = -1;
	}
	pthread_mutex_unlock(&lf->lock);
	return loop_send(lf->sock, &msg, NULL, 0);
}

bool loopfront_evtchn_bound(struct loopfront *lf, uint32_t port)
{
	bool bound;

	pthread_mutex_lock(&lf->lock);
	bound = port < LOOP_NR_PORTS && lf->handle_fd[port] >= 0;
	pthread_mutex_unlock(&lf->lock);
	return bound;
}

int loopfront_notify(struct loopfront *lf, uint32_t port)
{
	struct loop_port *p;
	uint8_t old;
	int r = 0;

	if (port == 0 || port >= LOOP_NR_PORTS)
		return -EINVAL;
	p = &lf->shared->port[port];
	__atomic_add_fetch(&lf->shared->sends, 1, __ATOMIC_RELAXED);
	old = __atomic_load_n(&p->out, __ATOMIC_SEQ_CST);
	do {
		if (old == 2)
			return 0;
	} while (!__atomic_compare_exchange_n(&p->out, &old, old + 1, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	if (old)
		return 0;
	__atomic_add_fetch(&lf->shared->wakeups, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&lf->lock);
	if (lf->handle_fd[port] >= 0 &&
	    write(lf->handle_fd[port], &lf->local[port], sizeof(uint32_t)) < 0)
		r = -errno;
	pthread_mutex_unlock(&lf->lock);
	return r;
}

int loopfront_wait(struct loopfront *lf, uint32_t port, int timeout_ms)
{
	struct timespec until;
	int r = 0;

	if (port == 0 || port >= LOOP_NR_PORTS)
		return -EINVAL;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&lf->lock);
	while (!lf->event[port] && r == 0)
		r = pthread_cond_timedwait(&lf->raised, &lf->lock, &until);
	if (lf->event[port]) {
		lf->event[port] = false;
		r = 0;
	}
	pthread_mutex_unlock(&lf->lock);
	return -r;
}
