/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-grants.h"

#include <errno.h>
#include <string.h>

#define NONE VIF_GRANTS_MAX

_Static_assert((VIF_GRANTS_MAX & (VIF_GRANTS_MAX - 1)) == 0, "a power of two");

static uint32_t bucket_of(uint32_t ref)
{
	/* references are handed out in runs, mostly */
	return (ref ^ ref >> 10 ^ ref >> 20) & (VIF_GRANTS_MAX - 1);
}

void vif_grants_init(struct vif_grants *g)
{
	memset(g, 0, sizeof(*g));
	for (uint16_t i = 0; i < VIF_GRANTS_MAX; i++) {
		g->bucket[i] = NONE;
		g->grant[i].next = i + 1;
	}
}

static uint16_t find(const struct vif_grants *g, uint32_t ref)
{
	uint16_t i = g->bucket[bucket_of(ref)];

	while (i != NONE && g->grant[i].ref != ref)
		i = g->grant[i].next;
	return i;
}

void *vif_grants_find(const struct vif_grants *g, uint32_t ref, bool writing)
{
	uint16_t i;

	if (!g->used)
		return NULL;
	i = find(g, ref);
	return i == NONE || (writing && g->grant[i].readonly) ? NULL : g->grant[i].addr;
}

int vif_grants_add(struct vif_grants *g, uint32_t ref, bool readonly, void *addr)
{
	uint32_t b = bucket_of(ref);
	uint16_t i = g->free;

	if (find(g, ref) != NONE)
		return -EEXIST;
	if (i == NONE)
		return -ENOSPC;
	g->free = g->grant[i].next;
	g->grant[i] = (struct vif_grant){ ref, g->bucket[b], readonly, addr };
	g->bucket[b] = i;
	g->used++;
	return 0;
}

void *vif_grants_remove(struct vif_grants *g, uint32_t ref)
{
	uint16_t *link = &g->bucket[bucket_of(ref)];
	uint16_t i;
	void *addr;

	while (*link != NONE && g->grant[*link].ref != ref)
		link = &g->grant[*link].next;
	i = *link;
	if (i == NONE)
		return NULL;
	addr = g->grant[i].addr;
	*link = g->grant[i].next;
	g->grant[i] = (struct vif_grant){ .next = g->free };
	g->free = i;
	g->used--;
	return addr;
}
