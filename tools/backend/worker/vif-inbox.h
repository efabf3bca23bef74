/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that came out of one tap queue and belong to the receive ring of another,
 * since the frontend has said how to spread them. Bounded; many producers, and the
 * queue's thread takes them out.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VIF_INBOX_SIZE (512u << 10) /* bytes; room for seven of the largest */

struct vif_inbox {
	pthread_mutex_t lock;
	uint8_t *buf;           /* made when first used; under lock, as all below */
	size_t head, tail;      /* bytes ever put in and taken out */
	_Atomic uint32_t count; /* of packets; changes under lock */
};

void vif_inbox_init(struct vif_inbox *b);
void vif_inbox_free(struct vif_inbox *b);

/* False: there is no room, or no memory, and the packet is lost. @len: 1..VIF_INBOX_SIZE - 4 */
bool vif_inbox_put(struct vif_inbox *b, const void *data, size_t len);

/* Take the oldest packet into @ret, which has room for any. 0: there is none. */
size_t vif_inbox_take(struct vif_inbox *b, void *ret);
