/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frontend domain in user space, for tests, fuzzers and benchmarks of a backend that
 * is linked with host/loop. It has memory, a grant table and event channels, and no
 * kernel and no xenstore: whatever a hostile guest could put there, a test can.
 *
 *	struct loopfront_hub *hub;
 *	struct loopfront *lf;
 *
 *	loopfront_hub_start(&hub);
 *	loopfront_open(NULL, 256, &lf);
 *	frame = loopfront_alloc(lf, 1);
 *	ref = loopfront_grant(lf, frame, false);
 *	port = loopfront_evtchn_alloc(lf);
 *	... hand (loopfront_domid(lf), ref, port) to the backend ...
 *	loopfront_notify(lf, port);
 *	loopfront_wait(lf, port, 1000);
 *
 * Functions return 0 or a value on success and a negative errno on failure. Grants and
 * frames are for one thread at a time; notify and wait for one thread a port.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loopfront;
struct loopfront_hub;

/*
 * loopfront_hub_start - start a hub of one's own, in a directory of its own under /tmp
 *
 * Sets the environment variable XENPV_LOOP_SOCKET. The program is found in XENPV_HUB or
 * where the build put it. The hub ends with this process.
 */
int loopfront_hub_start(struct loopfront_hub **ret);
void loopfront_hub_stop(struct loopfront_hub *hub);

/*
 * loopfront_open - create a domain of @pages pages (at least 80) and start it
 * @socket: of the hub; NULL means the environment variable XENPV_LOOP_SOCKET
 */
int loopfront_open(const char *socket, size_t pages, struct loopfront **ret);

/* The domain dies; what a backend has mapped stays valid for the backend. */
void loopfront_close(struct loopfront *lf);

uint32_t loopfront_domid(const struct loopfront *lf);

/* Take @n adjacent zeroed frames, for good. Returns the first frame number or -ENOSPC. */
int64_t loopfront_alloc(struct loopfront *lf, size_t n);

/* The address of a frame. */
void *loopfront_page(struct loopfront *lf, uint64_t frame);

/* Grant @frame (any number, also one that does not exist) to the host; returns the reference. */
int64_t loopfront_grant(struct loopfront *lf, uint64_t frame, bool readonly);

/* Withdraw a grant and free its reference; -EBUSY while it is mapped, then nothing is done. */
int loopfront_revoke(struct loopfront *lf, uint32_t ref);

/* Whether the host has the grant mapped: bits GTF_reading and GTF_writing. */
uint16_t loopfront_grant_use(struct loopfront *lf, uint32_t ref);

/* Write a grant entry as it is, for what a sane guest would not do. */
void loopfront_grant_raw(struct loopfront *lf, uint32_t ref, uint16_t flags, uint16_t domid,
			 uint32_t frame);

/* A new event channel port that the host may bind. */
int loopfront_evtchn_alloc(struct loopfront *lf);
int loopfront_evtchn_close(struct loopfront *lf, uint32_t port);

/* Whether the host has bound the port at present. */
bool loopfront_evtchn_bound(struct loopfront *lf, uint32_t port);

int loopfront_notify(struct loopfront *lf, uint32_t port);

/*
 * loopfront_wait - wait for an event on @port and take it
 *
 * Returns 0, or -ETIMEDOUT after @timeout_ms. Events coalesce, as in Xen.
 */
int loopfront_wait(struct loopfront *lf, uint32_t port, int timeout_ms);
