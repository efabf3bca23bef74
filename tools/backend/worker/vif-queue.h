/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One queue of an interface: its two rings, its tap queue, its thread. Made and freed
 * by the control thread; runs on its own in between.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"
#include "lib/log.h"
#include "net/offload.h"
#include "worker/proto.h"
#include "worker/vif-grants.h"
#include "worker/vif-hash.h"
#include "worker/vif-limit.h"
#include "worker/vif-mcast.h"
#include "worker/vif-state.h"

struct vif_queue;

/* What the queues of an interface share. */
struct vif_common {
	struct log_about about;
	struct host_gnt *gnt;
	struct offload_caps caps; /* of the frontend */
	bool sg;                  /* it takes packets of several pages */
	bool rx_notify;           /* it sends events for receive requests */
	uint32_t poll_us;
	uint32_t nr_queues;
	struct vif_queue *queue[WORKER_MAX_VIF_QUEUES];
	_Atomic uint16_t headroom; /* bytes before each received packet */
	_Atomic bool filter;       /* multicast packets need to be on the list */
	bool multicast;            /* the list may be changed */
	_Atomic bool said_single;  /* it was logged that there is no io_uring */
	bool said_full;            /* and that the state file cannot grow; of the control ring */
	struct vif_mcast mcast;    /* changed under state.lock */
	struct vif_state state;
	struct vif_limit limit;
	/* Called from a thread when the frontend broke the protocol; @text names the value. */
	void (*failed)(void *arg, uint32_t number, int error, const char *text);
	void *arg;
};

/*
 * vif_queue_new - map the rings and bind the event channels
 * @number: which of its queues
 * @evtchn_fd: descriptor for host_evtchn_fdopen(); taken over, also on failure
 * @tap_fd: not taken over
 * @counts: what the thread writes; stays as long as the queue
 * @ret_why: what was tried, on failure
 */
int vif_queue_new(struct vif_common *common, uint32_t number, const struct worker_vif_queue *rings,
		  int evtchn_fd, int tap_fd, struct vif_counts *counts, struct vif_queue **ret,
		  const char **ret_why);

/*
 * vif_queue_run - start the thread, where the responses of the rings stand
 * @reattach: events may have been lost, so send one
 * @known: the state is that of this connection
 *
 * Errors: -EPROTO (a request index that cannot be), those of pthread_create(3).
 */
int vif_queue_run(struct vif_queue *q, bool reattach, bool known, const char **ret_why);

/* Ask the thread to end after its pass. */
void vif_queue_stop(struct vif_queue *q);

/* Stop the thread and await its end, which is a pass away. */
void vif_queue_join(struct vif_queue *q);

/*
 * Unmap and unbind everything. NULL is allowed. Threads of other queues may have packets
 * for this one, so all of them have been joined.
 */
void vif_queue_free(struct vif_queue *q);

/*
 * vif_queue_call - run @f(q, arg) where the thread does not look at what @f changes
 *
 * In the thread, between two passes; or here, when it does not run. Returns when it is
 * done. One caller at a time.
 */
void vif_queue_call(struct vif_queue *q, void (*f)(struct vif_queue *q, void *arg), void *arg);

/* For vif_queue_call(): what belongs to the thread. */
struct vif_grants *vif_queue_grants(struct vif_queue *q);
struct vif_hash *vif_queue_hash(struct vif_queue *q);
