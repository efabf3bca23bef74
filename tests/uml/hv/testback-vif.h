/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of testback-vif: nodes and states, the rings, the tap. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/xenbus.h>

/* ring.h wants barriers of its user; the other side is another processor. */
#define mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#include <xen/io/netif.h>

#include "host.h"
#include "testback-xs.h"

#define FRAME_MAX (65535 + 14)

/* What is done wrong, once if not said otherwise. The words for it: faults[] in testback-vif.c. */
enum fault {
	FAULT_NONE,
	FAULT_TX_BAD_ID,     /* an id nobody gives out */
	FAULT_TX_FREE_ID,    /* an id that is not in flight */
	FAULT_TX_SAME_ID,    /* the answer before, once more, instead of this one */
	FAULT_TX_BAD_STATUS, /* a status netif.h does not know */
	FAULT_TX_BAD_INDEX,  /* more answers than requests */
	FAULT_TX_ERROR,      /* NETIF_RSP_ERROR, which is allowed */
	FAULT_TX_DROPPED,    /* NETIF_RSP_DROPPED, too */
	FAULT_TX_MUTE,       /* no notification */
	FAULT_TX_LOST,       /* no answer */
	FAULT_TX_MAPPED,     /* an answer while the page stays mapped */
	FAULT_TX_STALL,      /* requests are not looked at; stays */
	_FAULT_TX_MAX,
	FAULT_RX_BAD_ID,      /* not the id of the request */
	FAULT_RX_BAD_OFFSET,  /* data beyond the end of the page */
	FAULT_RX_BAD_SIZE,    /* more bytes than a page has */
	FAULT_RX_ZERO_SIZE,   /* a packet without a byte */
	FAULT_RX_TINY,        /* shorter than an Ethernet header */
	FAULT_RX_TINY_CHAIN,  /* the same as first slot of several */
	FAULT_RX_ZERO_CHAIN,  /* the first slot of several without a byte */
	FAULT_RX_ERROR,       /* NETIF_RSP_ERROR, which is allowed */
	FAULT_RX_ERROR_CHAIN, /* a whole ring of them, of one packet that goes on */
	FAULT_RX_BAD_INDEX,   /* more answers than requests */
	FAULT_RX_LONG_CHAIN,  /* more slots than any packet may have */
	FAULT_RX_CUT_CHAIN,   /* a slot that says there is more, and there is not */
	FAULT_RX_BAD_FLAGS,   /* flags netif.h does not know */
	FAULT_RX_EXTRA_TYPE,  /* extra information of a type netif.h does not know */
	FAULT_RX_EXTRA_CHAIN, /* extra information without end */
	FAULT_RX_EXTRA_CUT,   /* extra information announced, and none there */
	FAULT_RX_EXTRA_GSO,   /* segments of a kind netif.h does not know */
	FAULT_RX_EXTRA_SIZE,  /* segments of no byte */
	FAULT_RX_MUTE,        /* no notification */
	FAULT_RX_STALL,       /* nothing is received; stays */
	FAULT_RX_PEEK,        /* pages are read before they are written to; stays */
	_FAULT_RX_MAX,
	FAULT_CTRL_NONE,        /* an honest control ring */
	FAULT_CTRL_BAD_ID,      /* not the id of the request */
	FAULT_CTRL_BAD_TYPE,    /* not its type */
	FAULT_CTRL_BAD_STATUS,  /* a status netif.h does not know */
	FAULT_CTRL_BAD_INDEX,   /* more answers than requests */
	FAULT_CTRL_TWICE,       /* one answer too many */
	FAULT_CTRL_EARLY,       /* answers before there is a request */
	FAULT_CTRL_LATE,        /* an answer when the fault is changed, that is too late */
	FAULT_CTRL_LOST,        /* no answer */
	FAULT_CTRL_MUTE,        /* no notification */
	FAULT_CTRL_EVENTS,      /* a great many of them */
	FAULT_CTRL_UNSUPPORTED, /* refused, as netif.h allows */
	FAULT_CTRL_INVALID,     /* in another way */
	FAULT_CTRL_OVERFLOW,    /* and another */
	FAULT_CTRL_HUGE,        /* a table larger than memory */
	FAULT_CTRL_TX_ONLY,     /* a table that has room for one of the rings */
	FAULT_CTRL_TINY,        /* and for none */
	FAULT_CTRL_SCRIBBLE,    /* a list is written over */
	FAULT_CTRL_MAPPED,      /* a list stays mapped */
	_FAULT_CTRL_MAX,
	FAULT_DEAF, /* the frontend's state is not looked at; stays */
};

struct vif {
	TAILQ_ENTRY(vif) link;
	char path[PATH_SIZE]; /* backend/vif/<domid>/<handle> */
	char frontend[PATH_SIZE];
	uint32_t domid, handle;
	enum xenbus_state state; /* as we wrote it last */
	int tap;
	bool connected;
	struct host_gnt *gnt;
	netif_tx_back_ring_t tx;
	netif_rx_back_ring_t rx;
	int tx_port, rx_port; /* the same number unless they are split */
	bool offers_ctrl;
	xen_netif_ctrl_back_ring_t ctrl;
	int ctrl_port; /* -1 without a control ring */
	struct xen_netif_ctrl_response late;
	bool is_late; /* .late is still to be sent */
	enum fault fault;
	unsigned int fault_type; /* the control request that it waits for; 0: any */
	bool fault_stays;        /* of the control ring: it happens again and again */
	uint16_t last_id;        /* of the answer before */
	void *left_mapped;
	unsigned int peeked, peeked_used; /* pages read; of them with something in them */
};

extern struct host_evtchn *ev;

/* testback-vif-tap.c */

/* Make vif<domid>.<handle>, which is there as long as the descriptor is open. */
int tap_open(uint32_t domid, uint32_t handle);

/* One frame from the guest; @blank: its TCP or UDP checksum is still to be made. */
void tap_write(int fd, const void *frame, size_t len, bool blank);

/* One frame for the guest; its length, or a negative errno. */
ssize_t tap_read(int fd, void *frame, size_t size);

/* testback-vif-tx.c: what the guest sends */
void tx_serve(struct vif *v);

/* testback-vif-rx.c: what the guest receives. Whether there is room for a frame at its largest. */
bool rx_may_read(struct vif *v);
void rx_serve(struct vif *v);

/* testback-vif-ctrl.c: the control ring, once it is connected */
void ctrl_begin(struct vif *v);
void ctrl_serve(struct vif *v);

/* Send what was kept back too long. */
void ctrl_late(struct vif *v);
