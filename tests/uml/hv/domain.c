/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub.h"

#define FIRST_RESERVED_DOMID 0x7ff0 /* DOMID_FIRST_RESERVED of xen/xen.h */

struct hub_domain *domain_find(struct hub *hub, uint32_t domid)
{
	struct hub_domain *dom;

	TAILQ_FOREACH (dom, &hub->domains, link) {
		if (dom->domid == domid)
			return dom;
	}
	return NULL;
}

struct hub_domain *domain_get(struct hub_domain *dom)
{
	dom->refs++;
	return dom;
}

void domain_put(struct hub *hub, struct hub_domain *dom)
{
	if (--dom->refs > 0)
		return;
	TAILQ_REMOVE(&hub->domains, dom, link);
	if (dom->mem)
		munmap(dom->mem, dom->mem_size);
	if (dom->mem_fd >= 0)
		close(dom->mem_fd);
	munmap(dom->record, sizeof(*dom->record));
	close(dom->record_fd);
	hub_pipe_put(dom->upcall);
	free(dom);
}

static void tell_subscribers(struct hub *hub, struct hub_domain *dom)
{
	struct loop_msg msg = { .op = LOOP_EVENT };
	struct hub_conn *conn;

	domain_info(dom, &msg);
	TAILQ_FOREACH (conn, &hub->conns, link) {
		if (conn->subscribed && !conn->gone)
			hub_send(conn, &msg, NULL, 0);
	}
}

void domain_info(struct hub_domain *dom, struct loop_msg *msg)
{
	msg->domid = dom->domid;
	msg->port = dom->store_port;
	msg->arg[0] = dom->flags;
	msg->arg[1] = dom->reason;
	msg->arg[2] = dom->store_gfn;
	msg->arg[3] = gnttab_pinned(dom);
	msg->arg[4] = dom->n_bindings;
}

/* A new domain with reference count 1, which domain_die() drops. */
static int make_domain(struct hub *hub, uint32_t domid, struct hub_domain **ret)
{
	struct hub_domain *dom;
	int r;

	if (domid == 0) {
		do
			domid = hub->next_domid++ % FIRST_RESERVED_DOMID;
		while (domid == 0 || domain_find(hub, domid));
	} else if (domid >= FIRST_RESERVED_DOMID) {
		return -EINVAL;
	} else if (domain_find(hub, domid)) {
		return -EEXIST;
	}
	dom = calloc(1, sizeof(*dom));
	if (!dom)
		return -ENOMEM;
	dom->refs = 1;
	dom->domid = domid;
	dom->mem_fd = -1;
	dom->upcall = hub_pipe_new();
	r = dom->upcall ? gnttab_make_record(domid, &dom->record_fd, &dom->record) : -ENOMEM;
	if (r < 0) {
		hub_pipe_put(dom->upcall);
		free(dom);
		return r;
	}
	TAILQ_INSERT_TAIL(&hub->domains, dom, link);
	*ret = dom;
	return 0;
}

void domain_create(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *dom;
	struct hub_conn *theirs;
	int sv[2], r;

	r = make_domain(hub, msg->domid, &dom);
	if (r < 0) {
		hub_answer(conn, msg, r);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0) {
		r = -errno;
		goto fail;
	}
	theirs = hub_add_conn(hub, sv[0], HUB_DOMAIN);
	if (!theirs) {
		close(sv[1]);
		r = -ENOMEM;
		goto fail;
	}
	theirs->dom = domain_get(dom);
	dom->conn = theirs;
	msg->result = 0;
	msg->domid = dom->domid;
	hub_send(conn, msg, &sv[1], 1);
	close(sv[1]);
	return;
fail:
	domain_put(hub, dom);
	hub_answer(conn, msg, r);
}

void domain_unpause(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *dom = domain_find(hub, msg->domid);
	struct loop_msg start = { .op = LOOP_START };

	if (!dom || dom->flags != LOOP_DOM_REGISTERED || !dom->conn) {
		hub_answer(conn, msg, -EINVAL);
		return;
	}
	dom->flags |= LOOP_DOM_RUNNING;
	start.domid = dom->domid;
	hub_send(dom->conn, &start, &dom->upcall->rfd, 1);
	hub_answer(conn, msg, 0);
}

/*
 * The suspended domain goes on as another one: its process and socket are the same, its
 * domain id, grants and event channels are new. What the old one granted must not be
 * mapped any more, because the memory is the same too.
 */
void domain_resume(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *old = domain_find(hub, msg->domid), *dom;
	struct loop_msg resume = { .op = LOOP_RESUME };
	struct hub_conn *theirs;
	int r;

	if (!old || !(old->flags & LOOP_DOM_SHUTDOWN) || old->reason != LOOP_SUSPEND ||
	    !old->conn) {
		hub_answer(conn, msg, -EINVAL);
		return;
	}
	if (gnttab_pinned(old) > 0) {
		hub_answer(conn, msg, -EBUSY);
		return;
	}
	r = make_domain(hub, msg->port, &dom);
	if (r < 0) {
		hub_answer(conn, msg, r);
		return;
	}
	/* The guest keeps the pipe that wakes it. */
	hub_pipe_put(dom->upcall);
	dom->upcall = hub_pipe_get(old->upcall);
	theirs = old->conn;
	theirs->dom = domain_get(dom);
	dom->conn = theirs;
	old->conn = NULL;
	domain_get(old);
	domain_die(hub, old);
	domain_put(hub, old); /* what theirs->dom held */
	domain_put(hub, old);
	resume.domid = dom->domid;
	hub_send(theirs, &resume, NULL, 0);
	msg->domid = dom->domid;
	hub_answer(conn, msg, 0);
}

void domain_stats(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *dom = domain_find(hub, msg->domid);
	struct loop_msg answer = *msg;

	if (!dom) {
		hub_answer(conn, msg, -ESRCH);
		return;
	}
	for (int i = 0; i < LOOP_STAT_MAX; i++)
		answer.stat[i] = __atomic_load_n(&dom->record->stat[i], __ATOMIC_RELAXED);
	if (dom->shared) {
		answer.stat[LOOP_STAT_GUEST_SENDS] = dom->shared->sends;
		answer.stat[LOOP_STAT_GUEST_WAKEUPS] = dom->shared->wakeups;
	}
	hub_answer(conn, &answer, 0);
}

void domain_next(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *dom, *next = NULL;

	TAILQ_FOREACH (dom, &hub->domains, link) {
		if (dom->domid > msg->domid && (!next || dom->domid < next->domid))
			next = dom;
	}
	if (!next) {
		hub_answer(conn, msg, -ESRCH);
		return;
	}
	domain_info(next, msg);
	hub_answer(conn, msg, 0);
}

static bool within(const struct hub_domain *dom, uint64_t gfn, uint64_t pages)
{
	uint64_t all = dom->mem_size >> 12;

	return gfn < all && pages <= all - gfn;
}

static int register_domain(struct hub_domain *dom, const struct loop_msg *msg, int *fds)
{
	struct stat st;

	if (dom->flags & LOOP_DOM_REGISTERED || fds[0] < 0 || fstat(fds[0], &st) < 0)
		return -EINVAL;
	dom->mem_size = msg->arg[0];
	dom->shared_gfn = msg->arg[1];
	dom->gnt_gfn = msg->arg[2];
	dom->gnt_frames = msg->arg[3];
	dom->store_gfn = msg->arg[4];
	dom->store_port = msg->port;
	if (dom->mem_size > (uint64_t)st.st_size || dom->gnt_frames == 0 ||
	    dom->gnt_frames > LOOP_MAX_FRAMES || !within(dom, dom->gnt_gfn, dom->gnt_frames) ||
	    !within(dom, dom->shared_gfn, LOOP_SHARED_PAGES) || !within(dom, dom->store_gfn, 1))
		return -EINVAL;
	dom->mem = mmap(NULL, dom->mem_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	if (dom->mem == MAP_FAILED) {
		dom->mem = NULL;
		return -ENOMEM;
	}
	dom->mem_fd = fds[0];
	fds[0] = -1;
	dom->shared = (struct loop_shared *)(void *)(dom->mem + (dom->shared_gfn << 12));
	dom->flags |= LOOP_DOM_REGISTERED;
	return 0;
}

void domain_message(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg, int *fds)
{
	struct hub_domain *dom = conn->dom;

	switch (msg->op) {
	case LOOP_REGISTER:
		if (register_domain(dom, msg, fds) < 0)
			domain_die(hub, dom);
		else
			tell_subscribers(hub, dom);
		break;
	case LOOP_BOUND:
		evtchn_bound(hub, dom, msg);
		break;
	case LOOP_UNBOUND:
		evtchn_unbound(conn, msg);
		break;
	case LOOP_CLOSED:
		evtchn_closed(hub, dom, msg->port, msg->gen);
		break;
	case LOOP_SHUTDOWN:
		dom->flags |= LOOP_DOM_SHUTDOWN;
		dom->reason = (uint32_t)msg->arg[0];
		evtchn_raise_dom_exc(hub);
		tell_subscribers(hub, dom);
		break;
	default:
		break;
	}
}

void domain_die(struct hub *hub, struct hub_domain *dom)
{
	if (dom->flags & LOOP_DOM_DEAD)
		return;
	dom->flags |= LOOP_DOM_DEAD;
	__atomic_store_n(&dom->record->dead, 1, __ATOMIC_SEQ_CST);
	evtchn_close_domain(hub, dom);
	evtchn_raise_dom_exc(hub);
	tell_subscribers(hub, dom);
	domain_put(hub, dom);
}
