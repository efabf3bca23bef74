/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges of frames that were added to the machine. Pure. */
#ifndef XBAL_SPANS_H
#define XBAL_SPANS_H

#include <linux/types.h>

#define XBAL_SPANS_MAX	64

/**
 * struct xbal_span - a range of frames
 * @pfn: first frame
 * @nr: frames
 */
struct xbal_span {
	u64 pfn;
	u64 nr;
};

/**
 * struct xbal_spans - ranges that do not overlap, in no order
 * @span: the ranges
 * @nr: how many
 */
struct xbal_spans {
	struct xbal_span span[XBAL_SPANS_MAX];
	u32 nr;
};

bool xbal_spans_add(struct xbal_spans *s, u64 pfn, u64 nr);
void xbal_spans_undo(struct xbal_spans *s, u64 pfn, u64 nr);
bool xbal_spans_have(const struct xbal_spans *s, u64 pfn);

#endif /* XBAL_SPANS_H */
