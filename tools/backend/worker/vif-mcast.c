/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-mcast.h"

#include <errno.h>

bool vif_mcast_has(const struct vif_mcast *m, uint64_t key)
{
	for (unsigned int i = 0; i < VIF_MCAST_MAX; i++) {
		if (atomic_load_explicit(&m->entry[i], memory_order_relaxed) == key)
			return true;
	}
	return false;
}

int vif_mcast_add(struct vif_mcast *m, const uint8_t mac[static 6])
{
	uint64_t key = vif_mcast_key(mac);

	if (!(mac[0] & 1))
		return -EINVAL;
	if (vif_mcast_has(m, key))
		return 0;
	for (unsigned int i = 0; i < VIF_MCAST_MAX; i++) {
		if (!atomic_load_explicit(&m->entry[i], memory_order_relaxed)) {
			atomic_store_explicit(&m->entry[i], key, memory_order_relaxed);
			return 0;
		}
	}
	return -ENOSPC;
}

void vif_mcast_del(struct vif_mcast *m, const uint8_t mac[static 6])
{
	uint64_t key = vif_mcast_key(mac);

	for (unsigned int i = 0; i < VIF_MCAST_MAX; i++) {
		if (atomic_load_explicit(&m->entry[i], memory_order_relaxed) == key)
			atomic_store_explicit(&m->entry[i], 0, memory_order_relaxed);
	}
}
