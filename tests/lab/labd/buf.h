/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing byte queue. Out of memory ends the program: labd can do nothing then. */
#pragma once

#include <stddef.h>

struct buf {
	char *data;
	size_t start; /* first byte not yet taken */
	size_t len;   /* bytes queued */
	size_t size;  /* allocated */
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_take(struct buf *b, size_t len);
void buf_free(struct buf *b);

static inline const char *buf_head(const struct buf *b)
{
	return b->data + b->start;
}
