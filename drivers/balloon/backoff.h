/* SPDX-License-Identifier: GPL-2.0-only */
/* When to try again after nothing could be moved. Pure. */
#ifndef XBAL_BACKOFF_H
#define XBAL_BACKOFF_H

#include <linux/types.h>

#define XBAL_BACKOFF_FIRST	1u	/* seconds */
#define XBAL_BACKOFF_MAX	32u	/* seconds */

/**
 * struct xbal_backoff - the waits between attempts
 * @delay: the next wait, in seconds
 * @max: longest wait, in seconds, at least 1
 * @tries: attempts since the last success, this one included
 */
struct xbal_backoff {
	u32 delay;
	u32 max;
	u32 tries;
};

void xbal_backoff_rearm(struct xbal_backoff *b);
u32 xbal_backoff_next(struct xbal_backoff *b);

#endif /* XBAL_BACKOFF_H */
