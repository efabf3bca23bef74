/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels without a hypervisor. The hub makes the introductions; raising,
 * taking and unmasking an event touch only memory and pipes shared with the domain.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "loop-msg.h"

/* A domain that ports of this handle are bound to. */
struct peer {
	struct peer *next;
	uint32_t domid;
	unsigned int refs; /* ports bound */
	struct loop_shared *shared;
	struct loop_domain *dom;
	int upcall_fd;
};

struct binding {
	struct peer *peer; /* NULL: free, or a VIRQ */
	uint32_t port;     /* of the peer */
	uint32_t gen;
	bool bound;
};

struct host_evtchn {
	int sock;
	int rfd, wfd; /* our pipe of local ports */
	struct peer *peers;
	struct binding *bindings; /* by local port */
	uint32_t n_bindings;
};

int host_evtchn_open(void)
{
	return loop_connect(NULL);
}

int host_evtchn_fdopen(int fd, struct host_evtchn **ret)
{
	struct loop_msg msg = { .op = LOOP_EVTCHN_ATTACH };
	struct host_evtchn *ev = calloc(1, sizeof(*ev));
	int fds[LOOP_MAX_FDS], r;

	if (!ev) {
		r = -ENOMEM;
		goto fail;
	}
	r = loop_call(fd, &msg, fds);
	if (r < 0)
		goto fail;
	if (fds[0] < 0 || fds[1] < 0) {
		loop_close_fds(fds);
		r = -EIO;
		goto fail;
	}
	ev->sock = fd;
	ev->rfd = fds[0];
	ev->wfd = fds[1];
	*ret = ev;
	return 0;
fail:
	free(ev);
	close(fd);
	return r;
}

static void put_peer(struct host_evtchn *ev, struct peer *peer)
{
	struct peer **link = &ev->peers;

	if (--peer->refs > 0)
		return;
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	munmap(peer->shared, LOOP_SHARED_PAGES << HOST_PAGE_SHIFT);
	munmap(peer->dom, sizeof(*peer->dom));
	close(peer->upcall_fd);
	free(peer);
}

void host_evtchn_close(struct host_evtchn *ev)
{
	if (!ev)
		return;
	for (uint32_t i = 0; i < ev->n_bindings; i++) {
		if (ev->bindings[i].peer)
			put_peer(ev, ev->bindings[i].peer);
	}
	free(ev->bindings);
	close(ev->rfd);
	close(ev->wfd);
	close(ev->sock);
	free(ev);
}

int host_evtchn_fd(struct host_evtchn *ev)
{
	return ev->rfd;
}

/* Find or make the peer; takes the descriptors out of @fds that it keeps. */
static int get_peer(struct host_evtchn *ev, const struct loop_msg *msg, int fds[LOOP_MAX_FDS],
		    struct peer **ret)
{
	uint64_t where = msg->arg[1] << HOST_PAGE_SHIFT;
	size_t size = LOOP_SHARED_PAGES << HOST_PAGE_SHIFT;
	struct peer *peer;
	void *shared, *dom;

	for (peer = ev->peers; peer; peer = peer->next) {
		if (peer->domid == msg->domid)
			goto found;
	}
	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0 || where > msg->arg[0] ||
	    msg->arg[0] - where < size)
		return -EIO;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return -ENOMEM;
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], (off_t)where);
	dom = mmap(NULL, sizeof(*peer->dom), PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	if (shared == MAP_FAILED || dom == MAP_FAILED) {
		if (shared != MAP_FAILED)
			munmap(shared, size);
		if (dom != MAP_FAILED)
			munmap(dom, sizeof(*peer->dom));
		free(peer);
		return -ENOMEM;
	}
	peer->domid = msg->domid;
	peer->shared = shared;
	peer->dom = dom;
	peer->upcall_fd = fds[2];
	fds[2] = -1;
	peer->next = ev->peers;
	ev->peers = peer;
found:
	peer->refs++;
	*ret = peer;
	return 0;
}

/* Make room for @port; local ports are small numbers that the hub gives out. */
static int reserve_binding(struct host_evtchn *ev, uint32_t port)
{
	struct binding *more;
	uint32_t n = ev->n_bindings ? ev->n_bindings : 16;

	while (n <= port)
		n *= 2;
	if (n == ev->n_bindings)
		return 0;
	more = reallocarray(ev->bindings, n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	for (uint32_t i = ev->n_bindings; i < n; i++)
		more[i] = (struct binding){ 0 };
	ev->bindings = more;
	ev->n_bindings = n;
	return 0;
}

/* Put a port of our own into our pipe. There is one entry a port at most, so it has room. */
static void raise_local(struct host_evtchn *ev, uint32_t port)
{
	ssize_t n;

	do
		n = write(ev->wfd, &port, sizeof(port));
	while (n < 0 && errno == EINTR);
}

static void tell_hub_unbound(struct host_evtchn *ev, uint32_t port)
{
	struct loop_msg msg = { .op = LOOP_UNBIND, .port = port };

	loop_call(ev->sock, &msg, NULL);
}

int host_evtchn_bind(struct host_evtchn *ev, uint32_t domid, uint32_t remote_port)
{
	struct loop_msg msg = { .op = LOOP_BIND, .domid = domid, .port = remote_port };
	int fds[LOOP_MAX_FDS], r;
	struct binding *b;
	struct peer *peer = NULL;

	if (remote_port == 0 || remote_port >= LOOP_NR_PORTS)
		return -EINVAL;
	r = loop_call(ev->sock, &msg, fds);
	if (r < 0)
		return r;
	r = reserve_binding(ev, msg.port);
	if (r == 0)
		r = get_peer(ev, &msg, fds, &peer);
	loop_close_fds(fds);
	if (r < 0) {
		tell_hub_unbound(ev, msg.port);
		return r;
	}
	b = &ev->bindings[msg.port];
	*b = (struct binding){ .peer = peer, .port = remote_port, .gen = msg.gen, .bound = true };
	/* The domain may have raised it while nobody was bound: Xen always raises it now. */
	__atomic_store_n(&peer->shared->port[remote_port].out, 1, __ATOMIC_SEQ_CST);
	raise_local(ev, msg.port);
	return (int)msg.port;
}

/* For xenstored only, hence not in host.h: see tests/uml/hv/preload.c. */
int loop_evtchn_bind_virq(struct host_evtchn *ev, uint32_t virq);
int loop_evtchn_bind_virq(struct host_evtchn *ev, uint32_t virq)
{
	struct loop_msg msg = { .op = LOOP_BIND_VIRQ, .port = virq };
	int r = loop_call(ev->sock, &msg, NULL);

	if (r == 0)
		r = reserve_binding(ev, msg.port);
	if (r < 0)
		return r;
	ev->bindings[msg.port] = (struct binding){ .bound = true };
	return (int)msg.port;
}

static struct binding *find_binding(struct host_evtchn *ev, uint32_t port)
{
	if (port >= ev->n_bindings || !ev->bindings[port].bound)
		return NULL;
	return &ev->bindings[port];
}

int host_evtchn_unbind(struct host_evtchn *ev, uint32_t local_port)
{
	struct binding *b = find_binding(ev, local_port);

	if (!b)
		return -EINVAL;
	tell_hub_unbound(ev, local_port);
	if (b->peer)
		put_peer(ev, b->peer);
	*b = (struct binding){ 0 };
	return 0;
}

int host_evtchn_pending(struct host_evtchn *ev)
{
	uint32_t port;
	ssize_t n;

	/* A port that was unbound while it was pending is passed over. */
	do {
		n = read(ev->rfd, &port, sizeof(port));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
	} while (n != sizeof(port) || !find_binding(ev, port));
	return (int)port;
}

int host_evtchn_unmask(struct host_evtchn *ev, uint32_t local_port)
{
	struct binding *b = find_binding(ev, local_port);
	struct loop_port *p;
	uint8_t old;

	if (!b)
		return -EINVAL;
	if (!b->peer)
		return 0;
	p = &b->peer->shared->port[b->port];
	if (__atomic_load_n(&p->gen, __ATOMIC_RELAXED) != b->gen)
		return 0;
	old = __atomic_load_n(&p->out, __ATOMIC_SEQ_CST);
	do {
		if (old == 0)
			return 0;
	} while (!__atomic_compare_exchange_n(&p->out, &old, old - 1, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	if (old == 2)
		raise_local(ev, local_port);
	return 0;
}

int host_evtchn_notify(struct host_evtchn *ev, uint32_t local_port)
{
	struct binding *b = find_binding(ev, local_port);
	struct loop_shared *sh;
	struct loop_port *p;
	ssize_t n;

	if (!b || !b->peer)
		return -EINVAL;
	sh = b->peer->shared;
	p = &sh->port[b->port];
	__atomic_add_fetch(&b->peer->dom->stat[LOOP_STAT_NOTIFIES], 1, __ATOMIC_RELAXED);
	/* Towards a port that its domain closed, an event is dropped silently, as by Xen. */
	if (__atomic_load_n(&p->gen, __ATOMIC_RELAXED) != b->gen ||
	    __atomic_load_n(&p->state, __ATOMIC_RELAXED) != LOOP_PORT_OPEN)
		return 0;
	__atomic_or_fetch(&sh->pending[b->port / 64], UINT64_C(1) << (b->port % 64),
			  __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&sh->upcall, 1, __ATOMIC_SEQ_CST) != 0)
		return 0;
	__atomic_add_fetch(&b->peer->dom->stat[LOOP_STAT_UPCALLS], 1, __ATOMIC_RELAXED);
	do
		n = write(b->peer->upcall_fd, "", 1);
	while (n < 0 && errno == EINTR);
	/* A full pipe wakes the domain just as well. */
	return n < 0 && errno != EAGAIN ? -errno : 0;
}
