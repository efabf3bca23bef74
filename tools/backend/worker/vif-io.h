/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a queue: vif-queue.c is its thread, vif-tx.c and vif-rx.c its two directions. */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include <xen/io/netif.h>

#include "net/segment.h"
#include "net/tap-batch.h"
#include "net/tap.h"
#include "worker/moderate.h"
#include "worker/poller.h"
#include "worker/ring.h"
#include "worker/vif-ahead.h"
#include "worker/vif-inbox.h"
#include "worker/vif-queue.h"
#include "worker/vif-request.h"
#include "worker/vif-stage.h"

#define VIF_RING_SLOTS  256u /* of both rings, by their slot sizes */
#define VIF_BUFFER_SIZE (TAP_HEADER + PACKET_MAX + 1u + 256u) /* one packet, headers twice */
#define VIF_ARENA_SIZE  (5 * VIF_BUFFER_SIZE) /* packets of one pass, each direction */
#define VIF_TX_PIECES   VIF_RING_SLOTS

/* How long a frontend may leave a packet without buffers before packets are dropped. */
#ifndef VIF_STALL_MS
#define VIF_STALL_MS 10000
#endif

/* A packet of the guest on its way into the tap. */
struct vif_tx_packet {
	uint32_t slots; /* responses to be made */
	uint32_t first; /* of them, in vif_tx.slot */
	int error;      /* it is not to be sent */
	const char *why;
	bool message;   /* there is nothing to be sent */
	uint8_t *frame; /* TAP_HEADER bytes are free before it */
	size_t len;
	struct offload_info offload;
	bool prepared;
};

struct vif_tx_slot {
	uint16_t id;
	bool extra;
};

struct vif_tx {
	struct ring ring;
	uint8_t *arena;
	size_t used;               /* bytes of the arena */
	uint32_t nr_packets, done; /* taken in this batch; of them written */
	uint32_t nr_slots;
	struct vif_tx_packet packet[VIF_RING_SLOTS];
	struct vif_tx_slot slot[VIF_RING_SLOTS];
	uint32_t nr_pieces;
	struct host_gnt_copy piece[VIF_TX_PIECES];
	uint32_t owner[VIF_TX_PIECES]; /* packet of each piece */
	bool blocked;                  /* the tap takes no more at present */
	uint64_t hold;                 /* ns; the rate limit lets nothing go before. 0: none */
	uint32_t reserved;             /* bytes of the packet that is held */
};

/* What goes into one slot of the receive ring. */
struct vif_rx_reply {
	bool extra;
	int32_t piece; /* that has to succeed; -1: none */
	union {
		struct netif_rx_response rsp;
		struct netif_extra_info info;
	};
};

/* A packet on its way to the guest. */
struct vif_rx_packet {
	uint8_t *frame;
	size_t len;
	struct offload_info offload;
	bool hashed;
	uint8_t hash_type;
	uint32_t hash;
};

struct vif_rx {
	struct ring ring;
	uint8_t *arena;
	size_t used;
	struct vif_rx_packet wait; /* has no room in the ring; wait.frame is NULL: there is none */
	uint32_t need;             /* slots that it needs */
	uint64_t wait_since;       /* ns */
	bool stalled;              /* nothing waits any more: drop what finds no room */
	struct segment segment;
	uint8_t *segment_buf;       /* made when first used; what segment cuts up */
	struct vif_rx_packet whole; /* it, for what its segments have in common */
	uint32_t budget;            /* packets that may still be read in this pass */
	bool drained;               /* the tap had nothing more in this pass */
	bool quiet;                 /* nor when the last sleep ended */
	struct vif_ahead ahead;
	struct vif_stage stage; /* packets that are next */
	uint32_t nr_pieces, nr_replies;
	struct host_gnt_copy piece[VIF_RING_SLOTS];
	struct vif_rx_reply reply[VIF_RING_SLOTS];
};

struct vif_queue {
	struct vif_common *common;
	uint32_t number;
	struct worker_vif_queue rings;
	int tap; /* not owned */
	bool tap_gone;
	struct tap_batch *batch; /* made when first used: vif_batch() */
	bool no_batch;           /* there is none to be had */
	void *tx_page, *rx_page;
	struct host_evtchn *evtchn;
	int tx_port, rx_port; /* local; the same without split event channels; -1: not bound */
	bool tx_masked, rx_masked;
	unsigned int tx_owed; /* passes since the guest asked for an event that it has not got */
	int wake;             /* eventfd: something to do for a thread that sleeps */
	_Atomic bool asleep;
	_Atomic bool stopping;
	bool failed;
	bool started;
	pthread_t thread;
	struct poller poller;
	struct moderate moderate;
	uint32_t taken;        /* packets from the tap since the last sleep */
	uint64_t deaf;         /* ns for which the next sleep listens to nobody; 0: it listens */
	bool chosen;           /* deaf is what it is to be */
	uint64_t woken, slept; /* ns: when the last sleep ended, and how long it was */
	struct vif_counts *counts; /* written by the thread, read by all, relaxed */

	struct vif_tx tx;
	struct vif_rx rx;
	struct vif_grants grants;
	struct vif_hash hash;
	struct vif_inbox inbox;

	pthread_mutex_t call_lock;
	pthread_cond_t call_done;
	bool running;                                 /* the thread takes calls; under call_lock */
	void (*call)(struct vif_queue *q, void *arg); /* under call_lock */
	void *call_arg;
	_Atomic bool called;

	uint64_t log_refilled; /* ns */
	uint64_t log_suppressed;
	unsigned int log_tokens;
};

#define VIF_STAT_SET(q, field, value) __atomic_store_n(&(q)->counts->field, value, __ATOMIC_RELAXED)
#define VIF_STAT_ADD(q, field, n)     VIF_STAT_SET(q, field, (q)->counts->field + (n))

/* CLOCK_MONOTONIC */
uint64_t vif_now(void);

/* May a line about what the frontend sent be logged? A few in a few seconds. */
bool vif_may_log(struct vif_queue *q);

/* The frontend broke the protocol: tell everybody; the thread ends. */
__attribute__((format(printf, 2, 3))) void vif_fail(struct vif_queue *q, const char *fmt, ...);

/* How to take or send several packets at once, or NULL: not at all. */
struct tap_batch *vif_batch(struct vif_queue *q);

/* Wake the thread of @q if it sleeps. From any thread. */
void vif_kick(struct vif_queue *q);

int vif_tx_init(struct vif_queue *q);
void vif_tx_free(struct vif_queue *q);

/* Carry packets from the guest. @want_event is set when the frontend asked for one. True: did
 * something. */
bool vif_tx_pass(struct vif_queue *q, bool *want_event);

int vif_rx_init(struct vif_queue *q);
void vif_rx_free(struct vif_queue *q);
bool vif_rx_pass(struct vif_queue *q, bool *want_event);

/* Is a packet waiting for buffers of the guest? */
static inline bool vif_rx_waits(const struct vif_queue *q)
{
	return q->rx.wait.frame != NULL;
}
