// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policy mode: the balloon that is built into the kernel moves the pages, and is
 * told where to by us. It counts in pages of its own, which differ from
 * memory/target by what is no RAM, as far as it could tell when it started.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <xen/balloon.h>
#include <xen/xen.h>

#include "balloon.h"
#include "extent.h"
#include "hyper.h"

/* How long an allocation that failed waits for the built-in balloon's thread. */
#define RESCUE_MS	500
/* How long its thread is given to see that its target has changed. */
#define NUDGE_MS	20

/* Guarded by xbal_lock. */
static struct {
	struct balloon_stats *stats;
	void (*set_target)(unsigned long target);
	s64 difference;		/* memory/target minus its target */
	u64 set;		/* the last target that it was given, in its own count */
	u64 owned;		/* what the guest had then */
	u64 nudges;
} builtin;

static u64 ours(unsigned long theirs)
{
	s64 pages = (s64)theirs + builtin.difference;

	return max(pages, 0ll);
}

static u64 theirs(u64 ours)
{
	s64 pages = (s64)ours - builtin.difference;

	return max(pages, 0ll);
}

static u64 owned(void)
{
	return ours(READ_ONCE(builtin.stats->current_pages));
}

static void set_target(u64 pages)
{
	u64 target = theirs(pages), have = owned();

	/*
	 * It sleeps for an hour after some failures, until what is missing has
	 * changed: the same order again would not wake it.
	 */
	if (target == READ_ONCE(builtin.stats->target_pages) && have != pages &&
	    have == builtin.owned) {
		u64 current_pages = READ_ONCE(builtin.stats->current_pages);

		builtin.set_target(current_pages);
		builtin.nudges++;
		/* Its thread has to see that before the target is back. */
		msleep(NUDGE_MS);
		/* Who else has given an order meanwhile is heard at the next look. */
		if (READ_ONCE(builtin.stats->target_pages) != current_pages)
			return;
	}
	builtin.owned = have;
	builtin.set = target;
	builtin.set_target(target);
}

static int builtin_open(const struct xbal_orders *orders)
{
	builtin.set = READ_ONCE(builtin.stats->target_pages);
	/* As it does itself: all that it found at the start is memory/static-max. */
	if (xbal_translated() && !xen_initial_domain() && orders->static_max)
		builtin.difference = (s64)orders->static_max -
				     (s64)READ_ONCE(builtin.stats->total_pages);
	return 0;
}

static void builtin_look(struct xbal_view *v)
{
	v->owned = owned();
	v->ram = max(ours(READ_ONCE(builtin.stats->total_pages)), v->owned);
	/* It adds RAM by itself. */
	if (IS_ENABLED(CONFIG_XEN_BALLOON_MEMORY_HOTPLUG))
		v->ram = max(v->ram, v->static_max);
}

/* Whether root has written to its sysfs files. Its own watch writes there as well. */
static u64 builtin_foreign(void)
{
	u64 now = READ_ONCE(builtin.stats->target_pages);

	if (now == builtin.set)
		return 0;
	builtin.set = now;
	return ours(now);
}

static s64 builtin_step(s64 pages, enum xbal_reason *why)
{
	u64 before = owned();

	*why = XBAL_FINE;
	set_target(before + pages);
	return 0;
}

static void builtin_stay(u64 pages)
{
	if (READ_ONCE(builtin.stats->target_pages) != theirs(pages))
		set_target(pages);
}

static u64 builtin_rescue(u64 pages)
{
	u64 before = owned(), now;
	int ms;

	if (!READ_ONCE(builtin.stats->balloon_low) && !READ_ONCE(builtin.stats->balloon_high))
		return 0;
	set_target(before + pages);
	for (ms = 0; ms < RESCUE_MS; ms += 10) {
		now = owned();
		if (now >= before + pages)
			break;
		schedule_timeout_uninterruptible(msecs_to_jiffies(10));
	}
	now = owned();
	set_target(max(now, before));
	return now > before ? now - before : 0;
}

static u64 builtin_parked(u64 *blocks)
{
	*blocks = 0;
	return READ_ONCE(builtin.stats->balloon_low) + READ_ONCE(builtin.stats->balloon_high);
}

static void builtin_show(struct seq_file *m)
{
	seq_printf(m, "builtin_current_pages %lu\n", builtin.stats->current_pages);
	seq_printf(m, "builtin_target_pages %lu\n", builtin.stats->target_pages);
	seq_printf(m, "builtin_difference %lld\n", builtin.difference);
	seq_printf(m, "builtin_nudges %llu\n", builtin.nudges);
}

static const struct xbal_ops builtin_ops = {
	.mode = "policy",
	.open = builtin_open,
	.settle_ms = 100,
	.look = builtin_look,
	.foreign = builtin_foreign,
	.step = builtin_step,
	.stay = builtin_stay,
	.rescue = builtin_rescue,
	.parked = builtin_parked,
	.show = builtin_show,
};

static void put_symbols(void)
{
	if (builtin.stats)
		symbol_put(balloon_stats);
	if (builtin.set_target)
		symbol_put(balloon_set_new_target);
	builtin.stats = NULL;
	builtin.set_target = NULL;
}

/**
 * xbal_builtin_init - look for the kernel's own balloon
 *
 * It is there but not active when the kernel was started with
 * initcall_blacklist=balloon_init: then it has counted no page.
 *
 * Return: operations that drive it, or NULL.
 */
const struct xbal_ops *xbal_builtin_init(void)
{
	builtin.stats = symbol_get(balloon_stats);
	builtin.set_target = symbol_get(balloon_set_new_target);
	if (!builtin.stats || !builtin.set_target || !READ_ONCE(builtin.stats->current_pages)) {
		put_symbols();
		return NULL;
	}
	return &builtin_ops;
}

/**
 * xbal_builtin_exit - leave the kernel's own balloon to itself
 * @target: what the host asked for, in pages; 0 when it has not
 */
void xbal_builtin_exit(u64 target)
{
	if (target)
		builtin.set_target(theirs(target));
	put_symbols();
}
