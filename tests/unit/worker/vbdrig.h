/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's disk without a guest: a domain of tests/loopfront with blkif rings, and a
 * worker process (xenpv-worker-loop) that is told to serve them. Plays broker and
 * frontend both, honest or not. For tests and benchmarks; one thread a ring.
 *
 * Functions that can fail for no fault of the worker abort the program with a message.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loopfront.h"
#include "storage/storage.h"
#include "worker/abi.h"
#include "worker/proto.h"

#define RIG_MAX_RINGS 4
#define RIG_TIMEOUT   10000 /* ms, for everything that is awaited */

struct rig_response {
	uint64_t id;
	uint8_t op;
	int16_t status;
};

/* One ring, as a frontend has it. */
struct rig_ring {
	struct rig *rig;
	const struct abi *abi;
	uint32_t slots;
	uint32_t pages;
	uint8_t *shared;
	uint32_t ref[WORKER_MAX_RING_PAGES];
	uint32_t port;
	uint32_t req_prod; /* private, ahead of the shared one until rig_push() */
	uint32_t rsp_cons;
};

struct rig_options {
	uint64_t size;     /* of the image, bytes; 0: 16 MiB */
	const char *image; /* path; NULL: a memfd */
	bool direct;
	bool readonly;
	bool discard;
	uint32_t logical_block; /* 0: 512 */
	uint32_t rings;         /* 0: 1 */
	uint32_t ring_pages;    /* 0: 1 */
	uint32_t abi;
	uint32_t data_pages; /* 0: 512 */
	uint32_t max_indirect;
	bool persistent;
	uint32_t copy_max;
	uint32_t poll_us;
	uint32_t persistent_max;
};

struct rig {
	struct rig_options o;
	struct loopfront_hub *hub;
	struct loopfront *lf;
	pid_t worker;
	int sock;
	uint32_t seq;
	int image_fd;
	int plain_fd; /* the image without O_DIRECT, for us to look at */
	int journal_fd;
	int counters_fd;
	struct storage_image image;
	struct rig_ring ring[RIG_MAX_RINGS];
	/* data pages, all granted: page N is frame data_frame + N, reference data_ref[N] */
	uint64_t data_frame;
	uint32_t *data_ref;
	uint8_t *data;
	uint32_t *readonly_ref;              /* the same pages, granted read-only; made on demand */
	struct worker_ring_error ring_error; /* the last one, when has_ring_error */
	bool has_ring_error;
	char error[WORKER_ERROR_SIZE]; /* text of the last refused message */
	struct disk_counts stats;      /* of the last rig_stats() */
};

/* Domain, image, journal; the worker is not there yet. */
void rig_init(struct rig *rig, const struct rig_options *o);
void rig_free(struct rig *rig);

/* Start a worker and say HELLO; end it by closing the socket, or with SIGKILL. */
void rig_start_worker(struct rig *rig);
void rig_stop_worker(struct rig *rig);
void rig_kill_worker(struct rig *rig);

/* Has the worker ended by itself? */
bool rig_worker_gone(struct rig *rig);

/* Zero the rings as a frontend does that connects anew. */
void rig_reset_rings(struct rig *rig);

/* Messages; each returns the worker's answer. */
int rig_attach(struct rig *rig);
int rig_connect(struct rig *rig, bool reattach);
/* rig_try_...: the same, but -ECONNRESET when the worker dies over it. */
int rig_try_connect(struct rig *rig, bool reattach);
int rig_disconnect(struct rig *rig);
int rig_try_disconnect(struct rig *rig);
int rig_detach(struct rig *rig);
int rig_resize(struct rig *rig, uint64_t size);
int rig_stats(struct rig *rig);
/* One message as it is, with descriptors. */
int rig_call(struct rig *rig, struct worker_msg *msg, const int *fds, size_t n);

/* worker, ATTACH and CONNECT in one. Returns the answer to the last. */
int rig_up(struct rig *rig, bool reattach);

/* Await RING_ERROR. False: it did not come. */
bool rig_await_ring_error(struct rig *rig);

/* Put raw bytes into the next slot. */
void rig_put_raw(struct rig_ring *ring, const void *slot, size_t size);

/* Segment descriptor as on the wire. */
struct rig_segment {
	uint32_t ref;
	uint8_t first, last;
	uint8_t pad[2];
};

void rig_put_rw(struct rig_ring *ring, uint8_t op, uint64_t id, uint64_t sector,
		const struct rig_segment *seg, unsigned int n);
/* @n goes to the wire as it is; at most 11 of @seg are stored. */
void rig_put_discard(struct rig_ring *ring, uint64_t id, uint64_t sector, uint64_t nr,
		     uint8_t flag);
void rig_put_indirect(struct rig_ring *ring, uint8_t op, uint64_t id, uint64_t sector, uint16_t n,
		      const uint32_t *refs);

/* Publish the requests, and send an event if the backend asked for one. Returns whether. */
bool rig_push(struct rig_ring *ring);

/* Take a response if there is one. */
bool rig_take(struct rig_ring *ring, struct rig_response *ret);

/* Await and take a response; aborts after RIG_TIMEOUT. */
struct rig_response rig_await(struct rig_ring *ring);

/* Push, await the one response and return its status; checks its id. */
int rig_do(struct rig_ring *ring, uint64_t id);

uint32_t *rig_index(struct rig_ring *ring, unsigned int which); /* 0 req_prod, 1 req_event, ... */

/* Await that the backend has let go of all event channels (the hub tells us). False: it has not. */
bool rig_await_unbound(struct rig *rig);

/* How many grants the worker has mapped, ring pages included. */
unsigned int rig_mapped(struct rig *rig);

__attribute__((noreturn, format(printf, 1, 2))) void rig_die(const char *fmt, ...);
