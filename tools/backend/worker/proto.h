/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Broker <-> worker: messages over one SOCK_SEQPACKET socket, descriptor 3 of
 * the worker. A message is one struct worker_msg, native byte order, whole or
 * not at all; descriptors ride along with SCM_RIGHTS in the order documented.
 *
 * The broker asks, the worker answers each request exactly once with the same
 * `seq`, and in order for one devid. RING_ERROR comes unasked, also before the
 * reply to the CONNECT of its ring. When the socket closes the worker ends at
 * once: in-flight I/O stays in the journals and the next worker takes it up.
 *
 * Neither side trusts the other with more than it needs: the worker validates
 * nothing that came from the guest through the broker twice, but the broker
 * never acts on a worker's numbers beyond reporting them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/counters.h"
#include "storage/storage.h"

#define WORKER_PROTO_VERSION  3
#define WORKER_CONTROL_FD     3
#define WORKER_MAX_RINGS      32
#define WORKER_MAX_RING_PAGES 16
#define WORKER_ERROR_SIZE     256
#define WORKER_MAX_VIF_QUEUES 8

enum worker_msg_type {
	/* broker -> worker */
	WORKER_HELLO,   /* first message; fds: none */
	WORKER_ATTACH,  /* a disk; fds: image, journal file, counters file */
	WORKER_CONNECT, /* rings of an attached disk; fds: one event channel descriptor per ring */
	WORKER_DISCONNECT,  /* drain, unmap, unbind; the disk stays attached */
	WORKER_DETACH,      /* after DISCONNECT: close image and journal */
	WORKER_RESIZE,      /* new size of an attached disk */
	WORKER_STATS,       /* counters of a device, as in its file */
	WORKER_ATTACH_VIF,  /* an interface; fds: state file, then one descriptor per tap
			       queue, then the counters file */
	WORKER_CONNECT_VIF, /* its rings; fds: an event channel descriptor per queue, and one for
			       the control ring if there is one */
	WORKER_HEADROOM,    /* of a connected interface: the frontend wants another xdp-headroom,
			       or multicast packets filtered or no longer filtered */
	/* worker -> broker */
	WORKER_REPLY,      /* answer to any of the above */
	WORKER_RING_ERROR, /* a ring was stopped: the frontend broke the protocol */
	_WORKER_MSG_MAX,
};

/* Ring ABI of the frontend (xenstore key `protocol`). */
enum worker_abi {
	WORKER_ABI_NATIVE, /* x86_64-abi on an x86_64 host */
	WORKER_ABI_X86_32,
	WORKER_ABI_X86_64,
};

struct worker_hello {
	uint32_t version;
	uint32_t domid;
	uint32_t poll_us;        /* longest busy poll after the last request, 0: never poll */
	uint32_t copy_max;       /* requests up to this many bytes use grant copy */
	uint32_t persistent_max; /* persistent grants kept per ring */
};

struct worker_attach {
	struct storage_image image; /* .fd is meaningless here: the descriptor rides along */
};

struct worker_connect {
	uint32_t rings;        /* 1..WORKER_MAX_RINGS */
	uint32_t ring_pages;   /* power of two, 1..WORKER_MAX_RING_PAGES */
	uint32_t abi;          /* enum worker_abi */
	uint32_t max_indirect; /* segments offered to the frontend, 0: none */
	uint8_t persistent;    /* both sides agreed on feature-persistent */
	uint8_t reattach;      /* the frontend was connected before us: recover from the journal */
	uint32_t evtchn[WORKER_MAX_RINGS];
	uint32_t ring_ref[WORKER_MAX_RINGS][WORKER_MAX_RING_PAGES];
};

/* Which numbering `devid` belongs to: handles of interfaces and disks overlap. */
enum worker_class {
	WORKER_VBD,
	WORKER_VIF,
	_WORKER_CLASS_MAX,
};

struct worker_attach_vif {
	uint8_t mac[6];        /* of the frontend */
	uint8_t multicast;     /* multicast control is offered */
	uint8_t static_grants; /* mappings through the control ring are offered */
	uint32_t queues;       /* tap queues that ride along, 1..WORKER_MAX_VIF_QUEUES */
	uint32_t poll_us;      /* longest busy poll after the last packet, 0: never poll */
	uint64_t rate_bytes;   /* what the frontend may send per rate_us; 0: no limit */
	uint32_t rate_us;      /* microseconds, 1..10000000; unused without a limit */
};

/* What the frontend announced, WORKER_VIF_* bits of worker_connect_vif.features. */
#define WORKER_VIF_SG        (1u << 0) /* feature-sg */
#define WORKER_VIF_GSO_TCPV4 (1u << 1) /* feature-gso-tcpv4 */
#define WORKER_VIF_GSO_TCPV6 (1u << 2) /* feature-gso-tcpv6 */
#define WORKER_VIF_CSUM_V4   (1u << 3) /* feature-no-csum-offload is absent or 0 */
#define WORKER_VIF_CSUM_V6   (1u << 4) /* feature-ipv6-csum-offload */
#define WORKER_VIF_RX_NOTIFY (1u << 5) /* feature-rx-notify */
#define WORKER_VIF_MULTICAST (1u << 6) /* request-multicast-control */

struct worker_vif_queue {
	uint32_t tx_ref, rx_ref;
	uint32_t tx_evtchn, rx_evtchn; /* the same number without split event channels */
};

struct worker_connect_vif {
	uint32_t queues; /* 1..the number attached */
	uint32_t features;
	uint8_t reattach;      /* the frontend was connected before us */
	uint8_t has_control;   /* there is a control ring */
	uint16_t xdp_headroom; /* bytes wanted before each received packet, 0..4095 */
	uint32_t control_ref, control_evtchn;
	struct worker_vif_queue queue[WORKER_MAX_VIF_QUEUES];
};

/* All of what a connected frontend may change; sent when any of it has changed. */
struct worker_headroom {
	uint16_t bytes;    /* before each received packet, 0..4095 */
	uint8_t multicast; /* request-multicast-control, as WORKER_VIF_MULTICAST */
};

struct worker_resize {
	uint64_t size; /* bytes */
};

struct worker_reply {
	int32_t error;                /* 0 or a negative errno */
	char text[WORKER_ERROR_SIZE]; /* one line when error is set */
	union {
		struct disk_counts stats;    /* for WORKER_STATS of a disk, all its rings */
		struct vif_counts vif_stats; /* for WORKER_STATS of an interface, all its queues */
	};
};

struct worker_ring_error {
	uint32_t ring;
	int32_t error;
	char text[WORKER_ERROR_SIZE]; /* names the value that was refused */
};

struct worker_msg {
	uint32_t type; /* enum worker_msg_type */
	uint32_t seq;
	uint32_t class; /* enum worker_class; unused for HELLO */
	uint32_t devid; /* unused for HELLO */
	union {
		struct worker_hello hello;
		struct worker_attach attach;
		struct worker_connect connect;
		struct worker_resize resize;
		struct worker_attach_vif attach_vif;
		struct worker_connect_vif connect_vif;
		struct worker_headroom headroom;
		struct worker_reply reply;
		struct worker_ring_error ring_error;
	};
};
