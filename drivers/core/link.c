// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "link.h"
#include "store.h"

/* Stands in @pending for whatever the backend's state node says by now. */
#define EV_BACKEND XENPV_EV_BACK_UNKNOWN

/* More steps than any sane sequence takes before it must wait. */
#define MAX_STEPS 32

/* Recovery frees memory when it writes out swap, so it needs its own rescuer. */
static struct workqueue_struct *link_wq;

static void link_queue(struct xenpv_link *link, enum xenpv_event event)
{
	lockdep_assert_held(&link->ev_lock);

	if (link->stopped)
		return;
	__set_bit(event, &link->pending);
	mod_delayed_work(link_wq, &link->work, 0);
}

/**
 * xenpv_link_event - tell a connection that something happened
 * @link: link
 * @event: %XENPV_EV_KICK, %XENPV_EV_RENEW or %XENPV_EV_RESUME
 *
 * Any context. Handled later, in process context.
 */
void xenpv_link_event(struct xenpv_link *link, enum xenpv_event event)
{
	unsigned long flags;

	spin_lock_irqsave(&link->ev_lock, flags);
	link_queue(link, event);
	spin_unlock_irqrestore(&link->ev_lock, flags);
}
EXPORT_SYMBOL_GPL(xenpv_link_event);

/**
 * xenpv_link_backend_changed - the backend's state node may have changed
 * @link: link
 *
 * For &xenbus_driver.otherend_changed. The node is read when the event is
 * handled, so a burst of changes costs one look.
 */
void xenpv_link_backend_changed(struct xenpv_link *link)
{
	xenpv_link_event(link, EV_BACKEND);
}
EXPORT_SYMBOL_GPL(xenpv_link_backend_changed);

/**
 * xenpv_link_fault - the connection cannot be used any further
 * @link: link
 * @fmt: what was found wrong, with the value
 *
 * Any context. The first message since the last recovery is logged, written
 * to the device's error node, and the link reconnects, or gives up if it did
 * so too often of late.
 */
void xenpv_link_fault(struct xenpv_link *link, const char *fmt, ...)
{
	unsigned long flags;
	va_list ap;

	spin_lock_irqsave(&link->ev_lock, flags);
	if (!link->fault[0]) {
		va_start(ap, fmt);
		vsnprintf(link->fault, sizeof(link->fault), fmt, ap);
		va_end(ap);
	}
	link_queue(link, XENPV_EV_FAULT);
	spin_unlock_irqrestore(&link->ev_lock, flags);
}
EXPORT_SYMBOL_GPL(xenpv_link_fault);

static void clear_faults(struct xenpv_link *link)
{
	spin_lock_irq(&link->ev_lock);
	__clear_bit(XENPV_EV_FAULT, &link->pending);
	__clear_bit(XENPV_EV_KICK, &link->pending);
	link->fault[0] = '\0';
	spin_unlock_irq(&link->ev_lock);
}

static void set_deadline(struct xenpv_link *link, unsigned long wait)
{
	link->deadline = jiffies + wait;
	link->deadline_set = true;
}

static void enter(struct xenpv_link *link, enum xenpv_state state)
{
	if (link->state != state)
		dev_dbg(&link->xdev->dev, "%s -> %s\n", xenpv_state_name(link->state),
			xenpv_state_name(state));
	link->state = state;
	link->deadline_set = false;
	link->held = false;

	switch (state) {
	case XENPV_INITIALISED:
		set_deadline(link, link->served ? link->params.reconnect_wait :
						  link->params.connect_wait);
		break;
	case XENPV_CONNECTED:
		link->served = true;
		break;
	case XENPV_RECLOSING:
	case XENPV_RECLOSED:
	case XENPV_SHUT:
		set_deadline(link, link->params.close_wait);
		break;
	default:
		break;
	}

	if (xenpv_state_settled(state)) {
		link->outage = false;
	} else if (!link->outage) {
		link->outage = true;
		link->outage_end = jiffies + link->params.outage_wait;
	}
}

/* The bus read the new backend's path before it called the driver. */
static int copy_backend(struct xenpv_link *link)
{
	char *path;

	path = kstrdup(link->xdev->otherend, GFP_NOIO);
	if (!path)
		return -ENOMEM;
	kfree(link->backend);
	link->backend = path;
	link->backend_id = link->xdev->otherend_id;
	return 0;
}

static int act(struct xenpv_link *link, enum xenpv_action action)
{
	const struct xenpv_link_ops *ops = link->ops;
	struct xenbus_device *xdev = link->xdev;
	int err = 0;

	switch (action) {
	case XENPV_ACT_UNDEFINED:
	case XENPV_ACT_NONE:
	case XENPV_ACT_PATIENCE:
		break;
	case XENPV_ACT_SETUP:
		err = ops->setup(link);
		if (!err)
			err = xenpv_switch_state(xdev, ops->offered);
		break;
	case XENPV_ACT_CONNECT:
		err = ops->connect(link);
		if (err)
			break;
		xenpv_switch_state(xdev, XenbusStateConnected);
		ops->start(link);
		break;
	case XENPV_ACT_REREAD:
		ops->reread(link);
		break;
	case XENPV_ACT_KICK:
		ops->kick(link);
		break;
	case XENPV_ACT_RECOVER:
		link->recoveries++;
		ops->quiesce(link);
		clear_faults(link);
		xenpv_switch_state(xdev, XenbusStateClosing);
		break;
	case XENPV_ACT_CLOSE:
		xenpv_switch_state(xdev, XenbusStateClosed);
		break;
	case XENPV_ACT_RESTART:
		ops->quiesce(link);
		ops->release(link);
		clear_faults(link);
		xenpv_switch_state(xdev, XenbusStateInitialising);
		break;
	case XENPV_ACT_RESUME:
		ops->quiesce(link);
		ops->release(link);
		clear_faults(link);
		link->served = false;
		/* The work may have written a later state while the domain moved. */
		xenpv_switch_state(xdev, XenbusStateInitialising);
		break;
	case XENPV_ACT_SHUTDOWN:
		ops->drain(link);
		ops->quiesce(link);
		clear_faults(link);
		xenpv_frontend_closed(xdev);
		break;
	case XENPV_ACT_RELEASE:
		ops->release(link);
		ops->fail(link);
		break;
	case XENPV_ACT_GIVEUP:
	case XENPV_ACT_BREAK:
		ops->quiesce(link);
		clear_faults(link);
		if (action == XENPV_ACT_BREAK)
			xenpv_switch_state(xdev, XenbusStateClosed);
		ops->release(link);
		ops->fail(link);
		break;
	}
	return err;
}

static enum xenpv_event read_backend(struct xenpv_link *link)
{
	enum xenbus_state state = xenpv_read_state(link->xdev, link->backend);

	return xenpv_backend_event(state, xenbus_read_unsigned(link->backend, "online", 1));
}

/* Report a fault once; refuse to go on when there were too many. */
static enum xenpv_event judge_fault(struct xenpv_link *link)
{
	struct xenbus_device *xdev = link->xdev;
	char text[XENPV_FAULT_LEN];

	spin_lock_irq(&link->ev_lock);
	strscpy(text, link->fault, sizeof(text));
	link->fault[0] = '\0';
	spin_unlock_irq(&link->ev_lock);

	/* Recovery is under way, or there is nothing left to recover. */
	if (xenpv_state_next(link->state, XENPV_EV_FAULT).action == XENPV_ACT_NONE)
		return XENPV_EV_FAULT;

	if (xenpv_budget_take(&link->budget, get_jiffies_64(), link->params.max_recoveries,
			      link->params.window)) {
		xenbus_dev_error(xdev, -EPROTO, "%s; reconnecting", text);
		link->setup_at = jiffies +
			xenpv_backoff(xenpv_budget_recent(&link->budget, get_jiffies_64(),
							  link->params.window),
				      link->params.backoff, link->params.close_wait);
		return XENPV_EV_FAULT;
	}
	xenbus_dev_error(xdev, -EPROTO,
			 "%s; %u faults within %u s, giving up: I/O fails until the device is attached anew",
			 text, link->params.max_recoveries + 1,
			 jiffies_to_msecs(link->params.window) / 1000);
	return XENPV_EV_REFUSED;
}

/* Next event to handle, the most urgent first; false when there is none. */
static bool next_event(struct xenpv_link *link, bool *look, enum xenpv_event *event)
{
	unsigned long pending;

	spin_lock_irq(&link->ev_lock);
	pending = link->pending;
	if (pending & BIT(XENPV_EV_RESUME)) {
		*event = XENPV_EV_RESUME;
		/* Whatever else was noticed concerned the old backend. */
		link->pending = BIT(EV_BACKEND);
	} else if (pending & BIT(XENPV_EV_FAULT)) {
		*event = XENPV_EV_FAULT;
		__clear_bit(XENPV_EV_FAULT, &link->pending);
	} else if (pending & BIT(XENPV_EV_RENEW)) {
		*event = XENPV_EV_RENEW;
		__clear_bit(XENPV_EV_RENEW, &link->pending);
	} else if (pending & BIT(EV_BACKEND)) {
		*event = EV_BACKEND;
		__clear_bit(EV_BACKEND, &link->pending);
		*look = false;
	} else if (*look) {
		*event = EV_BACKEND;
		*look = false;
	} else if (link->outage && time_after_eq(jiffies, link->outage_end)) {
		*event = XENPV_EV_OUTAGE;
		link->outage = false;
	} else if (link->deadline_set && time_after_eq(jiffies, link->deadline)) {
		*event = XENPV_EV_EXPIRE;
		link->deadline_set = false;
	} else if (pending & BIT(XENPV_EV_KICK)) {
		*event = XENPV_EV_KICK;
		__clear_bit(XENPV_EV_KICK, &link->pending);
	} else {
		spin_unlock_irq(&link->ev_lock);
		return false;
	}
	spin_unlock_irq(&link->ev_lock);

	if (*event == EV_BACKEND)
		*event = read_backend(link);
	else if (*event == XENPV_EV_FAULT)
		*event = judge_fault(link);
	return true;
}

static void report(struct xenpv_link *link, enum xenpv_event event, struct xenpv_step step)
{
	struct device *dev = &link->xdev->dev;

	switch (step.action) {
	case XENPV_ACT_RECOVER:
	case XENPV_ACT_RESUME:
		dev_info(dev, "%s: %s, reconnecting\n", xenpv_state_name(link->state),
			 xenpv_event_name(event));
		break;
	case XENPV_ACT_GIVEUP:
		xenbus_dev_error(link->xdev, -ETIMEDOUT,
				 "%s: no working backend at %s (%s) for %u s; I/O fails until one appears",
				 xenpv_state_name(link->state), link->backend,
				 xenpv_event_name(read_backend(link)),
				 jiffies_to_msecs(link->params.outage_wait) / 1000);
		break;
	case XENPV_ACT_SHUTDOWN:
		dev_info(dev, "%s\n", xenpv_event_name(event));
		break;
	default:
		break;
	}
}

static void arm_timer(struct xenpv_link *link)
{
	unsigned long when = 0, now = jiffies;
	bool set = false;

	if (link->deadline_set) {
		when = link->deadline;
		set = true;
	}
	if (link->outage && (!set || time_before(link->outage_end, when))) {
		when = link->outage_end;
		set = true;
	}
	if (link->held && (!set || time_before(link->setup_at, when))) {
		when = link->setup_at;
		set = true;
	}
	if (!set)
		return;

	spin_lock_irq(&link->ev_lock);
	/* Does nothing when an event has queued the work meanwhile. */
	if (!link->stopped)
		queue_delayed_work(link_wq, &link->work,
				   time_after(when, now) ? when - now : 0);
	spin_unlock_irq(&link->ev_lock);
}

/* After a fault the backend is not set up again at once, but looked at again then. */
static bool hold(struct xenpv_link *link, enum xenpv_action action)
{
	if (action != XENPV_ACT_SETUP || !link->params.backoff ||
	    time_after_eq(jiffies, link->setup_at))
		return false;
	link->held = true;
	return true;
}

static void link_work(struct work_struct *work)
{
	struct xenpv_link *link = container_of(work, struct xenpv_link, work.work);
	enum xenpv_event event;
	unsigned int noio;
	bool look = false;
	int steps;

	/* The device may be what memory is reclaimed to. */
	noio = memalloc_noio_save();
	mutex_lock(&link->lock);
	if (link->held && time_after_eq(jiffies, link->setup_at)) {
		link->held = false;
		look = true;
	}
	for (steps = 0; steps < MAX_STEPS && next_event(link, &look, &event); steps++) {
		struct xenpv_step step = xenpv_state_next(link->state, event);
		enum xenpv_state before = link->state;
		int err;

		if (step.action == XENPV_ACT_NONE)
			continue;
		if (step.action == XENPV_ACT_PATIENCE) {
			if (!link->deadline_set)
				set_deadline(link, link->params.close_wait);
			continue;
		}
		if (hold(link, step.action))
			continue;
		report(link, event, step);
		err = act(link, step.action);
		if (err) {
			xenpv_link_fault(link, "%s failed: error %d",
					 step.action == XENPV_ACT_SETUP ? "setup" : "connect",
					 err);
			continue;
		}
		enter(link, step.next);
		look = link->state != before && !xenpv_state_settled(link->state);
	}
	arm_timer(link);
	mutex_unlock(&link->lock);
	memalloc_noio_restore(noio);

	/* A peer that keeps us busy gets its turn after the others. */
	if (steps == MAX_STEPS)
		xenpv_link_backend_changed(link);
}

/**
 * xenpv_link_init - prepare a connection
 * @link: uninitialised link
 * @xdev: device; outlives the link
 * @ops: the driver's part
 * @params: bounds; copied
 *
 * Return: 0 or -ENOMEM. xenpv_link_destroy() undoes it.
 */
int xenpv_link_init(struct xenpv_link *link, struct xenbus_device *xdev,
		    const struct xenpv_link_ops *ops, const struct xenpv_link_params *params)
{
	memset(link, 0, sizeof(*link));
	link->xdev = xdev;
	link->ops = ops;
	link->params = *params;
	link->setup_at = jiffies;
	mutex_init(&link->lock);
	spin_lock_init(&link->ev_lock);
	INIT_DELAYED_WORK(&link->work, link_work);
	/* The backend's state may change while the driver still prepares the device. */
	link->stopped = true;
	return copy_backend(link);
}
EXPORT_SYMBOL_GPL(xenpv_link_init);

/**
 * xenpv_link_begin - start connecting
 * @link: link, initialised
 *
 * Until then no event is accepted. Writes Initialising, in case another driver
 * left the device Closed.
 */
void xenpv_link_begin(struct xenpv_link *link)
{
	mutex_lock(&link->lock);
	xenpv_switch_state(link->xdev, XenbusStateInitialising);
	enter(link, XENPV_INITIALISING);
	mutex_unlock(&link->lock);

	spin_lock_irq(&link->ev_lock);
	link->stopped = false;
	spin_unlock_irq(&link->ev_lock);
	xenpv_link_backend_changed(link);
}
EXPORT_SYMBOL_GPL(xenpv_link_begin);

/**
 * xenpv_link_resume - the domain was restored, perhaps on another host
 * @link: link
 *
 * For &xenbus_driver.resume. Return: 0 or -ENOMEM.
 */
int xenpv_link_resume(struct xenpv_link *link)
{
	int err;

	mutex_lock(&link->lock);
	err = copy_backend(link);
	mutex_unlock(&link->lock);
	if (!err)
		xenpv_link_event(link, XENPV_EV_RESUME);
	return err;
}
EXPORT_SYMBOL_GPL(xenpv_link_resume);

/**
 * xenpv_link_stop - accept no event any more
 * @link: link
 *
 * On return no operation of the driver runs or will run. Sleeps until the one
 * that runs has ended.
 */
void xenpv_link_stop(struct xenpv_link *link)
{
	spin_lock_irq(&link->ev_lock);
	link->stopped = true;
	spin_unlock_irq(&link->ev_lock);
	cancel_delayed_work_sync(&link->work);
}
EXPORT_SYMBOL_GPL(xenpv_link_stop);

/**
 * xenpv_link_detach - end the connection for good, when the driver lets go
 * @link: link, stopped; all users of the device are gone
 * @bound_ms: longest time to wait for the backend to unmap our pages
 *
 * Whatever the backend still maps then is freed when it lets go.
 */
void xenpv_link_detach(struct xenpv_link *link, unsigned int bound_ms)
{
	unsigned int waited;

	mutex_lock(&link->lock);
	if (link->state != XENPV_CLOSED) {
		link->ops->quiesce(link);
		xenpv_switch_state(link->xdev, XenbusStateClosed);
		/*
		 * This may be the thread that delivers xenstore watches, so
		 * no watch can tell us.
		 */
		for (waited = 0; waited < bound_ms; waited += 20) {
			enum xenbus_state state = xenpv_read_state(link->xdev, link->backend);

			if (state != XenbusStateConnected && state != XenbusStateClosing)
				break;
			msleep(20);
		}
		link->ops->release(link);
		link->ops->fail(link);
		enter(link, XENPV_CLOSED);
	}
	mutex_unlock(&link->lock);
}
EXPORT_SYMBOL_GPL(xenpv_link_detach);

/**
 * xenpv_link_destroy - free what xenpv_link_init() took
 * @link: link, stopped
 */
void xenpv_link_destroy(struct xenpv_link *link)
{
	kfree(link->backend);
	link->backend = NULL;
	mutex_destroy(&link->lock);
}
EXPORT_SYMBOL_GPL(xenpv_link_destroy);

/** xenpv_links_init - called once when the module loads; 0 or -ENOMEM */
int xenpv_links_init(void)
{
	link_wq = alloc_workqueue("xenpv", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return link_wq ? 0 : -ENOMEM;
}

/** xenpv_links_exit - called once when the module unloads */
void xenpv_links_exit(void)
{
	destroy_workqueue(link_wq);
}
