/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/persistent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "worker/abi.h"

struct persistent_run {
	struct persistent_run *newer;
	struct persistent_run *older;
	void *addr;
	uint32_t pages;
	uint32_t users;
	struct persistent_page page[];
};

int persistent_init(struct persistent *p, struct host_gnt *gnt, uint32_t max)
{
	uint32_t buckets = 16;

	while (buckets < max && buckets < 65536)
		buckets *= 2;
	*p = (struct persistent){ .gnt = gnt, .max = max, .mask = buckets - 1 };
	p->bucket = calloc(buckets, sizeof(*p->bucket));
	return p->bucket ? 0 : -ENOMEM;
}

static struct persistent_page **bucket_of(const struct persistent *p, uint32_t gref)
{
	return &p->bucket[((gref * UINT32_C(0x9e3779b1)) >> 8) & p->mask];
}

static struct persistent_page *find(const struct persistent *p, uint32_t gref)
{
	struct persistent_page *page = *bucket_of(p, gref);

	while (page && page->gref != gref)
		page = page->chain;
	return page;
}

static void *address(const struct persistent_page *page)
{
	return (char *)page->run->addr + (page - page->run->page) * (size_t)HOST_PAGE_SIZE;
}

static void take_out(struct persistent *p, struct persistent_run *run)
{
	*(run->newer ? &run->newer->older : &p->newest) = run->older;
	*(run->older ? &run->older->newer : &p->oldest) = run->newer;
}

static void put_in_front(struct persistent *p, struct persistent_run *run)
{
	run->newer = NULL;
	run->older = p->newest;
	*(p->newest ? &p->newest->newer : &p->oldest) = run;
	p->newest = run;
}

static void drop(struct persistent *p, struct persistent_run *run)
{
	for (uint32_t i = 0; i < run->pages; i++) {
		struct persistent_page **link = bucket_of(p, run->page[i].gref);

		while (*link != &run->page[i])
			link = &(*link)->chain;
		*link = run->page[i].chain;
	}
	take_out(p, run);
	host_gnt_unmap(p->gnt, run->addr, run->pages);
	p->stats.unmaps++;
	p->mapped -= run->pages;
	free(run);
}

/* Make room for @pages more; what is in use stays. */
static int make_room(struct persistent *p, uint32_t pages)
{
	struct persistent_run *run = p->oldest, *next;

	if (pages > p->max)
		return -ENOSPC;
	for (; run && p->mapped + pages > p->max; run = next) {
		next = run->newer;
		if (!run->users)
			drop(p, run);
	}
	return p->mapped + pages > p->max ? -ENOSPC : 0;
}

static int map_run(struct persistent *p, const uint32_t *grefs, uint32_t n)
{
	struct persistent_run *run;
	int r;

	r = make_room(p, n);
	if (r < 0)
		return r;
	run = calloc(1, sizeof(*run) + n * sizeof(run->page[0]));
	if (!run)
		return -ENOMEM;
	r = host_gnt_map(p->gnt, grefs, n, PROT_READ | PROT_WRITE, &run->addr);
	p->stats.maps++;
	if (r < 0) {
		free(run);
		return r;
	}

	run->pages = n;
	for (uint32_t i = 0; i < n; i++) {
		struct persistent_page **bucket = bucket_of(p, grefs[i]);

		run->page[i] =
			(struct persistent_page){ .chain = *bucket, .run = run, .gref = grefs[i] };
		*bucket = &run->page[i];
	}
	put_in_front(p, run);
	p->mapped += n;
	return 0;
}

int persistent_get(struct persistent *p, const uint32_t *grefs, size_t n,
		   struct persistent_page **ret_page, void **ret_addr)
{
	uint32_t missing[ABI_MAX_SEGMENTS];
	uint32_t nr_missing = 0;
	int r = 0;

	assert(n <= ABI_MAX_SEGMENTS);
	/* hold what is there first, so that making room does not take it away */
	for (size_t i = 0; i < n; i++) {
		ret_page[i] = find(p, grefs[i]);
		if (ret_page[i]) {
			ret_page[i]->run->users++;
			continue;
		}
		for (uint32_t m = 0;; m++) {
			if (m == nr_missing)
				missing[nr_missing++] = grefs[i];
			if (missing[m] == grefs[i])
				break; /* one page, named twice */
		}
	}
	if (nr_missing) {
		r = map_run(p, missing, nr_missing);
		if (r < 0)
			goto out;
	}
	p->stats.hits += n - nr_missing;

	for (size_t i = 0; i < n; i++) {
		if (!ret_page[i]) {
			ret_page[i] = find(p, grefs[i]);
			ret_page[i]->run->users++;
		}
		if (p->newest != ret_page[i]->run) {
			take_out(p, ret_page[i]->run);
			put_in_front(p, ret_page[i]->run);
		}
		ret_addr[i] = address(ret_page[i]);
	}
	return 0;

out:
	for (size_t i = 0; i < n; i++) {
		if (ret_page[i])
			ret_page[i]->run->users--;
	}
	return r;
}

void persistent_addresses(struct persistent_page *const *page, size_t n, void **ret_addr)
{
	for (size_t i = 0; i < n; i++)
		ret_addr[i] = address(page[i]);
}

void persistent_put(struct persistent *p, struct persistent_page *const *page, size_t n)
{
	(void)p;
	for (size_t i = 0; i < n; i++) {
		assert(page[i]->run->users);
		page[i]->run->users--;
	}
}

void persistent_free(struct persistent *p)
{
	while (p->oldest) {
		assert(!p->oldest->users);
		drop(p, p->oldest);
	}
	free(p->bucket);
	p->bucket = NULL;
}
