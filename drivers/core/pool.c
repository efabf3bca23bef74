// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "pool.h"

/**
 * xenpv_pool_init - fill a pool with indices
 * @pool: uninitialised pool
 * @nr: how many, 1 to %XENPV_POOL_MAX
 * @preferred: how many of them, from 0 on, are preferred; the rest are spare
 * @gfp: allocation flags
 *
 * Index 0 is taken first.
 *
 * Return: 0, -EINVAL for a bad @nr or -ENOMEM. xenpv_pool_destroy() undoes it.
 */
int xenpv_pool_init(struct xenpv_pool *pool, u32 nr, u32 preferred, gfp_t gfp)
{
	u32 i;

	memset(pool, 0, sizeof(*pool));
	if (!nr || nr > XENPV_POOL_MAX || preferred > nr)
		return -EINVAL;
	pool->stack = kvmalloc_array(nr, sizeof(*pool->stack), gfp);
	pool->taken = kvcalloc(BITS_TO_LONGS(nr), sizeof(long), gfp);
	if (!pool->stack || !pool->taken) {
		xenpv_pool_destroy(pool);
		return -ENOMEM;
	}
	for (i = 0; i < preferred; i++)
		pool->stack[i] = preferred - 1 - i;
	for (; i < nr; i++)
		pool->stack[i] = i;
	pool->nr = nr;
	pool->avail = preferred;
	pool->spare = nr - preferred;
	return 0;
}
EXPORT_SYMBOL_GPL(xenpv_pool_init);

/**
 * xenpv_pool_destroy - free a pool's memory
 * @pool: pool, initialised or zeroed
 */
void xenpv_pool_destroy(struct xenpv_pool *pool)
{
	kvfree(pool->stack);
	kvfree(pool->taken);
	memset(pool, 0, sizeof(*pool));
}
EXPORT_SYMBOL_GPL(xenpv_pool_destroy);

/**
 * xenpv_pool_take - take @n indices, or none
 * @pool: pool; the caller serialises
 * @n: how many; 0 always succeeds
 * @out: receives the indices
 *
 * Return: false when fewer than @n are available; nothing is taken then.
 */
bool xenpv_pool_take(struct xenpv_pool *pool, u32 n, u16 *out)
{
	u32 i;

	if (n > pool->avail + pool->spare)
		return false;
	for (i = 0; i < n; i++) {
		if (pool->avail)
			out[i] = pool->stack[--pool->avail];
		else
			out[i] = pool->stack[pool->nr - pool->spare--];
		__set_bit(out[i], pool->taken);
	}
	return true;
}
EXPORT_SYMBOL_GPL(xenpv_pool_take);

/* The index may come back: it is in range and out. */
static bool recall(struct xenpv_pool *pool, u16 index)
{
	return index < pool->nr && __test_and_clear_bit(index, pool->taken);
}

/**
 * xenpv_pool_give - give indices back, as preferred ones
 * @pool: pool; the caller serialises
 * @n: how many
 * @in: the indices
 *
 * An index that is out of range or not out is refused, so that a mistake
 * cannot hand one grant to two requests.
 *
 * Return: how many were refused; 0 when all is well.
 */
u32 xenpv_pool_give(struct xenpv_pool *pool, u32 n, const u16 *in)
{
	u32 refused = 0;

	/* Backwards, so that what was taken first is taken first again. */
	while (n--) {
		if (recall(pool, in[n]))
			pool->stack[pool->avail++] = in[n];
		else
			refused++;
	}
	return refused;
}
EXPORT_SYMBOL_GPL(xenpv_pool_give);

/**
 * xenpv_pool_give_spare - give indices back, as spare ones
 * @pool: pool; the caller serialises
 * @n: how many
 * @in: the indices
 *
 * Return: how many were refused, as xenpv_pool_give() does.
 */
u32 xenpv_pool_give_spare(struct xenpv_pool *pool, u32 n, const u16 *in)
{
	u32 refused = 0;

	while (n--) {
		if (recall(pool, in[n]))
			pool->stack[pool->nr - ++pool->spare] = in[n];
		else
			refused++;
	}
	return refused;
}
EXPORT_SYMBOL_GPL(xenpv_pool_give_spare);
