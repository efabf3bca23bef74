// SPDX-License-Identifier: GPL-2.0-only
/*
 * xenstore: the host writes memory/target and memory/static-max, in KiB
 * (docs/misc/xenstore-paths of Xen). What comes of it is told below
 * data/xenpv/balloon; control/feature-balloon and control/balloon-active are
 * written where the host lets us.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <xen/xenbus.h>

#include "balloon.h"

#define DIR "data/xenpv/balloon"

/* More than any machine has; keeps sums within 64 bits. */
#define MAX_KB	BIT_ULL(50)

enum field {
	FIELD_MODE,
	FIELD_STATE,
	FIELD_TARGET,
	FIELD_GOAL,
	FIELD_CURRENT,
	FIELD_FLOOR,
	FIELD_MAX,
	FIELD_PARKED,
	FIELD_BLOCKS,
	FIELD_RESCUED,
	FIELD_ERROR,
	NR_FIELDS
};

static const char * const names[NR_FIELDS] = {
	[FIELD_MODE] = "mode",
	[FIELD_STATE] = "state",
	[FIELD_TARGET] = "target",
	[FIELD_GOAL] = "goal",
	[FIELD_CURRENT] = "current",
	[FIELD_FLOOR] = "floor",
	[FIELD_MAX] = "max",
	[FIELD_PARKED] = "ballooned",
	[FIELD_BLOCKS] = "superpages",
	[FIELD_RESCUED] = "rescued",
	[FIELD_ERROR] = "error",
};

#define VALUE_MAX 160

/* Others who write to xenstore at the same time make a transaction start again. */
#define MAX_TRIES 8

/* What has been written; of the loop's work only. */
static char written[NR_FIELDS][VALUE_MAX];
static int active_written = -1;

/* Set by the watch, taken by the loop's work: what was read or written is old. */
static atomic_t dirty = ATOMIC_INIT(0);
static atomic_t forget = ATOMIC_INIT(0);
static bool watching;

static int read_kb(const char *node, u64 *pages)
{
	char *text = xenbus_read(XBT_NIL, "memory", node, NULL);
	u64 kb;
	int err;

	*pages = 0;
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = kstrtou64(text, 10, &kb);
	if (!err && (!kb || kb > MAX_KB))
		err = -ERANGE;
	if (err)
		pr_warn_ratelimited("xen-balloon: memory/%s is \"%.32s\", expected KiB\n", node,
				    text);
	else
		*pages = XBAL_KB_TO_PAGES(kb);
	kfree(text);
	return err;
}

/**
 * xbal_nodes_read - read the orders if they may have changed
 * @orders: receives them then
 *
 * Of the loop's work only. Return: true when @orders was filled in.
 */
bool xbal_nodes_read(struct xbal_orders *orders)
{
	if (!atomic_xchg(&dirty, 0))
		return false;
	read_kb("target", &orders->target);
	/* xend's name of it was another. */
	if (read_kb("static-max", &orders->static_max) == -ENOENT)
		read_kb("memory_static_max", &orders->static_max);
	return true;
}

static void memory_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	/* It also fires after a resume, when this domain's own nodes are new. */
	atomic_set(&forget, 1);
	atomic_set(&dirty, 1);
	xbal_kick();
}

static struct xenbus_watch memory_watch = {
	.node = "memory",
	.callback = memory_changed,
};

static int store_ready(struct notifier_block *nb, unsigned long event, void *data)
{
	int err = register_xenbus_watch(&memory_watch);

	if (err)
		pr_err("xen-balloon: cannot watch memory/target: %d\n", err);
	else
		watching = true;
	return NOTIFY_DONE;
}

static struct notifier_block store_nb = {
	.notifier_call = store_ready,
};

/* The host's part of the sentence is in "target", "floor" and "max" beside it. */
static void explain(const struct xbal_report *r, char *text)
{
	switch (r->reason) {
	case XBAL_NO_TARGET:
		snprintf(text, VALUE_MAX, "memory/target is missing or no number of KiB");
		break;
	case XBAL_BELOW_FLOOR:
		snprintf(text, VALUE_MAX,
			 "target %llu KiB is below the floor of %llu KiB (module parameter floor_mb)",
			 r->target, r->floor);
		break;
	case XBAL_ABOVE_MAX:
		snprintf(text, VALUE_MAX, "target %llu KiB is beyond memory/static-max, %llu KiB",
			 r->target, r->max);
		break;
	case XBAL_ABOVE_RAM:
		snprintf(text, VALUE_MAX,
			 "target %llu KiB is beyond the guest's RAM, and none can be added",
			 r->target);
		break;
	case XBAL_OOM:
		snprintf(text, VALUE_MAX,
			 "the guest ran out of memory and keeps %llu KiB until the target changes",
			 r->goal);
		break;
	case XBAL_NO_MEMORY:
		snprintf(text, VALUE_MAX, "the guest has no free memory to give; trying again");
		break;
	case XBAL_PRESSURE:
		snprintf(text, VALUE_MAX, "the guest is short of memory; going on slowly");
		break;
	case XBAL_REFUSED:
		snprintf(text, VALUE_MAX,
			 "Xen refused (free memory of the host, or xl mem-max); trying again");
		break;
	case XBAL_OFFLINE:
		snprintf(text, VALUE_MAX,
			 "memory was added and waits to be set online in the guest");
		break;
	default:
		text[0] = '\0';
	}
}

/* What is to be written; of the loop's work only. */
static char values[NR_FIELDS][VALUE_MAX];

static void set_kb(enum field field, u64 value)
{
	snprintf(values[field], VALUE_MAX, "%llu", value);
}

/* Writes what has changed, all at once, so that nobody sees a part of it. */
static int write_changed(void)
{
	struct xenbus_transaction xbt;
	enum field field;
	int err;

	err = xenbus_transaction_start(&xbt);
	if (err)
		return err;
	for (field = 0; field < NR_FIELDS && !err; field++) {
		if (strcmp(written[field], values[field]))
			err = xenbus_write(xbt, DIR, names[field], values[field]);
	}
	if (err) {
		xenbus_transaction_end(xbt, 1);
		return err;
	}
	return xenbus_transaction_end(xbt, 0);
}

/* Plain xl keeps control/ to itself, xapi does not. */
static void tell_control(const struct xbal_report *r)
{
	int active = strcmp(r->state, "idle") != 0;

	if (active == active_written)
		return;
	if (active_written < 0)
		xenbus_write(XBT_NIL, "control", "feature-balloon", "1");
	xenbus_write(XBT_NIL, "control", "balloon-active", active ? "1" : "0");
	active_written = active;
}

/**
 * xbal_nodes_publish - tell the host
 * @report: what to tell
 *
 * Of the loop's work only. Sleeps. Failures are not errors of the balloon.
 */
void xbal_nodes_publish(const struct xbal_report *report)
{
	int tries, err = 0;

	if (!READ_ONCE(watching))
		return;
	if (atomic_xchg(&forget, 0)) {
		memset(written, 0, sizeof(written));
		/* An empty error is an answer too. */
		written[FIELD_ERROR][0] = '\1';
		active_written = -1;
	}
	strscpy(values[FIELD_MODE], report->mode, VALUE_MAX);
	strscpy(values[FIELD_STATE], report->state, VALUE_MAX);
	set_kb(FIELD_TARGET, report->target);
	set_kb(FIELD_GOAL, report->goal);
	set_kb(FIELD_CURRENT, report->current_kb);
	set_kb(FIELD_FLOOR, report->floor);
	set_kb(FIELD_MAX, report->max);
	set_kb(FIELD_PARKED, report->parked);
	set_kb(FIELD_BLOCKS, report->blocks);
	set_kb(FIELD_RESCUED, report->rescued);
	explain(report, values[FIELD_ERROR]);
	if (!memcmp(written, values, sizeof(written)))
		return;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		err = write_changed();
		if (err != -EAGAIN)
			break;
	}
	/* What could not be written is tried again next time. */
	if (err)
		pr_warn_once("xen-balloon: cannot write %s: %d\n", DIR, err);
	else
		memcpy(written, values, sizeof(written));
	tell_control(report);
}

/**
 * xbal_nodes_init - watch the orders, once xenstore is there
 *
 * Return: 0 or a negative errno.
 */
int xbal_nodes_init(void)
{
	return register_xenstore_notifier(&store_nb);
}

/** xbal_nodes_exit - stop watching */
void xbal_nodes_exit(void)
{
	unregister_xenstore_notifier(&store_nb);
	if (watching) {
		unregister_xenbus_watch(&memory_watch);
		WRITE_ONCE(watching, false);
	}
}

/** xbal_nodes_withdraw - remove what was told; the loop has ended */
void xbal_nodes_withdraw(void)
{
	xenbus_rm(XBT_NIL, "data/xenpv", "balloon");
}
