/* SPDX-License-Identifier: GPL-2.0-only */
/* How a packet is cut into slots of the transmit ring. Pure. */
#ifndef XVIF_TX_SLOTS_H
#define XVIF_TX_SLOTS_H

#include <linux/if_ether.h>
#include <linux/minmax.h>

#include "wire.h"

/**
 * enum xvif_tx_plan - how a packet goes to the backend
 * @XVIF_TX_DROP: not at all: too short for a header, or too long for the protocol
 * @XVIF_TX_SMALL: copied into a small buffer that stays granted
 * @XVIF_TX_PACK: copied, packed into whole frames
 * @XVIF_TX_GRANT: granted where it is
 */
enum xvif_tx_plan {
	XVIF_TX_DROP,
	XVIF_TX_SMALL,
	XVIF_TX_PACK,
	XVIF_TX_GRANT,
};

/**
 * struct xvif_tx_shape - a packet's memory, summed up
 * @total: bytes
 * @slots: frames that its non-empty pieces touch
 * @first: bytes in the first of those
 */
struct xvif_tx_shape {
	u32 total;
	u32 slots;
	u32 first;
};

/**
 * struct xvif_tx_rules - what the connection allows
 * @max_slots: data slots of a packet, 1 without scatter/gather
 * @small: longest packet that is copied into a small buffer
 * @pack: every packet is copied
 */
struct xvif_tx_rules {
	u32 max_slots;
	u32 small;
	bool pack;
};

/**
 * xvif_tx_cut - bytes of a piece that one slot takes
 * @offset: where the piece begins, from the start of a page
 * @len: its length
 *
 * A slot never crosses a frame. Return: 0 only for an empty piece.
 */
static inline u32 xvif_tx_cut(u32 offset, u32 len)
{
	return min(len, XVIF_FRAME - offset % XVIF_FRAME);
}

/**
 * xvif_tx_shown - was the backend shown a request?
 * @published: index after the last request that it was shown
 * @index: the request's
 *
 * Requests that are written and not shown yet are fewer than the ring has slots.
 */
static inline bool xvif_tx_shown(u32 published, u32 index)
{
	return (s32)(published - index) > 0;
}

void xvif_tx_shape_add(struct xvif_tx_shape *shape, u32 offset, u32 len);
enum xvif_tx_plan xvif_tx_plan(const struct xvif_tx_shape *shape,
			       const struct xvif_tx_rules *rules);
u32 xvif_tx_plan_slots(const struct xvif_tx_shape *shape, enum xvif_tx_plan plan);

#endif /* XVIF_TX_SLOTS_H */
