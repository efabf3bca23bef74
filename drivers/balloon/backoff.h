/* SPDX-License-Identifier: GPL-2.0-only */
/* When to try again after nothing could be moved. Pure. */
#ifndef XBAL_BACKOFF_H
#define XBAL_BACKOFF_H

#include <linux/types.h>

#define XBAL_BACKOFF_FIRST	1u	/* seconds */
#define XBAL_BACKOFF_MAX	32u	/* seconds */
/* Short looks at a step that is under way without any progress, until it is given up. */
#define XBAL_BACKOFF_LOOKS	10u

/**
 * struct xbal_backoff - the waits between attempts
 * @delay: the next wait, in seconds
 * @max: longest wait, in seconds, at least 1
 * @tries: attempts since the last success, this one included
 * @looks: short looks since then, at a step that somebody else is to make
 */
struct xbal_backoff {
	u32 delay;
	u32 max;
	u32 tries;
	u32 looks;
};

void xbal_backoff_rearm(struct xbal_backoff *b);
bool xbal_backoff_look(struct xbal_backoff *b);
u32 xbal_backoff_next(struct xbal_backoff *b);

#endif /* XBAL_BACKOFF_H */
