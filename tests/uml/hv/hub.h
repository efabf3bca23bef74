/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hub: stands in for the hypervisor on a test bench. One thread, one epoll loop.
 *
 * hub.c	sockets, dispatch, end of life
 * domain.c	domains: creation, start, shutdown, resume, death
 * evtchn.c	event channel handles of clients and their bindings
 * gnttab.c	grant handles of clients and their pins
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "loop-msg.h"

#define HUB_MAX_LOCAL 4096 /* local ports of one event channel handle */

/* A pipe whose descriptors several parties of the hub refer to. */
struct hub_pipe {
	unsigned int refs;
	int rfd, wfd;
};

struct hub_domain {
	TAILQ_ENTRY(hub_domain) link;
	unsigned int refs; /* the domain's socket, bindings, grant handles, the list while alive */
	uint32_t domid;
	uint32_t flags; /* enum loop_domain_flags */
	uint32_t reason;
	struct hub_conn *conn; /* its socket; NULL once closed or resumed elsewhere */
	int mem_fd;
	uint64_t mem_size;
	uint64_t shared_gfn, gnt_gfn, gnt_frames, store_gfn;
	uint32_t store_port;
	struct hub_pipe *upcall;
	uint8_t *mem;
	struct loop_shared *shared; /* within mem */
	int record_fd;
	struct loop_domain *record;
	struct hub_binding *binding[LOOP_NR_PORTS]; /* by the domain's port */
	unsigned int n_bindings;
};

/* One local port of an event channel handle. */
struct hub_binding {
	TAILQ_ENTRY(hub_binding) link; /* in hub.waiting while unanswered */
	struct hub_conn *conn;
	struct hub_domain *dom; /* NULL for a VIRQ and once the domain closed its end */
	uint32_t local, port, gen;
	bool waiting;     /* the domain has not answered LOOP_BOUND yet */
	uint32_t seq;     /* of the request to answer then */
	int64_t deadline; /* ms */
	bool virq_dom_exc;
};

/* What became of a pipe until the domain answered LOOP_UNBOUND: it may still write there. */
struct hub_stale_pipe {
	TAILQ_ENTRY(hub_stale_pipe) link;
	struct hub_pipe *pipe;
	uint32_t port, gen;
};

enum hub_conn_kind {
	HUB_CLIENT,
	HUB_DOMAIN
};

struct hub_conn {
	TAILQ_ENTRY(hub_conn) link;
	enum hub_conn_kind kind;
	int sock;
	pid_t pid; /* who sent last; killed when the bench ends */
	bool gone; /* to be freed at the end of this turn of the loop */
	bool subscribed;

	struct hub_domain *dom; /* kind HUB_DOMAIN */
	TAILQ_HEAD(, hub_stale_pipe) stale;

	/* as an event channel handle */
	struct hub_pipe *pipe;
	struct hub_binding *local[HUB_MAX_LOCAL];
	uint32_t next_local;

	/* as a grant handle */
	struct hub_domain *gnt_dom;
	int own_fd;
	struct loop_pin *own;
};

struct hub {
	int epoll_fd;
	int listen_fd;
	TAILQ_HEAD(, hub_conn) conns;
	TAILQ_HEAD(, hub_domain) domains;
	TAILQ_HEAD(, hub_binding) waiting;
	uint32_t next_domid;
};

/* hub.c */
int64_t hub_now_ms(void);
struct hub_conn *hub_add_conn(struct hub *hub, int sock, enum hub_conn_kind kind);
void hub_send(struct hub_conn *conn, const struct loop_msg *msg, const int *fds, int nfds);
void hub_answer(struct hub_conn *conn, const struct loop_msg *request, int result);
struct hub_pipe *hub_pipe_new(void);
struct hub_pipe *hub_pipe_get(struct hub_pipe *pipe);
void hub_pipe_put(struct hub_pipe *pipe);

/* domain.c */
struct hub_domain *domain_find(struct hub *hub, uint32_t domid);
struct hub_domain *domain_get(struct hub_domain *dom);
void domain_put(struct hub *hub, struct hub_domain *dom);
void domain_info(struct hub_domain *dom, struct loop_msg *msg);
void domain_create(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void domain_unpause(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void domain_resume(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void domain_stats(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void domain_next(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
/* A message of the domain itself; @fds are taken over. */
void domain_message(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg, int *fds);
/* The domain is no more: nothing can be bound or mapped from now on. */
void domain_die(struct hub *hub, struct hub_domain *dom);

/* evtchn.c */
void evtchn_attach(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void evtchn_bind(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void evtchn_bind_virq(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void evtchn_unbind(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void evtchn_bound(struct hub *hub, struct hub_domain *dom, const struct loop_msg *msg);
void evtchn_unbound(struct hub_conn *conn, const struct loop_msg *msg);
void evtchn_closed(struct hub *hub, struct hub_domain *dom, uint32_t port, uint32_t gen);
void evtchn_close_domain(struct hub *hub, struct hub_domain *dom);
void evtchn_close_conn(struct hub *hub, struct hub_conn *conn);
void evtchn_raise_dom_exc(struct hub *hub);
/* Give up on domains that do not answer; returns ms until the next deadline or -1. */
int evtchn_expire(struct hub *hub);

/* gnttab.c */
void gnttab_attach(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg);
void gnttab_close_conn(struct hub *hub, struct hub_conn *conn);
int gnttab_make_record(uint32_t domid, int *ret_fd, struct loop_domain **ret);
uint32_t gnttab_pinned(struct hub_domain *dom);
