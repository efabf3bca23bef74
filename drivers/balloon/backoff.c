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
	b->looks = 0;
}

/**
 * xbal_backoff_look - somebody else is to make a step, and has not moved: bear with it?
 * @b: armed before
 *
 * That may be said %XBAL_BACKOFF_LOOKS times, and not again until it is rearmed.
 *
 * Return: true to look again soon, false to wait for xbal_backoff_next().
 */
bool xbal_backoff_look(struct xbal_backoff *b)
{
	if (b->looks >= XBAL_BACKOFF_LOOKS)
		return false;
	b->looks++;
	return true;
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
