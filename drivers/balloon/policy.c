// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "extent.h"
#include "policy.h"

#define PAGES(bytes)	((u64)(bytes) >> PAGE_SHIFT)

/* Below this many pages read again in a second it is not called thrashing. */
#define REFAULTS_MIN	256u

/**
 * xbal_floor - the least memory that a guest is left with
 * @ram: pages of RAM that there are, in the balloon or not: each has its
 *	struct page, and much of the kernel is sized by it
 * @wish: what the administrator set, in pages, or 0
 *
 * 32 MiB, a quarter of the first 512 MiB, an eighth of what there is up to
 * 4 GiB, and a thirty-second of the rest: 96 MiB of 256 MiB, 608 MiB of 4 GiB,
 * 8.6 GiB of 256 GiB.
 *
 * Return: pages, never more than @ram.
 */
u64 xbal_floor(u64 ram, u64 wish)
{
	const u64 small = PAGES(SZ_512M), large = PAGES(4ull * SZ_1G);
	u64 floor = wish;

	if (!floor) {
		floor = PAGES(SZ_32M) + min(ram, small) / 4;
		if (ram > small)
			floor += (min(ram, large) - small) / 8;
		if (ram > large)
			floor += (ram - large) / 32;
	}
	return min(floor, ram);
}

/**
 * xbal_reserve - available memory that the balloon does not touch
 * @owned: pages of RAM that the guest has
 *
 * Return: pages: a thirty-second, at least 4 MiB and at most 256 MiB.
 */
u64 xbal_reserve(u64 owned)
{
	return clamp(owned / 32, PAGES(SZ_4M), PAGES(SZ_256M));
}

/**
 * xbal_thrashing - whether the guest lacks memory, by what it reads again
 * @refaults: pages that were evicted and soon read again in this time
 * @elapsed_ms: the time, in milliseconds
 * @owned: pages of RAM that the guest has
 *
 * Waiting for such pages is most of what pressure stall information counts for
 * memory, which a module cannot read.
 *
 * Return: true when more than 1/256 of all memory was read again in a second.
 */
bool xbal_thrashing(u64 refaults, u64 elapsed_ms, u64 owned)
{
	u64 bearable = max_t(u64, owned / 256, REFAULTS_MIN);

	if (!elapsed_ms)
		return false;
	if (refaults > U64_MAX / 1000)
		return true;
	return div64_u64(refaults * 1000, elapsed_ms) > bearable;
}

/* The goal, within what host, guest and machine allow. */
static void set_goal(const struct xbal_view *v, struct xbal_plan *plan)
{
	u64 top = v->ram;

	if (v->growable && v->static_max > top)
		top = v->static_max;

	plan->goal = v->target;
	if (v->static_max && plan->goal > v->static_max) {
		plan->goal = v->static_max;
		plan->limit = XBAL_ABOVE_MAX;
	}
	if (plan->goal > top) {
		plan->goal = top;
		/* The maximum is the better reason, if both are passed. */
		if (plan->limit == XBAL_FINE)
			plan->limit = XBAL_ABOVE_RAM;
	}
	/* A guest that was started below its floor is not blown up to it. */
	if (plan->goal < min(v->floor, v->owned)) {
		plan->goal = min(v->floor, v->owned);
		plan->limit = XBAL_BELOW_FLOOR;
	}
	if (plan->goal < v->hold) {
		plan->goal = min(v->hold, top);
		plan->limit = XBAL_OOM;
	}
}

static void set_step_down(const struct xbal_view *v, struct xbal_plan *plan)
{
	u64 want = v->owned - plan->goal, reserve = xbal_reserve(v->owned);
	u64 room = v->available > reserve ? v->available - reserve : 0;

	if (room < want)
		plan->wait = XBAL_NO_MEMORY;
	want = min(want, room);
	if (v->thrashing && want) {
		plan->wait = XBAL_PRESSURE;
		want = min_t(u64, want, XBAL_BLOCK_PAGES);
	}
	plan->step = -(s64)want;
}

/**
 * xbal_make_plan - decide on the next step
 * @v: what is known
 * @plan: receives the decision
 *
 * Up is never held back. Down goes as far as memory is available beyond
 * xbal_reserve(), and only block by block while the guest is thrashing.
 */
void xbal_make_plan(const struct xbal_view *v, struct xbal_plan *plan)
{
	*plan = (struct xbal_plan){ 0 };
	if (!v->target) {
		plan->goal = v->owned;
		plan->limit = XBAL_NO_TARGET;
		return;
	}
	set_goal(v, plan);
	if (plan->goal < v->owned) {
		set_step_down(v, plan);
	} else {
		plan->step = min(plan->goal, v->ram) - min(v->owned, v->ram);
		if (plan->goal > v->ram)
			plan->grow = plan->goal - v->ram;
	}
}
