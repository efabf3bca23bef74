/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The multicast addresses that a frontend wants to receive (netif.h,
 * "feature-multicast-control"). Changed by one thread at a time, looked at by all
 * without a lock.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VIF_MCAST_MAX 64u

struct vif_mcast {
	_Atomic uint64_t entry[VIF_MCAST_MAX]; /* an address and VIF_MCAST_USED, or 0 */
};

#define VIF_MCAST_USED (UINT64_C(1) << 48)

static inline uint64_t vif_mcast_key(const uint8_t mac[static 6])
{
	uint64_t key = VIF_MCAST_USED;

	for (unsigned int i = 0; i < 6; i++)
		key |= (uint64_t)mac[i] << (8 * (5 - i));
	return key;
}

/* Is @key, of vif_mcast_key(), on the list? */
bool vif_mcast_has(const struct vif_mcast *m, uint64_t key);

/*
 * Add an address. Adding one again changes nothing. -EINVAL: no multicast address;
 * -ENOSPC: the list is full.
 */
int vif_mcast_add(struct vif_mcast *m, const uint8_t mac[static 6]);

/* Remove an address; one that is not there is no error. */
void vif_mcast_del(struct vif_mcast *m, const uint8_t mac[static 6]);
