/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's interface without a guest: a domain of tests/loopfront with netif rings, and
 * a worker process (xenpv-worker-loop) that is told to serve them. The tap is one end of
 * a socket that keeps packets apart, or whatever descriptors the test has. Plays broker,
 * frontend and network, honest or not. For tests and benchmarks; one thread a queue.
 *
 * Functions that can fail for no fault of the worker abort the program with a message.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xen/io/netif.h>

#include "loopfront.h"
#include "worker/proto.h"

#define VIFRIG_TIMEOUT   10000 /* ms, for everything that is awaited */
#define VIFRIG_PAGE      4096u
#define VIFRIG_SLOTS     256u
#define VIFRIG_MAX_FRAME 66000u
#define VIFRIG_ALL                                                                                 \
	(WORKER_VIF_SG | WORKER_VIF_GSO_TCPV4 | WORKER_VIF_GSO_TCPV6 | WORKER_VIF_CSUM_V4 |        \
	 WORKER_VIF_CSUM_V6 | WORKER_VIF_RX_NOTIFY)

struct vifrig_options {
	uint32_t queues;   /* 0: 1 */
	uint32_t features; /* WORKER_VIF_* */
	uint32_t poll_us;
	uint32_t headroom;
	uint64_t rate_bytes;
	uint32_t rate_us;
	bool one_channel; /* no split event channels */
	bool control;
	bool multicast;
	bool static_grants;
};

/* One queue, as a frontend has it. */
struct vifrig_queue {
	struct vifrig *rig;
	uint32_t number;
	uint8_t *tx, *rx; /* the shared pages */
	struct worker_vif_queue where;
	uint32_t tx_prod, tx_cons; /* private, ahead of the shared ones until pushed */
	uint32_t rx_prod, rx_cons;
	int tap;            /* our end; packets have a struct virtio_net_hdr before them */
	int tap_worker;     /* the end that the worker gets */
	uint32_t data_page; /* pages data_page.. of the rig: 256 for tx, then 256 for rx */
};

struct vifrig {
	struct vifrig_options o;
	struct loopfront_hub *hub;
	struct loopfront *lf;
	pid_t worker;
	int sock;
	uint32_t seq;
	int state_fd;
	int counters_fd;
	struct vifrig_queue queue[WORKER_MAX_VIF_QUEUES];
	uint8_t *control;
	uint32_t control_ref, control_port, control_prod, control_cons;
	/* all granted: page N has reference data_ref[N] */
	uint8_t *data;
	uint32_t *data_ref;
	uint32_t nr_data;
	struct worker_ring_error ring_error; /* the last one, when has_ring_error */
	bool has_ring_error;
	char error[WORKER_ERROR_SIZE]; /* text of the last refused message */
	struct vif_counts stats;       /* of the last vifrig_stats() */
};

/* A packet as it came out of the receive ring. */
struct vifrig_packet {
	int status; /* 0, or the first NETIF_RSP_* of its slots below 0 */
	size_t len;
	uint32_t slots; /* of data */
	uint16_t flags; /* of the first */
	uint16_t offset;
	bool has_gso, has_hash, has_xdp;
	struct netif_extra_info gso, hash;
	uint16_t headroom;
	uint8_t data[VIFRIG_MAX_FRAME];
};

/* Domain, taps, state file; the worker is not there yet. */
void vifrig_init(struct vifrig *rig, const struct vifrig_options *o);
void vifrig_free(struct vifrig *rig);

/* Start a worker (program @path, NULL: the usual) and say HELLO. */
void vifrig_start_worker(struct vifrig *rig, const char *path);
void vifrig_stop_worker(struct vifrig *rig);
void vifrig_kill_worker(struct vifrig *rig);
bool vifrig_worker_gone(struct vifrig *rig);

/* Zero all rings as a frontend does that connects anew, with all indices at @index. */
void vifrig_reset_rings(struct vifrig *rig, uint32_t index);

/* Messages; each returns the worker's answer. -ECONNRESET: it died over it. */
int vifrig_call(struct vifrig *rig, struct worker_msg *msg, const int *fds, size_t n);
int vifrig_attach(struct vifrig *rig);
int vifrig_connect(struct vifrig *rig, bool reattach);
int vifrig_simple(struct vifrig *rig, uint32_t type);
int vifrig_adjust(struct vifrig *rig, uint16_t headroom, bool multicast);
void vifrig_stats(struct vifrig *rig);

/* Worker, ATTACH_VIF and CONNECT_VIF in one, which have to succeed. */
void vifrig_up(struct vifrig *rig, bool reattach);

/* Await RING_ERROR. False: it did not come. */
bool vifrig_await_ring_error(struct vifrig *rig);

uint32_t *vifrig_index(void *ring, unsigned int which); /* 0 req_prod, 1 req_event, ... */

/* The guest sends: slots, then an event if one is wanted. */
void vifrig_put_tx(struct vifrig_queue *q, const void *slot);
void vifrig_push_tx(struct vifrig_queue *q);

/*
 * Lay out a frame over slots of the given sizes (they add up to its length) and put
 * them, with extra infos behind the first. Data goes to the pages of the slots.
 */
void vifrig_put_frame(struct vifrig_queue *q, const void *frame, size_t len, const uint16_t *sizes,
		      unsigned int slots, uint16_t flags, const struct netif_extra_info *extra,
		      unsigned int extras);
bool vifrig_take_tx(struct vifrig_queue *q, struct netif_tx_response *ret);
struct netif_tx_response vifrig_await_tx(struct vifrig_queue *q);

/* One frame in one or more slots of at most a page; its responses have to be @status. */
void vifrig_send(struct vifrig_queue *q, const void *frame, size_t len, uint16_t flags,
		 const struct netif_extra_info *extra, int status);

/* The guest offers @n more buffers. */
void vifrig_post_rx(struct vifrig_queue *q, unsigned int n);
/* The same without feature-rx-notify: no event, whatever the backend asks for. */
void vifrig_post_rx_silently(struct vifrig_queue *q, unsigned int n);
/* Take a packet if there is one; it has to be whole. */
bool vifrig_take_rx(struct vifrig_queue *q, struct vifrig_packet *ret);
void vifrig_await_rx(struct vifrig_queue *q, struct vifrig_packet *ret);

/* The network's side. False: nothing within @ms. */
bool vifrig_tap_recv(struct vifrig_queue *q, struct virtio_net_hdr *hdr, void *frame, size_t *len,
		     int ms);
void vifrig_tap_send(struct vifrig_queue *q, const struct virtio_net_hdr *hdr, const void *frame,
		     size_t len);

/* One control request; returns its status, and its data in @ret_data unless NULL. */
void vifrig_control_put(struct vifrig *rig, uint16_t type, uint32_t d0, uint32_t d1, uint32_t d2);
uint32_t vifrig_control_await(struct vifrig *rig, uint32_t *ret_data);
uint32_t vifrig_control(struct vifrig *rig, uint16_t type, uint32_t d0, uint32_t d1, uint32_t d2,
			uint32_t *ret_data);

/* How many grants the worker has mapped. */
unsigned int vifrig_mapped(struct vifrig *rig);

/* Await that the backend has let go of all event channels. False: it has not. */
bool vifrig_await_unbound(struct vifrig *rig);

__attribute__((noreturn, format(printf, 1, 2))) void vifrig_die(const char *fmt, ...);
