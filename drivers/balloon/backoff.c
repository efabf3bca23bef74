// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "backoff.h"

/**
 * xbal_backoff_rearm - begin again with the shortest wait
 * @b: what to rearm; .max is kept
 *
 * After progress, and when something changed that makes an attempt worthwhile.
 */
void xbal_backoff_rearm(struct xbal_backoff *b)
{
	b->delay = XBAL_BACKOFF_FIRST;
	b->tries = 1;
}

/**
 * xbal_backoff_next - an attempt moved nothing: how long to wait
 * @b: armed before
 *
 * The wait doubles each time, up to the limit, and there it stays: there is
 * no last attempt.
 *
 * Return: seconds, at least 1.
 */
u32 xbal_backoff_next(struct xbal_backoff *b)
{
	u32 max = max(b->max, XBAL_BACKOFF_FIRST);
	u32 wait = clamp(b->delay, XBAL_BACKOFF_FIRST, max);

	b->delay = wait > max / 2 ? max : wait * 2;
	if (b->tries < U32_MAX)
		b->tries++;
	return wait;
}
