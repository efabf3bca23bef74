/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend's end of a shared ring (ring.h of the public headers): blkif's, with
 * both ABIs, and those of netif, which are the same in both. Knows indices and slots, not what
 * requests mean. One thread.
 *
 * Everything in the shared pages may change under our hands: each index is
 * loaded once and checked, each slot copied once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/abi.h"

#define RING_UNDO_SIZE (256u * 12u) /* bytes of slots: the larger of netif's data rings */

/*
 * A response takes the place of a request, so a backend that dies between writing
 * responses and publishing them has destroyed requests that nobody has answered. What
 * was there is kept here, in memory that outlives the process.
 */
struct ring_undo {
	_Atomic uint32_t put; /* what rsp_prod was about to become */
	uint8_t slot[RING_UNDO_SIZE];
};

struct ring {
	void *shared;           /* the mapped pages; not owned */
	struct ring_undo *undo; /* used by ring_put_raw(); not owned; NULL: none */
	const struct abi *abi;
	uint32_t slots;
	uint32_t req_cons;  /* next request to take */
	uint32_t rsp_prod;  /* next response to write, ahead of published by a pass */
	uint32_t published; /* what the frontend sees as rsp_prod */
	uint32_t bad_prod;  /* the value that ring_pending() refused */
};

/*
 * ring_attach - begin to serve the ring in @shared
 * @pages: of 4 KiB, mapped contiguously
 * @req_cons, @published: where to go on; for a ring that nothing is in flight on,
 *   both are ring_shared_rsp_prod()
 *
 * Returns 0 or -EINVAL (a page count that no ring has).
 */
int ring_attach(struct ring *ring, void *shared, uint32_t pages, const struct abi *abi,
		uint32_t req_cons, uint32_t published);

/* The published response index as the shared page has it now. */
uint32_t ring_shared_rsp_prod(const void *shared);

/*
 * Requests that wait, 0..slots. -EPROTO when the producer index cannot be: it
 * went backwards or ran past the responses by more than the ring holds; the
 * value is then in bad_prod. (ring.h, RING_REQUEST_PROD_OVERFLOW)
 */
int ring_pending(struct ring *ring);

/* Copy the request with index @index, once; bytes past the slot are zeroed. */
void ring_copy_request(const struct ring *ring, uint32_t index, uint8_t ret[static ABI_MAX_SLOT]);

/* Write a response at rsp_prod and advance it. The frontend sees nothing of it yet. */
void ring_put_response(struct ring *ring, uint64_t id, uint8_t op, int16_t status);

/* The same for the rings of netif.h: @size bytes at the start of the slot. */
void ring_put_raw(struct ring *ring, const void *response, size_t size);

/*
 * ring_keep_undo - keep in @undo what responses overwrite, from now on
 * @restore: @undo was kept by the one who served this ring before: first put back the
 *   requests that it overwrote and did not answer
 */
void ring_keep_undo(struct ring *ring, struct ring_undo *undo, bool restore);

/*
 * Make the responses before rsp_prod visible. True: the frontend asked for an
 * event for one of them. (ring.h, RING_PUSH_RESPONSES_AND_CHECK_NOTIFY)
 */
bool ring_publish(struct ring *ring);

/*
 * Ask for an event with the next request, and look once more. Returns as
 * ring_pending(). (ring.h, RING_FINAL_CHECK_FOR_REQUESTS)
 */
int ring_arm(struct ring *ring);

/* The same, but the event is to come with the @need-th request from req_cons on, 1..slots. */
int ring_arm_for(struct ring *ring, uint32_t need);

/*
 * Ask for no events until the next ring_arm(): for who looks into the ring anyway. One
 * that is on its way still comes. (ring.h, RING_PUSH_REQUESTS_AND_CHECK_NOTIFY: no event
 * before the index has gone round)
 */
void ring_disarm(struct ring *ring);
