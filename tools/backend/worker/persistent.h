/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grants that stay mapped because the frontend uses them again
 * (blkif.h, feature-persistent). Mapped in runs, as they come; found by their
 * reference; the run that was idle longest goes when room is needed. One thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "host/host.h"

struct persistent_run;

struct persistent_page {
	struct persistent_page *chain; /* in its bucket */
	struct persistent_run *run;
	uint32_t gref;
};

struct persistent_stats {
	uint64_t hits;
	uint64_t maps;
	uint64_t unmaps;
};

struct persistent {
	struct host_gnt *gnt;
	uint32_t max;    /* pages */
	uint32_t mapped; /* pages */
	uint32_t mask;   /* buckets - 1 */
	struct persistent_page **bucket;
	struct persistent_run *newest; /* by last use */
	struct persistent_run *oldest;
	struct persistent_stats stats;
};

/* Returns 0 or -ENOMEM. @max: pages, 0: nothing is ever kept. */
int persistent_init(struct persistent *p, struct host_gnt *gnt, uint32_t max);

/* Unmap everything. No page may be in use. */
void persistent_free(struct persistent *p);

/*
 * persistent_get - the addresses of @n grants, mapping those that are not yet
 * @ret_page: one per grant, for persistent_put()
 * @ret_addr: where each is mapped, readable and writable
 *
 * Errors: -ENOSPC (no room: the bound is reached and all is in use), others of
 * host_gnt_map(). After an error nothing is held.
 */
int persistent_get(struct persistent *p, const uint32_t *grefs, size_t n,
		   struct persistent_page **ret_page, void **ret_addr);

/* The addresses of @n pages that are in use, as persistent_get() returned them. */
void persistent_addresses(struct persistent_page *const *page, size_t n, void **ret_addr);

/* End the use of what one persistent_get() returned. */
void persistent_put(struct persistent *p, struct persistent_page *const *page, size_t n);
