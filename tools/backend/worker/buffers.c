/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/buffers.h"

#include <assert.h>
#include <stdlib.h>

#include "host/host.h"

struct buffer_free {
	struct buffer_free *next;
};

static unsigned int class_of(size_t size)
{
	unsigned int c = 0;

	while (((size_t)HOST_PAGE_SIZE << c) < size)
		c++;
	assert(c < BUFFERS_CLASSES);
	return c;
}

void buffers_init(struct buffers *b, size_t keep_max, size_t used_max)
{
	*b = (struct buffers){ .keep_max = keep_max, .used_max = used_max };
}

bool buffers_have_room(const struct buffers *b, size_t size)
{
	return !b->used || b->used + size <= b->used_max;
}

void buffers_trim(struct buffers *b)
{
	for (unsigned int c = 0; c < BUFFERS_CLASSES; c++) {
		while (b->free[c]) {
			struct buffer_free *f = b->free[c];

			b->free[c] = f->next;
			free(f);
		}
	}
	b->kept = 0;
}

void *buffers_get(struct buffers *b, size_t size)
{
	unsigned int c = class_of(size);
	struct buffer_free *f = b->free[c];

	if (f) {
		b->free[c] = f->next;
		b->kept -= (size_t)HOST_PAGE_SIZE << c;
	} else {
		f = aligned_alloc(HOST_PAGE_SIZE, (size_t)HOST_PAGE_SIZE << c);
	}
	if (f)
		b->used += size;
	return f;
}

void buffers_put(struct buffers *b, void *buffer, size_t size)
{
	struct buffer_free *f = buffer;
	unsigned int c;

	if (!buffer)
		return;
	b->used -= size;
	c = class_of(size);
	if (b->kept + ((size_t)HOST_PAGE_SIZE << c) > b->keep_max) {
		free(buffer);
		return;
	}
	f->next = b->free[c];
	b->free[c] = f;
	b->kept += (size_t)HOST_PAGE_SIZE << c;
}
