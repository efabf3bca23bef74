/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate that a toolstack grants an interface: a bucket that fills evenly. The
 * arithmetic is pure, time comes from the caller; the lock makes it one bucket for
 * all queues of the interface.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

/* Room for one packet of any size, lest a small rate never lets it through. */
#define VIF_LIMIT_MIN_BURST 131072u

struct vif_limit {
	uint64_t bytes;  /* per period; 0: no limit */
	uint64_t period; /* ns */
	pthread_mutex_t lock;
	int64_t level; /* bytes that may go now; below zero, that are to come; under lock */
	uint64_t rest; /* of the last division, in bytes * ns; under lock */
	uint64_t last; /* when it was filled, ns; under lock */
};

/* @us: 1..10000000 when there is a limit. Starts full at @now (CLOCK_MONOTONIC, ns). */
void vif_limit_init(struct vif_limit *l, uint64_t bytes, uint32_t us, uint64_t now);
void vif_limit_free(struct vif_limit *l);

/*
 * vif_limit_take - let @size bytes go at @now, or as soon as they may
 *
 * They are taken in any case, so that whoever comes later waits behind them: of several queues
 * none can take away what a larger packet of another waits for.
 *
 * Returns 0, or the nanoseconds until they may go.
 */
uint64_t vif_limit_take(struct vif_limit *l, uint32_t size, uint64_t now);

/* Bytes that were taken, and do not go. */
void vif_limit_give(struct vif_limit *l, uint32_t size);
