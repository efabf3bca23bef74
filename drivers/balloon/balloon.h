/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-balloon.ko: memory of the guest as the host wants it.
 *
 * main.c	module, parameters, which mode
 * control.c	the loop: look, plan, move one step, say what happened
 * policy.c	the plan: floor, limits, how fast (pure)
 * engine.c	engine mode: moves pages itself
 * builtin.c	policy mode: drives the kernel's own balloon
 * extent.c	blocks of 2 MiB and single pages (pure)
 * books.c	accounts, kept in step with Xen's (pure)
 * backoff.c	when to try again (pure)
 * hyper.c	hypercalls
 * hotplug.c	RAM beyond what the guest was started with
 * nodes.c	xenstore: memory/target in, data/xenpv/balloon out
 * sysfs.c	/sys/devices/system/xen_memory of the kernel's own balloon
 */
#ifndef XBAL_BALLOON_H
#define XBAL_BALLOON_H

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "backoff.h"
#include "policy.h"

struct seq_file;

#define XBAL_PAGES_TO_KB(pages)	((u64)(pages) << (PAGE_SHIFT - 10))
#define XBAL_KB_TO_PAGES(kb)	((u64)(kb) >> (PAGE_SHIFT - 10))

/**
 * struct xbal_orders - what xenstore says, in pages
 * @target: memory/target, 0 when there is none or it is no number
 * @static_max: memory/static-max, 0 likewise
 */
struct xbal_orders {
	u64 target;
	u64 static_max;
};

/**
 * struct xbal_ops - how pages are moved; all are called with xbal_lock held
 * @mode: its name
 * @settle_ms: how long a step may go on after step() has returned
 * @open: begin, with the first orders of the host. Returns 0 or a negative errno,
 *	and is called again when there are others
 * @look: fill in ram, owned and growable of a view, and lower its floor if need be
 * @foreign: a target that somebody else has set since the last step, or 0
 * @step: move pages, into the balloon if negative; may move fewer. Returns the
 *	pages moved, with the same sign, and in *why why they are fewer
 * @stay: nothing is to be moved, the guest has these pages; may be NULL
 * @rescue: give the guest up to this many pages at once; returns how many. In
 *	the OOM killer's context: may sleep, must not allocate
 * @grow: add this many pages of RAM; called without the lock. NULL: it cannot
 * @parked: pages and blocks in the balloon
 * @show: print counters, one a line
 */
struct xbal_ops {
	const char *mode;
	unsigned int settle_ms;
	int (*open)(const struct xbal_orders *orders);
	void (*look)(struct xbal_view *v);
	u64 (*foreign)(void);
	s64 (*step)(s64 pages, enum xbal_reason *why);
	void (*stay)(u64 pages);
	u64 (*rescue)(u64 pages);
	enum xbal_reason (*grow)(u64 pages);
	u64 (*parked)(u64 *blocks);
	void (*show)(struct seq_file *m);
};

/**
 * struct xbal_report - what the host is told; in KiB where it is an amount
 * @mode: "engine" or "policy"
 * @state: "idle", "inflating", "deflating" or "waiting"
 * @target: what the host asked for, 0 for none
 * @goal: what it will get
 * @current_kb: what Xen counts
 * @floor: least that the guest is left with
 * @max: most that it can be given
 * @parked: in the balloon
 * @blocks: blocks of 2 MiB in the balloon, a number
 * @reason: what stands in the way
 * @rescued: given back to the guest when it ran out of memory, in all
 */
struct xbal_report {
	const char *mode;
	const char *state;
	u64 target;
	u64 goal;
	u64 current_kb;
	u64 floor;
	u64 max;
	u64 parked;
	u64 blocks;
	enum xbal_reason reason;
	u64 rescued;
};

/* main.c */
u64 xbal_floor_wish(void);
u32 xbal_batch(void);
bool xbal_scrub(void);
void xbal_set_scrub(bool on);

/* control.c */

/* Guards all of control.c, engine.c, builtin.c and hotplug.c but what says otherwise. */
extern struct mutex xbal_lock;

int xbal_control_init(const struct xbal_ops *ops);
void xbal_control_exit(void);
void xbal_kick(void);
void xbal_set_target(u64 pages);
void xbal_snapshot(struct xbal_report *report, struct xbal_backoff *backoff);
void xbal_set_max_delay(u32 seconds);

/* engine.c */
const struct xbal_ops *xbal_engine_init(void);
void xbal_engine_exit(void);
void xbal_engine_adopt(u64 pfn, u64 nr);

/* builtin.c */
const struct xbal_ops *xbal_builtin_init(void);
void xbal_builtin_exit(u64 target);

/* hotplug.c */
#ifdef CONFIG_MEMORY_HOTPLUG
int xbal_hotplug_init(void);
void xbal_hotplug_exit(void);
enum xbal_reason xbal_hotplug_add(u64 pages);
#else
static inline int xbal_hotplug_init(void)
{
	return -EOPNOTSUPP;
}

static inline void xbal_hotplug_exit(void)
{
}

static inline enum xbal_reason xbal_hotplug_add(u64 pages)
{
	return XBAL_ABOVE_RAM;
}
#endif

/* nodes.c */
int xbal_nodes_init(void);
void xbal_nodes_exit(void);
bool xbal_nodes_read(struct xbal_orders *orders);
void xbal_nodes_withdraw(void);
void xbal_nodes_publish(const struct xbal_report *report);

/* sysfs.c */
int xbal_sysfs_init(void);

#endif /* XBAL_BALLOON_H */
