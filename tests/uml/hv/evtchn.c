/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <xen/xen.h>

#include "hub.h"

#define ANSWER_TIMEOUT_MS 5000

void evtchn_attach(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	(void)hub;
	if (!conn->pipe)
		conn->pipe = hub_pipe_new();
	if (!conn->pipe) {
		hub_answer(conn, msg, -ENOMEM);
		return;
	}
	msg->result = 0;
	hub_send(conn, msg, (int[]){ conn->pipe->rfd, conn->pipe->wfd }, 2);
}

/* Local ports go round, so that a late event for a closed one finds nobody. */
static struct hub_binding *new_binding(struct hub_conn *conn)
{
	struct hub_binding *b;

	for (uint32_t i = 0; i < HUB_MAX_LOCAL; i++) {
		uint32_t local = conn->next_local++ % HUB_MAX_LOCAL;

		if (local == 0 || conn->local[local])
			continue;
		b = calloc(1, sizeof(*b));
		if (!b)
			return NULL;
		b->conn = conn;
		b->local = local;
		conn->local[local] = b;
		return b;
	}
	return NULL;
}

static void free_binding(struct hub_binding *b)
{
	b->conn->local[b->local] = NULL;
	free(b);
}

/* Cut the binding from its domain; the local port stays until the client unbinds it. */
static void detach_domain(struct hub *hub, struct hub_binding *b)
{
	struct hub_domain *dom = b->dom;

	if (b->waiting) {
		TAILQ_REMOVE(&hub->waiting, b, link);
		b->waiting = false;
	}
	dom->binding[b->port] = NULL;
	dom->n_bindings--;
	b->dom = NULL;
	domain_put(hub, dom);
}

static bool can_bind(struct hub *hub, struct hub_domain *dom, uint32_t port)
{
	struct loop_port *p;

	if (!dom || !(dom->flags & LOOP_DOM_REGISTERED) ||
	    (dom->flags & (LOOP_DOM_DEAD | LOOP_DOM_SHUTDOWN)) || port == 0 ||
	    port >= LOOP_NR_PORTS)
		return false;
	p = &dom->shared->port[port];
	if (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE) != LOOP_PORT_OPEN ||
	    p->remote != LOOP_HOST_DOMID)
		return false;
	/* The domain may have closed and reopened the port, and that message is on its way. */
	if (dom->binding[port] && dom->binding[port]->gen != p->gen)
		detach_domain(hub, dom->binding[port]);
	return !dom->binding[port];
}

static void answer_bind(struct hub_binding *b)
{
	struct hub_domain *dom = b->dom;
	struct loop_msg msg = {
		.op = LOOP_BIND, .seq = b->seq, .domid = dom->domid, .port = b->local, .gen = b->gen
	};

	msg.arg[0] = dom->mem_size;
	msg.arg[1] = dom->shared_gfn;
	hub_send(b->conn, &msg, (int[]){ dom->mem_fd, dom->record_fd, dom->upcall->wfd }, 3);
}

static void refuse_bind(struct hub *hub, struct hub_binding *b, int error)
{
	struct loop_msg request = { .op = LOOP_BIND, .seq = b->seq };

	hub_answer(b->conn, &request, error);
	detach_domain(hub, b);
	free_binding(b);
}

void evtchn_bind(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *dom = domain_find(hub, msg->domid);
	struct loop_msg bound = { .op = LOOP_BOUND, .port = msg->port };
	struct hub_binding *b;

	if (!conn->pipe || !can_bind(hub, dom, msg->port)) {
		hub_answer(conn, msg, -EINVAL);
		return;
	}
	b = new_binding(conn);
	if (!b) {
		hub_answer(conn, msg, -ENOSPC);
		return;
	}
	b->dom = domain_get(dom);
	b->port = msg->port;
	b->gen = dom->shared->port[msg->port].gen;
	b->seq = msg->seq;
	dom->binding[b->port] = b;
	dom->n_bindings++;

	/* The client may raise events once the domain knows where to send its own. */
	b->waiting = true;
	b->deadline = hub_now_ms() + ANSWER_TIMEOUT_MS;
	TAILQ_INSERT_TAIL(&hub->waiting, b, link);
	bound.gen = b->gen;
	bound.arg[0] = b->local;
	hub_send(dom->conn, &bound, &conn->pipe->wfd, 1);
}

void evtchn_bound(struct hub *hub, struct hub_domain *dom, const struct loop_msg *msg)
{
	struct hub_binding *b = msg->port < LOOP_NR_PORTS ? dom->binding[msg->port] : NULL;

	if (!b || !b->waiting || b->gen != msg->gen)
		return;
	if (msg->result < 0) {
		refuse_bind(hub, b, -EINVAL);
		return;
	}
	TAILQ_REMOVE(&hub->waiting, b, link);
	b->waiting = false;
	answer_bind(b);
}

int evtchn_expire(struct hub *hub)
{
	int64_t now = hub_now_ms();
	struct hub_binding *b;

	while ((b = TAILQ_FIRST(&hub->waiting))) {
		if (b->deadline > now)
			return (int)(b->deadline - now);
		refuse_bind(hub, b, -ETIMEDOUT);
	}
	return -1;
}

void evtchn_bind_virq(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_binding *b;

	(void)hub;
	if (!conn->pipe || msg->port != VIRQ_DOM_EXC) {
		hub_answer(conn, msg, -EINVAL);
		return;
	}
	b = new_binding(conn);
	if (!b) {
		hub_answer(conn, msg, -ENOSPC);
		return;
	}
	b->virq_dom_exc = true;
	msg->port = b->local;
	hub_answer(conn, msg, 0);
}

void evtchn_raise_dom_exc(struct hub *hub)
{
	struct hub_conn *conn;

	TAILQ_FOREACH (conn, &hub->conns, link) {
		for (uint32_t i = 0; i < HUB_MAX_LOCAL && conn->pipe; i++) {
			if (conn->local[i] && conn->local[i]->virq_dom_exc &&
			    write(conn->pipe->wfd, &i, sizeof(i)) < 0)
				continue; /* full of the same news */
		}
	}
}

/*
 * The client's end goes away: the domain's port is unbound again, and may be bound anew.
 * The domain may write to the pipe until it has heard of it.
 */
static void unbind(struct hub *hub, struct hub_binding *b)
{
	struct hub_domain *dom = b->dom;
	struct loop_msg msg = { .op = LOOP_UNBOUND, .port = b->port, .gen = b->gen };

	if (dom) {
		struct loop_port *p = &dom->shared->port[b->port];

		if (p->gen == b->gen)
			__atomic_store_n(&p->out, 0, __ATOMIC_SEQ_CST);
		if (dom->conn && !dom->conn->gone) {
			struct hub_stale_pipe *stale = calloc(1, sizeof(*stale));

			if (stale) {
				stale->pipe = hub_pipe_get(b->conn->pipe);
				stale->port = b->port;
				stale->gen = b->gen;
				TAILQ_INSERT_TAIL(&dom->conn->stale, stale, link);
			}
			hub_send(dom->conn, &msg, NULL, 0);
		}
		detach_domain(hub, b);
	}
	free_binding(b);
}

void evtchn_unbind(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_binding *b = msg->port < HUB_MAX_LOCAL ? conn->local[msg->port] : NULL;

	if (!b || b->waiting) {
		hub_answer(conn, msg, -EINVAL);
		return;
	}
	unbind(hub, b);
	hub_answer(conn, msg, 0);
}

/* The domain closed its descriptor of a peer's pipe. */
void evtchn_unbound(struct hub_conn *conn, const struct loop_msg *msg)
{
	struct hub_stale_pipe *stale;

	TAILQ_FOREACH (stale, &conn->stale, link) {
		if (stale->port == msg->port && stale->gen == msg->gen) {
			TAILQ_REMOVE(&conn->stale, stale, link);
			hub_pipe_put(stale->pipe);
			free(stale);
			return;
		}
	}
}

void evtchn_closed(struct hub *hub, struct hub_domain *dom, uint32_t port, uint32_t gen)
{
	struct hub_binding *b = port < LOOP_NR_PORTS ? dom->binding[port] : NULL;

	if (!b || b->gen != gen)
		return;
	if (b->waiting)
		refuse_bind(hub, b, -EINVAL);
	else
		detach_domain(hub, b);
}

void evtchn_close_domain(struct hub *hub, struct hub_domain *dom)
{
	for (uint32_t port = 0; port < LOOP_NR_PORTS; port++) {
		struct hub_binding *b = dom->binding[port];

		if (b && b->waiting)
			refuse_bind(hub, b, -EINVAL);
		else if (b)
			detach_domain(hub, b);
	}
}

void evtchn_close_conn(struct hub *hub, struct hub_conn *conn)
{
	for (uint32_t i = 0; i < HUB_MAX_LOCAL; i++) {
		if (conn->local[i])
			unbind(hub, conn->local[i]);
	}
	hub_pipe_put(conn->pipe);
	conn->pipe = NULL;
}
