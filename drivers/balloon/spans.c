// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>

#include "spans.h"

/**
 * xbal_spans_add - add a range
 * @s: ranges
 * @pfn: first frame
 * @nr: frames, none of them in @s
 *
 * A range next to one that is there makes that one longer, so that a guest may grow
 * as often as it likes.
 *
 * Return: false when there are too many.
 */
bool xbal_spans_add(struct xbal_spans *s, u64 pfn, u64 nr)
{
	u32 i;

	for (i = 0; i < s->nr; i++) {
		struct xbal_span *span = &s->span[i];

		if (span->pfn + span->nr == pfn) {
			span->nr += nr;
			return true;
		}
		if (pfn + nr == span->pfn) {
			span->pfn = pfn;
			span->nr += nr;
			return true;
		}
	}
	if (s->nr == XBAL_SPANS_MAX)
		return false;
	s->span[s->nr++] = (struct xbal_span){ .pfn = pfn, .nr = nr };
	return true;
}

/**
 * xbal_spans_undo - take back what xbal_spans_add() did last
 * @s: ranges
 * @pfn: first frame, as given to it
 * @nr: frames, as given to it
 */
void xbal_spans_undo(struct xbal_spans *s, u64 pfn, u64 nr)
{
	u32 i;

	for (i = 0; i < s->nr; i++) {
		struct xbal_span *span = &s->span[i];

		if (pfn < span->pfn || pfn - span->pfn >= span->nr)
			continue;
		/* It is at the start or at the end of the range that holds it. */
		if (span->pfn == pfn)
			span->pfn += nr;
		span->nr -= nr;
		if (!span->nr)
			*span = s->span[--s->nr];
		return;
	}
}

/**
 * xbal_spans_have - whether a frame is in one of the ranges
 * @s: ranges
 * @pfn: the frame
 *
 * Return: true if so.
 */
bool xbal_spans_have(const struct xbal_spans *s, u64 pfn)
{
	u32 i;

	for (i = 0; i < s->nr; i++) {
		if (pfn >= s->span[i].pfn && pfn - s->span[i].pfn < s->span[i].nr)
			return true;
	}
	return false;
}
