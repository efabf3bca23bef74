/* SPDX-License-Identifier: GPL-2.0-only */
/* A pool of small indices, taken and given back in groups. Pure. */
#ifndef XENPV_POOL_H
#define XENPV_POOL_H

#include <linux/types.h>

#define XENPV_POOL_MAX 65535u

/**
 * struct xenpv_pool - indices 0 to @nr - 1, last in first out
 * @nr: number of indices
 * @avail: preferred free indices, in stack[0..avail)
 * @spare: other free indices, in stack[nr - spare..nr); taken when the
 *	preferred ones are used up
 * @stack: free indices
 * @taken: bit set for each index that is out
 *
 * The caller serialises all calls on one pool.
 */
struct xenpv_pool {
	u32 nr;
	u32 avail;
	u32 spare;
	u16 *stack;
	unsigned long *taken;
};

int xenpv_pool_init(struct xenpv_pool *pool, u32 nr, u32 preferred, gfp_t gfp);
void xenpv_pool_destroy(struct xenpv_pool *pool);
bool xenpv_pool_take(struct xenpv_pool *pool, u32 n, u16 *out);
u32 xenpv_pool_give(struct xenpv_pool *pool, u32 n, const u16 *in);
u32 xenpv_pool_give_spare(struct xenpv_pool *pool, u32 n, const u16 *in);

#endif /* XENPV_POOL_H */
