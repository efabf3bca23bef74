/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-inbox.h"

#include <stdlib.h>
#include <string.h>

void vif_inbox_init(struct vif_inbox *b)
{
	memset(b, 0, sizeof(*b));
	pthread_mutex_init(&b->lock, NULL);
}

void vif_inbox_free(struct vif_inbox *b)
{
	free(b->buf);
	b->buf = NULL;
	pthread_mutex_destroy(&b->lock);
}

/* Copy to or from the round buffer. */
static void move_in(struct vif_inbox *b, const void *data, size_t len)
{
	size_t at = b->head % VIF_INBOX_SIZE;
	size_t first = len < VIF_INBOX_SIZE - at ? len : VIF_INBOX_SIZE - at;

	memcpy(b->buf + at, data, first);
	memcpy(b->buf, (const uint8_t *)data + first, len - first);
	b->head += len;
}

static void move_out(struct vif_inbox *b, void *data, size_t len)
{
	size_t at = b->tail % VIF_INBOX_SIZE;
	size_t first = len < VIF_INBOX_SIZE - at ? len : VIF_INBOX_SIZE - at;

	memcpy(data, b->buf + at, first);
	memcpy((uint8_t *)data + first, b->buf, len - first);
	b->tail += len;
}

bool vif_inbox_put(struct vif_inbox *b, const void *data, size_t len)
{
	uint32_t size = (uint32_t)len;
	bool ok = false;

	pthread_mutex_lock(&b->lock);
	if (!b->buf)
		b->buf = malloc(VIF_INBOX_SIZE);
	if (b->buf && VIF_INBOX_SIZE - (b->head - b->tail) >= len + sizeof(size)) {
		move_in(b, &size, sizeof(size));
		move_in(b, data, len);
		atomic_fetch_add(&b->count, 1);
		ok = true;
	}
	pthread_mutex_unlock(&b->lock);
	return ok;
}

size_t vif_inbox_take(struct vif_inbox *b, void *ret)
{
	uint32_t size = 0;

	if (!atomic_load_explicit(&b->count, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&b->lock);
	if (b->head != b->tail) {
		move_out(b, &size, sizeof(size));
		move_out(b, ret, size);
		atomic_fetch_sub(&b->count, 1);
	}
	pthread_mutex_unlock(&b->lock);
	return size;
}
