/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "worker/crashpoint.h"

/* The four indices at the head of the shared page, in the order of ring.h. */
struct indices {
	_Atomic uint32_t req_prod;
	_Atomic uint32_t req_event;
	_Atomic uint32_t rsp_prod;
	_Atomic uint32_t rsp_event;
};

static struct indices *indices(const struct ring *ring)
{
	return ring->shared;
}

static uint8_t *slot(const struct ring *ring, uint32_t index)
{
	return (uint8_t *)ring->shared + ABI_RING_HEADER +
	       (size_t)(index & (ring->slots - 1)) * ring->abi->slot_size;
}

uint32_t ring_shared_rsp_prod(const void *shared)
{
	const struct indices *ix = shared;

	return atomic_load_explicit(&ix->rsp_prod, memory_order_acquire);
}

int ring_attach(struct ring *ring, void *shared, uint32_t pages, const struct abi *abi,
		uint32_t req_cons, uint32_t published)
{
	uint32_t slots = abi_ring_slots(abi, pages);

	if (!slots)
		return -EINVAL;
	*ring = (struct ring){
		.shared = shared,
		.abi = abi,
		.slots = slots,
		.req_cons = req_cons,
		.rsp_prod = published,
		.published = published,
	};
	return 0;
}

int ring_pending(struct ring *ring)
{
	uint32_t prod = atomic_load_explicit(&indices(ring)->req_prod, memory_order_acquire);
	uint32_t n = prod - ring->req_cons;

	if (n > ring->slots - (ring->req_cons - ring->published)) {
		ring->bad_prod = prod;
		return -EPROTO;
	}
	return (int)n;
}

void ring_copy_request(const struct ring *ring, uint32_t index, uint8_t ret[static ABI_MAX_SLOT])
{
	const volatile uint32_t *from = (const volatile uint32_t *)slot(ring, index);
	uint32_t i, word;

	/* XSA-155: each word is loaded exactly once, whatever the compiler thinks */
	for (i = 0; i < ring->abi->slot_size; i += sizeof(word)) {
		word = *from++;
		memcpy(ret + i, &word, sizeof(word));
	}
	memset(ret + i, 0, ABI_MAX_SLOT - i);
}

void ring_put_response(struct ring *ring, uint64_t id, uint8_t op, int16_t status)
{
	uint8_t *to = slot(ring, ring->rsp_prod++);

	memcpy(to, &id, sizeof(id));
	to[ring->abi->response_op] = op;
	memcpy(to + ring->abi->response_status, &status, sizeof(status));
	crash_point();
}

static uint8_t *undo_slot(const struct ring *ring, uint32_t index)
{
	return ring->undo->slot + (size_t)(index & (ring->slots - 1)) * ring->abi->slot_size;
}

void ring_put_raw(struct ring *ring, const void *response, size_t size)
{
	uint32_t index = ring->rsp_prod++;

	if (ring->undo) {
		memcpy(undo_slot(ring, index), slot(ring, index), ring->abi->slot_size);
		atomic_store_explicit(&ring->undo->put, index + 1, memory_order_release);
		/* in this order even if the process is killed in between */
		atomic_signal_fence(memory_order_seq_cst);
		crash_point();
	}
	memcpy(slot(ring, index), response, size);
	crash_point();
}

void ring_keep_undo(struct ring *ring, struct ring_undo *undo, bool restore)
{
	uint32_t n = atomic_load_explicit(&undo->put, memory_order_acquire) - ring->published;

	ring->undo = undo;
	if (restore && n <= ring->slots) {
		for (uint32_t i = ring->published; n--; i++)
			memcpy(slot(ring, i), undo_slot(ring, i), ring->abi->slot_size);
	}
	atomic_store_explicit(&undo->put, ring->published, memory_order_release);
}

bool ring_publish(struct ring *ring)
{
	struct indices *ix = indices(ring);
	uint32_t old = ring->published;
	uint32_t index = ring->rsp_prod;
	uint32_t event;

	atomic_store_explicit(&ix->rsp_prod, index, memory_order_release);
	ring->published = index;
	crash_point();
	/* the frontend sees the responses before we look for its wish to be told */
	atomic_thread_fence(memory_order_seq_cst);
	event = atomic_load_explicit(&ix->rsp_event, memory_order_relaxed);
	return (uint32_t)(index - event) < (uint32_t)(index - old);
}

int ring_arm_for(struct ring *ring, uint32_t need)
{
	int n = ring_pending(ring);

	if (n < 0 || (uint32_t)n >= need)
		return n;
	atomic_store_explicit(&indices(ring)->req_event, ring->req_cons + need,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	return ring_pending(ring);
}

int ring_arm(struct ring *ring)
{
	return ring_arm_for(ring, 1);
}

void ring_disarm(struct ring *ring)
{
	/* the frontend compares what it publishes with this, and has published it already */
	atomic_store_explicit(&indices(ring)->req_event, ring->req_cons, memory_order_relaxed);
}
