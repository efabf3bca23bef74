/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-limit.h"

__extension__ typedef unsigned __int128 wide;

static int64_t depth(const struct vif_limit *l)
{
	if (l->bytes > INT64_MAX / 2)
		return INT64_MAX / 2;
	return l->bytes > VIF_LIMIT_MIN_BURST ? (int64_t)l->bytes : VIF_LIMIT_MIN_BURST;
}

void vif_limit_init(struct vif_limit *l, uint64_t bytes, uint32_t us, uint64_t now)
{
	*l = (struct vif_limit){
		.bytes = bytes,
		.period = us * UINT64_C(1000),
		.last = now,
	};
	l->level = depth(l);
	pthread_mutex_init(&l->lock, NULL);
}

void vif_limit_free(struct vif_limit *l)
{
	pthread_mutex_destroy(&l->lock);
}

static void fill(struct vif_limit *l, uint64_t now)
{
	/* by elapsed time, to the byte: what a division leaves over counts the next time */
	wide gain = (wide)l->bytes * (now - l->last) + l->rest;
	wide lack = (wide)(depth(l) - l->level);

	if (gain / l->period >= lack) {
		l->level = depth(l);
		l->rest = 0;
	} else {
		l->level += (int64_t)(gain / l->period);
		l->rest = (uint64_t)(gain % l->period);
	}
	l->last = now;
}

uint64_t vif_limit_take(struct vif_limit *l, uint32_t size, uint64_t now)
{
	uint64_t wait = 0;

	if (!l->bytes)
		return 0;
	pthread_mutex_lock(&l->lock);
	if (now > l->last)
		fill(l, now);
	l->level -= size;
	if (l->level < 0)
		wait = (uint64_t)((wide)-l->level * l->period / l->bytes) + 1;
	pthread_mutex_unlock(&l->lock);
	return wait;
}

void vif_limit_give(struct vif_limit *l, uint32_t size)
{
	if (!l->bytes)
		return;
	pthread_mutex_lock(&l->lock);
	l->level += size;
	if (l->level > depth(l))
		l->level = depth(l);
	pthread_mutex_unlock(&l->lock);
}
