// SPDX-License-Identifier: GPL-2.0-or-later
#include "buf.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (b->start + b->len + len > b->size && b->start > 0) {
		memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
	}
	if (b->len + len > b->size) {
		size_t size = b->size ? b->size : 4096;
		char *data_new;

		while (size < b->len + len)
			size *= 2;
		data_new = realloc(b->data, size);
		if (!data_new)
			err(1, "a queue of %zu bytes", size);
		b->data = data_new;
		b->size = size;
	}
	memcpy(b->data + b->start + b->len, data, len);
	b->len += len;
}

void buf_take(struct buf *b, size_t len)
{
	b->start += len;
	b->len -= len;
	if (b->len == 0)
		b->start = 0;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}
