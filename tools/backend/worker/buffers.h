/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page-aligned bounce buffers, kept for reuse up to a bound. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define BUFFERS_CLASSES 9 /* 4 KiB, 8 KiB, ... 1 MiB */

struct buffers {
	struct buffer_free *free[BUFFERS_CLASSES];
	size_t kept;     /* bytes on the free lists */
	size_t keep_max; /* bound of kept */
	size_t used;     /* bytes that are out */
	size_t used_max; /* bound of used, for who asks buffers_have_room() */
};

void buffers_init(struct buffers *b, size_t keep_max, size_t used_max);

/* Is there room for @size bytes more within used_max? A single buffer always has room. */
bool buffers_have_room(const struct buffers *b, size_t size);

/* Release what is kept. Buffers that are out stay valid. */
void buffers_trim(struct buffers *b);

/* A buffer of @size bytes, 1..1 MiB; NULL without memory. Its contents are undefined. */
void *buffers_get(struct buffers *b, size_t size);

/* Give back a buffer of buffers_get(@size). NULL is allowed. */
void buffers_put(struct buffers *b, void *buffer, size_t size);
