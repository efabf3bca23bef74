/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/idset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT16_MAX

int idset_init(struct idset *set, uint32_t capacity)
{
	uint32_t buckets = 16;

	while (buckets < capacity * 2)
		buckets *= 2;
	*set = (struct idset){
		.capacity = capacity,
		.mask = buckets - 1,
		.bucket = malloc(buckets * sizeof(*set->bucket)),
		.next = malloc(capacity * sizeof(*set->next)),
		.id = malloc(capacity * sizeof(*set->id)),
	};
	if (!set->bucket || !set->next || !set->id) {
		idset_free(set);
		return -ENOMEM;
	}
	memset(set->bucket, 0xff, buckets * sizeof(*set->bucket));
	return 0;
}

void idset_free(struct idset *set)
{
	free(set->bucket);
	free(set->next);
	free(set->id);
	*set = (struct idset){ 0 };
}

/* Ids are tags, indices or pointers: a multiplication spreads all of them. */
static uint16_t *bucket_of(const struct idset *set, uint64_t id)
{
	return &set->bucket[((id * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & set->mask];
}

bool idset_add(struct idset *set, uint32_t member, uint64_t id)
{
	uint16_t *bucket = bucket_of(set, id);

	for (uint16_t m = *bucket; m != NONE; m = set->next[m]) {
		if (set->id[m] == id)
			return false;
	}
	set->id[member] = id;
	set->next[member] = *bucket;
	*bucket = (uint16_t)member;
	return true;
}

void idset_remove(struct idset *set, uint32_t member)
{
	uint16_t *link = bucket_of(set, set->id[member]);

	while (*link != member)
		link = &set->next[*link];
	*link = set->next[member];
}
