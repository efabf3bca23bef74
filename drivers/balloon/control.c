// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loop of the balloon. One work item looks at the orders of the host and at the
 * memory of the guest, makes a plan, moves one step, and comes back: at once while
 * it gets on, after a growing wait while it does not, or when something changes.
 */
#include <linux/debugfs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/oom.h>
#include <linux/seq_file.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include "../core/stats.h"
#include "balloon.h"
#include "extent.h"
#include "hyper.h"

/* Without anything to do: others may have set a target, or changed our memory. */
#define IDLE_MS		30000
/* The shortest time over which refaults are counted. */
#define SAMPLE_MS	500
/* How often progress is told. */
#define TELL_MS		1000
/* What the OOM killer is offered at a time, in pages. */
#define RESCUE_PAGES	XBAL_BLOCK_PAGES

/* Guards how memory is moved; what else it guards is said in balloon.h. */
DEFINE_MUTEX(xbal_lock);

/* Guarded by xbal_lock, except as noted. */
static struct {
	const struct xbal_ops *ops;	/* constant */
	struct workqueue_struct *wq;	/* constant */
	struct dentry *debugfs;		/* constant */
	struct delayed_work work;
	bool open;			/* ops->open() has succeeded */
	struct xbal_backoff backoff;
	struct xbal_orders orders;	/* from xenstore */
	u64 target;			/* the latest order, from wherever it came */
	u64 hold;			/* from an OOM */
	u64 rescued;
	u64 rescues;
	u64 refaults;			/* at sampled */
	unsigned long sampled;		/* jiffies */
	bool thrashing;
	u64 last_owned;			/* at the last look */
	struct xbal_report report;
	unsigned long told;		/* jiffies; of the work only */
	const char *told_state;		/* of the work only */
} ctl;

/**
 * xbal_kick - look at the orders now
 *
 * Any context.
 */
void xbal_kick(void)
{
	mod_delayed_work(ctl.wq, &ctl.work, 0);
}

/**
 * xbal_set_target - an order of the administrator of the guest
 * @pages: in the units of memory/target
 *
 * It holds until the host gives another one. May sleep.
 */
void xbal_set_target(u64 pages)
{
	mutex_lock(&xbal_lock);
	ctl.target = pages;
	ctl.hold = 0;
	xbal_backoff_rearm(&ctl.backoff);
	mutex_unlock(&xbal_lock);
	xbal_kick();
}

/**
 * xbal_set_max_delay - limit the wait between attempts
 * @seconds: at least 1
 */
void xbal_set_max_delay(u32 seconds)
{
	mutex_lock(&xbal_lock);
	ctl.backoff.max = seconds;
	ctl.backoff.delay = min(ctl.backoff.delay, seconds);
	mutex_unlock(&xbal_lock);
}

/**
 * xbal_snapshot - what the loop knew when it ran last
 * @report: receives it
 * @backoff: receives the waits
 */
void xbal_snapshot(struct xbal_report *report, struct xbal_backoff *backoff)
{
	mutex_lock(&xbal_lock);
	*report = ctl.report;
	*backoff = ctl.backoff;
	mutex_unlock(&xbal_lock);
}

static u64 refaults(void)
{
	return global_node_page_state(WORKINGSET_REFAULT_ANON) +
	       global_node_page_state(WORKINGSET_REFAULT_FILE);
}

static void sample_pressure(u64 owned)
{
	u64 elapsed = jiffies_to_msecs(jiffies - ctl.sampled), now;

	if (elapsed < SAMPLE_MS)
		return;
	now = refaults();
	ctl.thrashing = xbal_thrashing(now - ctl.refaults, elapsed, owned);
	ctl.refaults = now;
	ctl.sampled = jiffies;
}

/* New orders of the host replace what others have set. */
static void obey(bool fresh, const struct xbal_orders *orders)
{
	if (fresh) {
		if (orders->target != ctl.orders.target) {
			ctl.target = orders->target;
			ctl.hold = 0;
		}
		ctl.orders = *orders;
		xbal_backoff_rearm(&ctl.backoff);
	}
	if (ctl.ops->foreign) {
		u64 foreign = ctl.ops->foreign();

		if (foreign && !fresh) {
			ctl.target = foreign;
			xbal_backoff_rearm(&ctl.backoff);
		}
	}
}

static void look(struct xbal_view *v)
{
	*v = (struct xbal_view){
		.floor = U64_MAX,
		.target = ctl.target,
		.static_max = ctl.orders.static_max,
		.hold = ctl.hold,
		.available = max(si_mem_available(), 0l),
	};
	ctl.ops->look(v);
	v->floor = min(v->floor, xbal_floor(v->ram, xbal_floor_wish()));
	sample_pressure(v->owned);
	v->thrashing = ctl.thrashing;
}

static void write_report(const struct xbal_view *v, const struct xbal_plan *plan,
			 enum xbal_reason wait, u64 owned, bool waiting)
{
	struct xbal_report *r = &ctl.report;
	long reservation = xbal_reservation();

	r->mode = ctl.ops->mode;
	r->target = XBAL_PAGES_TO_KB(v->target);
	r->goal = XBAL_PAGES_TO_KB(plan->goal);
	r->current_kb = XBAL_PAGES_TO_KB(reservation > 0 ? reservation : owned);
	r->floor = XBAL_PAGES_TO_KB(v->floor);
	r->max = XBAL_PAGES_TO_KB(v->static_max ?: v->ram);
	r->parked = XBAL_PAGES_TO_KB(ctl.ops->parked(&r->blocks));
	r->rescued = XBAL_PAGES_TO_KB(ctl.rescued);
	r->reason = plan->limit;
	if (owned == plan->goal) {
		r->state = "idle";
	} else {
		r->state = waiting ? "waiting" : owned > plan->goal ? "inflating" : "deflating";
		if (wait != XBAL_FINE)
			r->reason = wait;
	}
}

/*
 * Moves one step. Returns true when it got on; *why says why not, or why it is
 * slow. Called and returns with the lock held, but lets go of it to add RAM.
 */
static bool move(const struct xbal_plan *plan, enum xbal_reason *why)
{
	enum xbal_reason grown;
	s64 moved = 0;

	*why = plan->wait;
	/* Who settles by itself has to be told to stop as well. */
	if (plan->step || ctl.ops->settle_ms) {
		enum xbal_reason refused;

		moved = ctl.ops->step(plan->step, &refused);
		if (refused != XBAL_FINE)
			*why = refused;
	} else if (plan->grow && ctl.ops->grow) {
		mutex_unlock(&xbal_lock);
		grown = ctl.ops->grow(plan->grow);
		mutex_lock(&xbal_lock);
		*why = grown;
		return grown == XBAL_FINE;
	}
	return moved;
}

/* Whether a step that somebody else makes has got on since the last look. */
static bool settling(const struct xbal_view *v)
{
	bool progress = v->owned != ctl.last_owned;

	ctl.last_owned = v->owned;
	return progress;
}

/*
 * How long until the next look, in milliseconds, and whether that is a wait; *why it
 * is one, if the step has not said. Only progress shortens the waits again.
 */
static unsigned int next_look(const struct xbal_view *v, const struct xbal_plan *plan,
			      bool progress, enum xbal_reason *why, bool *waiting)
{
	*waiting = false;
	if (v->owned == plan->goal) {
		xbal_backoff_rearm(&ctl.backoff);
		return IDLE_MS;
	}
	if (*why != XBAL_PRESSURE) {
		if (progress) {
			xbal_backoff_rearm(&ctl.backoff);
			return ctl.ops->settle_ms;
		}
		if (ctl.ops->settle_ms && xbal_backoff_look(&ctl.backoff))
			return ctl.ops->settle_ms;
	}
	*waiting = true;
	if (ctl.ops->settle_ms && *why == XBAL_FINE)
		*why = plan->goal < v->owned ? XBAL_NO_MEMORY : XBAL_REFUSED;
	return xbal_backoff_next(&ctl.backoff) * MSEC_PER_SEC;
}

/* After a new order and a change of the state at once, progress at a moderate pace. */
static bool time_to_tell(bool fresh, const struct xbal_report *report)
{
	bool changed = report->state != ctl.told_state;

	if (!fresh && !changed && time_before(jiffies, ctl.told + msecs_to_jiffies(TELL_MS)))
		return false;
	ctl.told = jiffies;
	ctl.told_state = report->state;
	return true;
}

static void work_fn(struct work_struct *work)
{
	bool fresh, progress = false, waiting;
	struct xbal_orders orders;
	enum xbal_reason why = XBAL_FINE;
	struct xbal_report report;
	struct xbal_plan plan;
	struct xbal_view v;
	unsigned int ms;

	/* xenstore answers when it likes: not under the lock. */
	fresh = xbal_nodes_read(&orders);

	mutex_lock(&xbal_lock);
	if (!ctl.open && fresh)
		ctl.open = !ctl.ops->open(&orders);
	if (!ctl.open) {
		mutex_unlock(&xbal_lock);
		return;
	}
	obey(fresh, &orders);
	look(&v);
	xbal_make_plan(&v, &plan);
	if (v.owned != plan.goal) {
		progress = move(&plan, &why);
		if (ctl.ops->settle_ms)
			progress = settling(&v);
		else
			look(&v);
	} else if (ctl.ops->stay) {
		ctl.ops->stay(plan.goal);
	}
	ms = next_look(&v, &plan, progress, &why, &waiting);
	write_report(&v, &plan, why, v.owned, waiting);
	report = ctl.report;
	mutex_unlock(&xbal_lock);

	if (time_to_tell(fresh, &report))
		xbal_nodes_publish(&report);
	/* Does nothing after a kick since then. */
	queue_delayed_work(ctl.wq, &ctl.work, msecs_to_jiffies(ms));
}

/* Last resort before a process is killed: give back, and do not take again. */
static int out_of_memory_event(struct notifier_block *nb, unsigned long unused, void *data)
{
	unsigned long *freed = data;
	struct xbal_view v = { .floor = U64_MAX, .hold = U64_MAX };
	u64 pages;

	/* Who holds it may be waiting for memory. */
	if (!mutex_trylock(&xbal_lock))
		return NOTIFY_OK;
	if (!ctl.open) {
		mutex_unlock(&xbal_lock);
		return NOTIFY_OK;
	}
	pages = ctl.ops->rescue(RESCUE_PAGES);
	ctl.ops->look(&v);
	/* Where there is nothing that could be kept, nothing is held. */
	ctl.hold = min(v.hold, v.owned);
	ctl.rescued += pages;
	ctl.rescues++;
	mutex_unlock(&xbal_lock);

	*freed += pages;
	if (pages)
		pr_info_ratelimited("xen-balloon: out of memory, gave %llu KiB back\n",
				    XBAL_PAGES_TO_KB(pages));
	xbal_kick();
	return NOTIFY_OK;
}

static struct notifier_block oom_nb = {
	.notifier_call = out_of_memory_event,
};

static int stats_show(struct seq_file *m, void *unused)
{
	mutex_lock(&xbal_lock);
	seq_printf(m, "mode %s\n", ctl.ops->mode);
	seq_printf(m, "state %s\n", ctl.report.state ?: "starting");
	seq_printf(m, "rescues %llu\n", ctl.rescues);
	seq_printf(m, "rescued_pages %llu\n", ctl.rescued);
	seq_printf(m, "thrashing %d\n", ctl.thrashing);
	ctl.ops->show(m);
	mutex_unlock(&xbal_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/**
 * xbal_control_init - start the loop
 * @ops: how pages are moved
 *
 * Return: 0 or a negative errno. xbal_control_exit() undoes it.
 */
int xbal_control_init(const struct xbal_ops *ops)
{
	int err;

	ctl.ops = ops;
	ctl.backoff.max = XBAL_BACKOFF_MAX;
	xbal_backoff_rearm(&ctl.backoff);
	ctl.refaults = refaults();
	ctl.sampled = jiffies;
	INIT_DELAYED_WORK(&ctl.work, work_fn);
	ctl.wq = alloc_ordered_workqueue("xenpv-balloon", WQ_FREEZABLE | WQ_MEM_RECLAIM);
	if (!ctl.wq)
		return -ENOMEM;
	err = register_oom_notifier(&oom_nb);
	if (err)
		goto destroy;
	ctl.debugfs = xenpv_debugfs_add("balloon");
	debugfs_create_file("stats", 0444, ctl.debugfs, NULL, &stats_fops);
	err = xbal_nodes_init();
	if (err)
		goto remove;
	return 0;

remove:
	xenpv_debugfs_del(ctl.debugfs);
	unregister_oom_notifier(&oom_nb);
destroy:
	cancel_delayed_work_sync(&ctl.work);
	destroy_workqueue(ctl.wq);
	return err;
}

/** xbal_control_exit - stop the loop; what is parked stays so */
void xbal_control_exit(void)
{
	xbal_nodes_exit();
	unregister_oom_notifier(&oom_nb);
	cancel_delayed_work_sync(&ctl.work);
	xenpv_debugfs_del(ctl.debugfs);
	destroy_workqueue(ctl.wq);
	xbal_nodes_withdraw();
}
