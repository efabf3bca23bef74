/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend walks a ring whose indices the frontend sets as it likes, in between
 * any two steps: it never takes more than the ring holds, and never leaves it.
 *
 * Input: options, first index, then steps.
 */
#include <errno.h>

#include "fuzz.h"
#include "host/host.h"
#include "worker/idset.h"
#include "worker/ring.h"

struct walk {
	struct ring ring;
	struct idset ids;
	uint8_t *shared;
	uint32_t *open; /* members of ids in the order they were taken */
	uint32_t nr_open;
	uint32_t *free;
	uint32_t nr_free;
};

static void set_index(struct walk *w, unsigned int which, uint32_t value)
{
	memcpy(w->shared + which * 4, &value, 4);
}

static void check_indices(const struct walk *w)
{
	const struct ring *r = &w->ring;

	MUST_HOLD(r->req_cons - r->published <= r->slots);
	MUST_HOLD(r->rsp_prod - r->published <= r->slots);
	MUST_HOLD(r->req_cons - r->rsp_prod == w->nr_open);
	MUST_HOLD(ring_shared_rsp_prod(w->shared) == r->published);
}

/* Take what is there. False: the ring is broken. */
static bool take(struct walk *w)
{
	int n = ring_pending(&w->ring);

	if (n < 0) {
		MUST_HOLD(n == -EPROTO);
		return false;
	}
	MUST_HOLD((uint32_t)n <= w->ring.slots - (w->ring.req_cons - w->ring.published));
	while (n--) {
		uint8_t *slot = malloc(ABI_MAX_SLOT);
		uint32_t member;
		uint64_t id;

		ring_copy_request(&w->ring, w->ring.req_cons, slot);
		memcpy(&id, slot + w->ring.abi->id, 8);
		free(slot);
		MUST_HOLD(w->nr_free > 0);
		member = w->free[w->nr_free - 1];
		if (!idset_add(&w->ids, member, id))
			return false;
		w->nr_free--;
		w->ring.req_cons++;
		w->open[w->nr_open++] = member;
	}
	return true;
}

static void answer(struct walk *w, uint8_t which)
{
	uint32_t at, member;

	if (!w->nr_open)
		return;
	at = which % w->nr_open;
	member = w->open[at];
	ring_put_response(&w->ring, w->ids.id[member], which, -1);
	idset_remove(&w->ids, member);
	w->open[at] = w->open[--w->nr_open];
	w->free[w->nr_free++] = member;
}

/* One step; false ends the walk. */
static bool step(struct walk *w, struct input *in)
{
	uint8_t op = take_u8(in);
	uint32_t at, n;

	switch (op % 7) {
	case 0: /* the frontend produces a few */
		set_index(w, 0, w->ring.req_cons + take_u8(in) % 40);
		return true;
	case 1: /* or sets any index but ours to anything */
		at = take_u8(in) % 3;
		set_index(w, at == 2 ? 3 : at, take_u32(in));
		return true;
	case 2: /* or writes into a slot */
		at = take_u32(in) % (w->ring.slots * w->ring.abi->slot_size);
		n = w->ring.slots * w->ring.abi->slot_size - at;
		take_bytes(in, w->shared + ABI_RING_HEADER + at, n < 16 ? n : 16);
		return true;
	case 3:
		return take(w);
	case 4:
		answer(w, take_u8(in));
		return true;
	case 5:
		ring_publish(&w->ring);
		return true;
	default:
		return ring_arm(&w->ring) >= 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t options = take_u8(&in);
	uint32_t pages = 1u << (options >> 1 & 3), first = take_u32(&in);
	struct walk w = { 0 };

	w.shared = aligned_alloc(HOST_PAGE_SIZE, pages * HOST_PAGE_SIZE);
	memset(w.shared, 0, pages * HOST_PAGE_SIZE);
	set_index(&w, 0, first);
	set_index(&w, 2, first);
	MUST_HOLD(ring_attach(&w.ring, w.shared, pages,
			      abi_get(options & 1 ? WORKER_ABI_X86_32 : WORKER_ABI_X86_64), first,
			      first) == 0);
	w.open = malloc(w.ring.slots * sizeof(*w.open));
	w.free = malloc(w.ring.slots * sizeof(*w.free));
	for (uint32_t i = 0; i < w.ring.slots; i++)
		w.free[w.nr_free++] = i;
	MUST_HOLD(idset_init(&w.ids, w.ring.slots) == 0);

	while (in.size && step(&w, &in))
		check_indices(&w);

	idset_free(&w.ids);
	free(w.free);
	free(w.open);
	free(w.shared);
	return 0;
}
