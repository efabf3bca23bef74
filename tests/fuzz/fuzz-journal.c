/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A journal that is damaged in any way is refused or makes sense: as many open
 * requests as the indices say, each slot once, in order. And a second recovery
 * finds the same as the first.
 *
 * Input: the indices of the shared ring and of the journal, then slots.
 */
#include "fuzz.h"
#include "worker/journal.h"

#define SLOTS 32

static void fill(struct journal_ring *ring, struct input *in)
{
	uint32_t base = take_u32(in);

	memset(ring, 0, sizeof(*ring) + SLOTS * sizeof(ring->slot[0]));
	ring->req_cons = base + take_u8(in);
	ring->rsp_prod = base + take_u8(in);
	ring->rsp_intent = base + take_u8(in);
	for (unsigned int i = 0; i < SLOTS && in->size; i++) {
		struct journal_slot *slot = &ring->slot[i];
		uint8_t state = take_u8(in);

		/* mostly a state that there is, mostly an index near the others */
		slot->state = state & 0x80 ? take_u32(in) : state & 3;
		slot->index = state & 0x40 ? take_u32(in) : base + take_u8(in);
		slot->rsp_index = state & 0x20 ? take_u32(in) : base + take_u8(in);
		slot->seq = take_u8(in);
		slot->status = (int8_t)take_u8(in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct journal_ring *ring = malloc(sizeof(*ring) + SLOTS * sizeof(ring->slot[0]));
	struct journal_entry *entry = malloc(SLOTS * sizeof(*entry));
	struct journal_view view = { .ring = ring, .slots = SLOTS };
	uint32_t rsp_prod, req_prod, n = 0, again = 0;
	const char *why = NULL;
	uint64_t seen = 0;

	rsp_prod = take_u8(&in);
	req_prod = take_u8(&in);
	fill(ring, &in);
	rsp_prod += ring->rsp_prod - 2;
	req_prod += rsp_prod;
	if (rsp_prod & 1)
		rsp_prod = ring->rsp_intent;

	if (journal_recover(&view, rsp_prod, req_prod, entry, &n, &why) < 0) {
		MUST_HOLD(why && *why);
		goto out;
	}
	MUST_HOLD(n <= SLOTS);
	MUST_HOLD(n == ring->req_cons - rsp_prod);
	MUST_HOLD(ring->rsp_prod == rsp_prod && ring->rsp_intent == rsp_prod);
	for (uint32_t i = 0; i < n; i++) {
		const struct journal_slot *slot = &ring->slot[entry[i].slot];

		MUST_HOLD(entry[i].slot < SLOTS);
		MUST_HOLD(!(seen & UINT64_C(1) << entry[i].slot));
		seen |= UINT64_C(1) << entry[i].slot;
		MUST_HOLD(slot->state == (entry[i].done ? JOURNAL_DONE : JOURNAL_ACTIVE));
		MUST_HOLD(i == 0 || ring->slot[entry[i - 1].slot].seq <= slot->seq);
		MUST_HOLD(view.seq >= slot->seq);
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		MUST_HOLD((seen >> i & 1) || ring->slot[i].state == JOURNAL_FREE);

	MUST_HOLD(journal_recover(&view, rsp_prod, req_prod, entry, &again, &why) == 0);
	MUST_HOLD(again == n);
out:
	free(entry);
	free(ring);
	return 0;
}
