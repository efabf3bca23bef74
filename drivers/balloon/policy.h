/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the balloon is to go, how fast, and what to say when it cannot. Pure. */
#ifndef XBAL_POLICY_H
#define XBAL_POLICY_H

#include <linux/types.h>

/**
 * enum xbal_reason - why the host does not get what it asked for
 * @XBAL_FINE: it does, or will
 * @XBAL_NO_TARGET: memory/target cannot be read as a number of KiB
 * @XBAL_BELOW_FLOOR: the guest would not live with so little
 * @XBAL_ABOVE_MAX: beyond memory/static-max
 * @XBAL_ABOVE_RAM: beyond the RAM of the guest, and no more can be added
 * @XBAL_OOM: the guest ran out of memory, the balloon keeps away until told again
 * @XBAL_NO_MEMORY: not enough memory is free now
 * @XBAL_PRESSURE: the guest reads again what it just evicted; goes on slowly
 * @XBAL_REFUSED: Xen does not give or take pages now
 * @XBAL_OFFLINE: memory was added and waits to be set online
 * @XBAL_NR_REASONS: number of reasons
 */
enum xbal_reason {
	XBAL_FINE,
	XBAL_NO_TARGET,
	XBAL_BELOW_FLOOR,
	XBAL_ABOVE_MAX,
	XBAL_ABOVE_RAM,
	XBAL_OOM,
	XBAL_NO_MEMORY,
	XBAL_PRESSURE,
	XBAL_REFUSED,
	XBAL_OFFLINE,
	XBAL_NR_REASONS
};

/**
 * struct xbal_view - what is known at one moment, in pages
 * @target: what the host wants; 0 when it has not said
 * @static_max: memory/static-max, 0 when unknown
 * @ram: RAM that there is, parked or not
 * @owned: RAM that the guest has
 * @floor: from xbal_floor()
 * @hold: from an OOM: do not go below; 0 without
 * @available: what could be allocated without swapping
 * @growable: RAM can be added up to @static_max
 * @thrashing: from xbal_thrashing()
 */
struct xbal_view {
	u64 target;
	u64 static_max;
	u64 ram;
	u64 owned;
	u64 floor;
	u64 hold;
	u64 available;
	bool growable;
	bool thrashing;
};

/**
 * struct xbal_plan - what follows from a view
 * @goal: pages that the guest shall have in the end
 * @step: pages to move now: negative into the balloon, positive out of it
 * @grow: pages of RAM to add before @goal can be reached
 * @limit: why @goal is not the target
 * @wait: why @step is 0 or small though @goal is not reached
 */
struct xbal_plan {
	u64 goal;
	s64 step;
	u64 grow;
	enum xbal_reason limit;
	enum xbal_reason wait;
};

u64 xbal_floor(u64 ram, u64 wish);
u64 xbal_reserve(u64 owned);
bool xbal_thrashing(u64 refaults, u64 elapsed_ms, u64 owned);
void xbal_make_plan(const struct xbal_view *v, struct xbal_plan *plan);

#endif /* XBAL_POLICY_H */
