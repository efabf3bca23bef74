/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ids of the requests in flight on one ring, to notice one used twice. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct idset {
	uint32_t capacity; /* members at most; member numbers are 0..capacity-1 */
	uint32_t mask;     /* buckets - 1 */
	uint16_t *bucket;  /* first member of each, NONE when empty */
	uint16_t *next;    /* per member */
	uint64_t *id;      /* per member */
};

/* @capacity: 1..32768. Returns 0 or -ENOMEM. */
int idset_init(struct idset *set, uint32_t capacity);
void idset_free(struct idset *set);

/* Add @id as member number @member, which is not in use. False: @id is in the set already. */
bool idset_add(struct idset *set, uint32_t member, uint64_t id);
void idset_remove(struct idset *set, uint32_t member);
