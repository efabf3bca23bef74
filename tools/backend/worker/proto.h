/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Broker <-> worker: messages over one SOCK_SEQPACKET socket, descriptor 3 of
 * the worker. A message is one struct worker_msg, native byte order, whole or
 * not at all; descriptors ride along with SCM_RIGHTS in the order documented.
 *
 * The broker asks, the worker answers each request exactly once with the same
 * `seq`, and in order for one devid. RING_ERROR comes unasked. When the socket
 * closes the worker ends at once: in-flight I/O stays in the journals and the
 * next worker takes it up.
 *
 * Neither side trusts the other with more than it needs: the worker validates
 * nothing that came from the guest through the broker twice, but the broker
 * never acts on a worker's numbers beyond reporting them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "storage/storage.h"

#define WORKER_PROTO_VERSION  1
#define WORKER_CONTROL_FD     3
#define WORKER_MAX_RINGS      32
#define WORKER_MAX_RING_PAGES 16
#define WORKER_ERROR_SIZE     256

enum worker_msg_type {
	/* broker -> worker */
	WORKER_HELLO,   /* first message; fds: none */
	WORKER_ATTACH,  /* a disk; fds: image, then one journal file */
	WORKER_CONNECT, /* rings of an attached disk; fds: one event channel descriptor per ring */
	WORKER_DISCONNECT, /* drain, unmap, unbind; the disk stays attached */
	WORKER_DETACH,     /* after DISCONNECT: close image and journal */
	WORKER_RESIZE,     /* new size of an attached disk */
	WORKER_STATS,      /* counters of a disk */
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

struct worker_resize {
	uint64_t size; /* bytes */
};

/* Counters of one disk, summed over its rings since it was attached. */
struct worker_stats {
	uint64_t requests[7]; /* by blkif operation code */
	uint64_t sectors_read;
	uint64_t sectors_written;
	uint64_t errors;
	uint64_t events_received;
	uint64_t events_sent;
	uint64_t polls;        /* passes that found work without an event */
	uint64_t grant_copies; /* batched copy calls */
	uint64_t grant_maps;   /* map calls */
	uint64_t grant_unmaps;
	uint64_t persistent_hits;
	uint64_t replayed; /* requests taken up from a journal */
};

struct worker_reply {
	int32_t error;                /* 0 or a negative errno */
	char text[WORKER_ERROR_SIZE]; /* one line when error is set */
	struct worker_stats stats;    /* for WORKER_STATS */
};

struct worker_ring_error {
	uint32_t ring;
	int32_t error;
	char text[WORKER_ERROR_SIZE]; /* names the value that was refused */
};

struct worker_msg {
	uint32_t type; /* enum worker_msg_type */
	uint32_t seq;
	uint32_t devid; /* unused for HELLO */
	union {
		struct worker_hello hello;
		struct worker_attach attach;
		struct worker_connect connect;
		struct worker_resize resize;
		struct worker_reply reply;
		struct worker_ring_error ring_error;
	};
};
