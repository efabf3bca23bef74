/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pages of a queue that the frontend had mapped for good (netif.h, "Static
 * Grants"): from a grant reference to an address. Looked at and changed by the
 * queue's thread; maps and unmaps nothing itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIF_GRANTS_MAX 1024u /* pages of one queue: both rings twice */

struct vif_grant {
	uint32_t ref;
	uint16_t next; /* in its bucket or the free list; VIF_GRANTS_MAX: none */
	bool readonly;
	void *addr; /* one page; NULL: not in use */
};

struct vif_grants {
	uint32_t used;
	uint16_t free;
	uint16_t bucket[VIF_GRANTS_MAX];
	struct vif_grant grant[VIF_GRANTS_MAX];
};

void vif_grants_init(struct vif_grants *g);

/* The address of the page behind @ref, NULL when it is not mapped, or not for @writing. */
void *vif_grants_find(const struct vif_grants *g, uint32_t ref, bool writing);

/* -EEXIST: @ref is mapped already; -ENOSPC. */
int vif_grants_add(struct vif_grants *g, uint32_t ref, bool readonly, void *addr);

/* Forget @ref; returns its address, which is to be unmapped, or NULL: it is not there. */
void *vif_grants_remove(struct vif_grants *g, uint32_t ref);
