/* SPDX-License-Identifier: GPL-2.0-only */
/* Extra infos: what a packet carries beside its data (netif.h, "Extra Info"). Pure. */
#ifndef XVIF_EXTRA_H
#define XVIF_EXTRA_H

#include <linux/bits.h>

#include "wire.h"

/**
 * struct xvif_extras - the extra infos of one received packet
 * @seen: bit set for each XEN_NETIF_EXTRA_TYPE_* that was there
 * @gso_size: bytes of payload a segment
 * @gso_type: XEN_NETIF_GSO_TYPE_*
 * @hash_type: _XEN_NETIF_CTRL_HASH_TYPE_*
 * @hash: value
 * @headroom: bytes before the data in each slot
 */
struct xvif_extras {
	u8 seen;
	u8 gso_type;
	u16 gso_size;
	u8 hash_type;
	u32 hash;
	u16 headroom;
};

const char *xvif_extra_take(struct xvif_extras *extras, const struct xen_netif_extra_info *info,
			    bool *more);
void xvif_extra_gso(struct xen_netif_extra_info *info, bool v6, u16 size);
void xvif_extra_mcast(struct xen_netif_extra_info *info, bool add, const u8 *addr);

/** xvif_extra_has - was an extra info of this type there? */
static inline bool xvif_extra_has(const struct xvif_extras *extras, u8 type)
{
	return extras->seen & BIT(type);
}

#endif /* XVIF_EXTRA_H */
