/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache of persistent grants, and buffers, over a host that only counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "worker/buffers.h"
#include "worker/persistent.h"

#define PAGE 4096u

static uint32_t mapped;
static uint32_t fail_ref; /* mapping it fails */

int host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret)
{
	uint32_t *mem;

	(void)gnt;
	assert_int_equal(prot, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < n; i++) {
		if (refs[i] == fail_ref)
			return -EINVAL;
	}
	mem = aligned_alloc(PAGE, n * PAGE);
	for (size_t i = 0; i < n; i++)
		mem[i * PAGE / 4] = refs[i];
	mapped += n;
	*ret = mem;
	return 0;
}

int host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n)
{
	(void)gnt;
	free(addr);
	mapped -= n;
	return 0;
}

static struct persistent cache;

static int get(const uint32_t *refs, size_t n, struct persistent_page **page)
{
	void *addr[256];
	int r = persistent_get(&cache, refs, n, page, addr);

	for (size_t i = 0; r == 0 && i < n; i++)
		assert_int_equal(*(uint32_t *)addr[i], refs[i]);
	assert_int_equal(mapped, cache.mapped);
	assert_true(mapped <= cache.max);
	return r;
}

static void sequence(uint32_t *refs, uint32_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refs[i] = first + (uint32_t)i;
}

static void test_reuse(void **state)
{
	struct persistent_page *page[16], *more[16];
	uint32_t refs[16];

	(void)state;
	assert_int_equal(persistent_init(&cache, NULL, 32), 0);
	sequence(refs, 100, 16);
	assert_int_equal(get(refs, 16, page), 0);
	assert_int_equal(mapped, 16);
	/* again, in another order, half of it new, one twice */
	sequence(refs, 108, 16);
	refs[3] = refs[9];
	assert_int_equal(get(refs, 16, more), 0);
	assert_int_equal(mapped, 24);
	assert_int_equal(cache.stats.maps, 2);
	persistent_put(&cache, page, 16);
	persistent_put(&cache, more, 16);
	persistent_free(&cache);
	assert_int_equal(mapped, 0);
}

static void test_eviction(void **state)
{
	struct persistent_page *a[8], *b[8], *c[16];
	uint32_t refs[16];

	(void)state;
	assert_int_equal(persistent_init(&cache, NULL, 16), 0);
	sequence(refs, 0, 8);
	assert_int_equal(get(refs, 8, a), 0);
	sequence(refs, 8, 8);
	assert_int_equal(get(refs, 8, b), 0);
	/* full, and all of it in use */
	sequence(refs, 16, 1);
	assert_int_equal(get(refs, 1, c), -ENOSPC);
	sequence(refs, 100, 16);
	assert_int_equal(get(refs, 16, c), -ENOSPC);
	/* the older run is idle, the newer is not: the older goes */
	persistent_put(&cache, a, 8);
	sequence(refs, 16, 4);
	assert_int_equal(get(refs, 4, c), 0);
	assert_int_equal(mapped, 12);
	persistent_put(&cache, c, 4);
	/* the newer is found where it was */
	persistent_put(&cache, b, 8);
	cache.stats = (struct persistent_stats){ 0 };
	sequence(refs, 8, 8);
	assert_int_equal(get(refs, 8, b), 0);
	assert_int_equal(cache.stats.hits, 8);
	assert_int_equal(cache.stats.maps, 0);
	/* what a request holds is not thrown out to make room for the rest of it */
	sequence(refs, 12, 16);
	assert_int_equal(get(refs, 13, c), -ENOSPC);
	persistent_put(&cache, b, 8);
	persistent_free(&cache);
	assert_int_equal(mapped, 0);
}

static void test_failure(void **state)
{
	struct persistent_page *page[8];
	uint32_t refs[8];

	(void)state;
	assert_int_equal(persistent_init(&cache, NULL, 16), 0);
	sequence(refs, 0, 4);
	assert_int_equal(get(refs, 4, page), 0);
	persistent_put(&cache, page, 4);
	fail_ref = 6;
	sequence(refs, 0, 8);
	assert_int_equal(get(refs, 8, page), -EINVAL);
	assert_int_equal(mapped, 4);
	fail_ref = UINT32_MAX;
	assert_int_equal(get(refs, 8, page), 0);
	persistent_put(&cache, page, 8);
	persistent_free(&cache);

	/* none are to be kept */
	assert_int_equal(persistent_init(&cache, NULL, 0), 0);
	assert_int_equal(get(refs, 1, page), -ENOSPC);
	persistent_free(&cache);
}

/* Against a list that knows the truth. */
static void test_random(void **state)
{
	struct persistent_page *page[16][256];
	size_t n[16] = { 0 };

	(void)state;
	srand(3);
	assert_int_equal(persistent_init(&cache, NULL, 300), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int slot = (unsigned int)rand() % 16;
		uint32_t refs[256];

		if (n[slot]) {
			persistent_put(&cache, page[slot], n[slot]);
			n[slot] = 0;
			continue;
		}
		n[slot] = 1 + (unsigned int)rand() % 32;
		for (size_t k = 0; k < n[slot]; k++)
			refs[k] = (uint32_t)rand() % 600;
		if (get(refs, n[slot], page[slot]) < 0)
			n[slot] = 0;
	}
	for (unsigned int slot = 0; slot < 16; slot++)
		persistent_put(&cache, page[slot], n[slot]);
	persistent_free(&cache);
	assert_int_equal(mapped, 0);
}

static void test_buffers(void **state)
{
	struct buffers b;
	void *p, *q;

	(void)state;
	buffers_init(&b, 64 << 10, 64 << 10);
	p = buffers_get(&b, 512);
	assert_int_equal((uintptr_t)p % PAGE, 0);
	buffers_put(&b, p, 512);
	assert_int_equal(b.kept, PAGE);
	q = buffers_get(&b, PAGE);
	assert_ptr_equal(p, q);
	assert_int_equal(b.kept, 0);
	p = buffers_get(&b, 1 << 20);
	memset(p, 1, 1 << 20);
	buffers_put(&b, p, 1 << 20);
	assert_int_equal(b.kept, 0); /* beyond the bound */
	/* one that is larger than the bound is let through, but nothing beside it */
	assert_int_equal(b.used, PAGE);
	assert_true(buffers_have_room(&b, 60 << 10));
	assert_false(buffers_have_room(&b, 61 << 10));
	buffers_put(&b, q, PAGE);
	buffers_put(&b, NULL, 123);
	assert_int_equal(b.used, 0);
	assert_true(buffers_have_room(&b, 1 << 20));
	buffers_trim(&b);
	assert_int_equal(b.kept, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reuse),   cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_failure), cmocka_unit_test(test_random),
		cmocka_unit_test(test_buffers),
	};

	fail_ref = UINT32_MAX;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
