/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that were taken from the tap in one call and have not been looked at. They stay
 * where they are until they have been copied to the guest; the next ones are taken when all
 * of them have been. Belongs to the thread of its queue.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/tap-batch.h"

#define VIF_STAGE_PACKETS 16u

struct vif_stage {
	uint8_t *buf; /* made when first used */
	struct tap_packet packet[VIF_STAGE_PACKETS];
	uint32_t nr, next; /* packets that were taken from the tap; of them looked at */
	bool in_use;       /* what was looked at is yet to be copied */
	int end;           /* what the tap said behind the last one; 0: nothing */
};

void vif_stage_free(struct vif_stage *s);

/* Packets that nobody has looked at. */
static inline uint32_t vif_stage_left(const struct vif_stage *s)
{
	return s->nr - s->next;
}

/*
 * vif_stage_fill - take up to @n packets; there are none left, and it is not in use
 *
 * Returns how many; what the tap said then is in end. -ENOMEM: there is no memory for that.
 */
int vif_stage_fill(struct vif_stage *s, struct tap_batch *batch, int tap, uint32_t n);

/* The next one; there is one left. Returns what tap_read() would have, with its place. */
ssize_t vif_stage_take(struct vif_stage *s, uint8_t **ret);

/* Is it here that @frame lies? */
bool vif_stage_has(const struct vif_stage *s, const uint8_t *frame);
