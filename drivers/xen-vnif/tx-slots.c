// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>

#include "tx-slots.h"

/**
 * xvif_tx_shape_add - take a piece of contiguous memory into account
 * @shape: zeroed at first
 * @offset: where the piece begins, from the start of a page, of any size
 * @len: its length; an empty piece takes no slot (XSA-448)
 */
void xvif_tx_shape_add(struct xvif_tx_shape *shape, u32 offset, u32 len)
{
	if (!len)
		return;
	if (!shape->slots)
		shape->first = xvif_tx_cut(offset, len);
	shape->slots += DIV_ROUND_UP(offset % XVIF_FRAME + len, XVIF_FRAME);
	shape->total += len;
}

/**
 * xvif_tx_plan - decide how a packet is sent
 * @shape: the packet
 * @rules: what the connection allows
 *
 * A backend drops a packet whose first slot has less than an Ethernet header,
 * or that has more slots than netif.h promises; such a packet is packed.
 */
enum xvif_tx_plan xvif_tx_plan(const struct xvif_tx_shape *shape,
			       const struct xvif_tx_rules *rules)
{
	if (shape->total < ETH_HLEN || shape->total > XEN_NETIF_MAX_TX_SIZE)
		return XVIF_TX_DROP;
	if (shape->total <= rules->small)
		return XVIF_TX_SMALL;
	if (!rules->pack && shape->first >= ETH_HLEN && shape->slots <= rules->max_slots)
		return XVIF_TX_GRANT;
	if (DIV_ROUND_UP(shape->total, XVIF_FRAME) <= rules->max_slots)
		return XVIF_TX_PACK;
	return XVIF_TX_DROP;
}

/**
 * xvif_tx_plan_slots - data slots that a packet will take
 * @shape: the packet
 * @plan: what xvif_tx_plan() said of it
 */
u32 xvif_tx_plan_slots(const struct xvif_tx_shape *shape, enum xvif_tx_plan plan)
{
	switch (plan) {
	case XVIF_TX_SMALL:
		return 1;
	case XVIF_TX_PACK:
		return DIV_ROUND_UP(shape->total, XVIF_FRAME);
	case XVIF_TX_GRANT:
		return shape->slots;
	default:
		return 0;
	}
}
