// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/disk.h"
#include "control/guest.h"
#include "control/kernel.h"
#include "control/nodes.h"
#include "control/status.h"
#include "control/vif.h"
#include "lib/cleanup.h"

/* Actions in one go; a correct table needs fewer. */
#define MAX_ACTIONS 16

/* So many faults in so much time, and reconnects are held back for that time. */
#define FAULT_LIMIT  5
#define FAULT_WINDOW UINT64_C(10000000)

/*
 * How long a state is kept that libxl waits for, where no script tells that it was read, us.
 * libxl waits for ten seconds.
 */
#define SETTLE_US UINT64_C(1000000)

/* Time between looks at a device that the kernel's backend has, us. */
#define FOREIGN_INTERVAL UINT64_C(1000000)

const char *device_kind_name(enum device_kind kind)
{
	static const char *const names[_DEVICE_KIND_MAX] = { "vbd", "vbd3", "vif" };

	return names[kind];
}

const struct device_class *device_kind_class(enum device_kind kind)
{
	static const struct device_class *const classes[_DEVICE_KIND_MAX] = { &disk_class,
									      &disk_class,
									      &vif_class };

	return classes[kind];
}

static uint64_t now(const struct device *dev)
{
	uint64_t t = 0;

	sd_event_now(dev->broker->event, CLOCK_MONOTONIC, &t);
	return t;
}

static void on_own_frontend(void *userdata, const char *path)
{
	(void)path;
	device_kick(userdata);
}

int device_read_optional(struct device *dev, const char *key, char **ret)
{
	int r = xsc_read(dev->broker->xs, XBT_NULL, dev->dir, key, ret);

	return xsc_is_fatal(r) ? r : 0;
}

static int read_identity(struct device *dev)
{
	struct xs_conn *xs = dev->broker->xs;
	uint32_t frontend_id;
	int r;

	/* libxl writes all nodes at once; whoever does not is waited for. */
	if (!xsc_exists(xs, XBT_NULL, dev->dir, "state"))
		return -ENOENT;
	r = xsc_read_u32(xs, XBT_NULL, dev->dir, "frontend-id", 0, UINT32_MAX, &frontend_id);
	if (r < 0)
		return r;
	if (frontend_id != dev->domid) {
		log_full(LOG_ERR, &dev->about, 0,
			 "frontend-id = %u is not the %u of its path: ignored", frontend_id,
			 dev->domid);
		return -EINVAL;
	}
	r = xsc_read(xs, XBT_NULL, dev->dir, "frontend", &dev->frontend);
	if (r < 0)
		return r;
	return dev->class->read(dev);
}

static int watch_frontend(struct device *dev)
{
	const char *dir;
	size_t n;
	int r;

	r = guest_watch(dev->guest, dev->class, &dir);
	if (r < 0)
		return r;
	n = strlen(dir);
	if (!strncmp(dev->frontend, dir, n) && dev->frontend[n] == '/' &&
	    !strchr(dev->frontend + n + 1, '/'))
		return 0;
	return xsc_watch(dev->broker->xs, dev->frontend, on_own_frontend, dev, &dev->watch);
}

int device_new(struct broker *b, enum device_kind kind, uint32_t domid, uint32_t devid,
	       struct device **ret)
{
	const struct device_class *class = device_kind_class(kind);
	char text[DEVICE_TEXT];
	struct device *dev;
	struct guest *g;
	int r;

	r = guest_get(b, domid, &g);
	if (r < 0)
		return r;
	dev = calloc(1, class->size);
	if (!dev) {
		guest_release(g);
		return -ENOMEM;
	}
	dev->class = class;
	dev->broker = b;
	dev->guest = g;
	dev->kind = kind;
	dev->domid = dev->about.domid = domid;
	dev->devid = dev->about.devid = devid;
	dev->hs.reconfigures = class->reconfigures;
	dev->found = b->scans_left > 0;
	snprintf(dev->about.name, sizeof(dev->about.name), "%s-%u-%u", device_kind_name(kind),
		 domid, devid);
	snprintf(dev->dir, sizeof(dev->dir), "backend/%s/%u/%u", device_kind_name(kind), domid,
		 devid);
	class->init(dev);
	LIST_INSERT_HEAD(&g->devices, dev, in_guest);
	b->n_devices++;

	r = read_identity(dev);
	if (r >= 0)
		r = watch_frontend(dev);
	if (r < 0) {
		device_free(dev);
		return r;
	}
	class->choose(dev);
	class->describe(dev, text, sizeof(text));
	log_full(LOG_INFO, &dev->about, 0, "found: %s", text);
	status_changed(b);
	*ret = dev;
	return 0;
}

void device_free(struct device *dev)
{
	struct guest *g = dev->guest;

	if (dev->dirty)
		TAILQ_REMOVE(&dev->broker->dirty, dev, in_dirty);
	LIST_REMOVE(dev, in_guest);
	dev->broker->n_devices--;
	if (g->worker)
		workerproc_cancel(g->worker, dev);
	dev->class->free(dev);
	xsc_unwatch(dev->watch);
	sd_event_source_disable_unref(dev->retry);
	sd_event_source_disable_unref(dev->grace);
	sd_event_source_disable_unref(dev->hold);
	sd_event_source_disable_unref(dev->settle);
	status_changed(dev->broker);
	guest_release(g);
	free(dev->frontend);
	free(dev->error);
	free(dev);
}

void device_kick(struct device *dev)
{
	if (dev->dirty)
		return;
	dev->dirty = true;
	TAILQ_INSERT_TAIL(&dev->broker->dirty, dev, in_dirty);
	sd_event_source_set_enabled(dev->broker->step, SD_EVENT_ONESHOT);
}

void device_set_error(struct device *dev, const char *text)
{
	free(dev->error);
	dev->error = text ? strdup(text) : NULL;
	status_changed(dev->broker);
}

void device_clear_error(struct device *dev)
{
	if (!dev->error)
		return;
	device_set_error(dev, NULL);
	nodes_clear_error(dev);
}

void device_tell_trouble(struct device *dev, const char *what, const char *text)
{
	if (dev->error && !strcmp(dev->error, text))
		return;
	log_full(LOG_ERR, &dev->about, 0, "%s: %s", what, text);
	device_set_error(dev, text);
	nodes_tell_error(dev);
}

void device_refuse(struct device *dev, const char *text)
{
	log_full(LOG_ERR, &dev->about, 0, "refused: %s", text);
	device_set_error(dev, text);
	dev->hs.image = HS_IMAGE_REFUSED;
	dev->hs.refusal_told = false;
	device_kick(dev);
}

/* One timer source for each purpose, made at first use. */
static void start_timer(struct device *dev, sd_event_source **source, uint64_t us,
			sd_event_time_handler_t fn)
{
	int r;

	if (*source) {
		sd_event_source_set_time_relative(*source, us);
		r = sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(dev->broker->event, source, CLOCK_MONOTONIC, us, 0,
					       fn, dev);
	}
	if (r < 0) {
		/* Without memory for a timer nothing works; systemd starts us again. */
		log_error(r, "cannot set a timer: %m");
		sd_event_exit(dev->broker->event, r);
	}
}

static int on_hold_over(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct device *dev = userdata;

	(void)s;
	(void)usec;
	dev->hs.held = false;
	dev->faults = 0;
	device_kick(dev);
	return 0;
}

void device_fault(struct device *dev, const char *text)
{
	uint64_t t = now(dev);

	log_full(LOG_ERR, &dev->about, 0, "closing its frontend: %s", text);
	device_set_error(dev, text);
	nodes_tell_error(dev);
	dev->hs.link = HS_LINK_DOWN;
	dev->hs.fault = true;
	if (dev->faults == 0 || t - dev->first_fault > FAULT_WINDOW) {
		dev->first_fault = t;
		dev->faults = 0;
	}
	if (++dev->faults >= FAULT_LIMIT && !dev->hs.held) {
		log_full(LOG_WARNING, &dev->about, 0,
			 "%u faults in short time: no reconnect for %u s", dev->faults,
			 (unsigned int)(FAULT_WINDOW / 1000000));
		dev->hs.held = true;
		start_timer(dev, &dev->hold, FAULT_WINDOW, on_hold_over);
	}
	device_kick(dev);
}

void device_fault_up(struct device *dev, const char *text)
{
	device_fault(dev, text);
	/* Unlike a failed connect: there is something to take down first. */
	dev->hs.link = HS_LINK_BROKEN;
}

/* An image that is being opened by somebody comes to an end by itself. */
static bool opening(const struct device *dev)
{
	return dev->class->opening && dev->class->opening(dev);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct device *dev = userdata;

	(void)s;
	(void)usec;
	if (dev->link_waits)
		dev->hs.link = HS_LINK_DOWN;
	else if (dev->hs.image == HS_IMAGE_OPENING && !opening(dev))
		dev->hs.image = HS_IMAGE_CLOSED;
	device_kick(dev);
	return 0;
}

void device_retry_later(struct device *dev, uint64_t delay_us)
{
	dev->link_waits = dev->hs.link == HS_LINK_BUSY;
	start_timer(dev, &dev->retry, delay_us, on_retry);
}

static int on_grace_over(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct device *dev = userdata;

	(void)s;
	(void)usec;
	if (dev->hs.ours == XenbusStateClosing && dev->hs.link == HS_LINK_UP) {
		log_full(LOG_WARNING, &dev->about, 0,
			 "the frontend does not close, it is cut off after %u s",
			 dev->broker->options.detach_timeout);
		dev->hs.grace_over = true;
		device_kick(dev);
	}
	return 0;
}

/* What follows from the inputs before the table is asked. */
static void prepare(struct device *dev)
{
	struct hs_input *hs = &dev->hs;
	bool leaving =
		!hs->online && (hs->ours == XenbusStateClosing || hs->ours == XenbusStateClosed ||
				hs->ours == XenbusStateUnknown);
	int enabled = SD_EVENT_OFF;

	if (hs->image == HS_IMAGE_LATER && hs->hotplug == HS_HOTPLUG_DONE)
		dev->class->choose(dev);
	if (!leaving) {
		hs->grace_over = hs->released = false;
		return;
	}
	/* Nobody waits for an image any more; one that is just being opened ends by itself. */
	if (hs->image == HS_IMAGE_OPENING && !opening(dev))
		hs->image = HS_IMAGE_CLOSED;
	if (dev->grace)
		sd_event_source_get_enabled(dev->grace, &enabled);
	if (hs->ours == XenbusStateClosing && !hs->grace_over && hs->link == HS_LINK_UP &&
	    enabled == SD_EVENT_OFF)
		start_timer(dev, &dev->grace,
			    dev->broker->options.detach_timeout * UINT64_C(1000000), on_grace_over);
}

static int on_settled(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct device *dev = userdata;
	int r;

	(void)s;
	(void)usec;
	dev->settling = false;
	if (dev->hs.released) {
		r = nodes_remove_own(dev);
		if (r < 0 && r != -ESTALE)
			broker_xs_failed(dev->broker, dev, r, "removing its nodes");
	}
	device_kick(dev);
	return 0;
}

/* With a script libxl, or "xl devd" in a driver domain, shows what it has read by running it. */
static void settle(struct device *dev)
{
	if (dev->broker->options.hotplug_scripts)
		return;
	dev->settling = true;
	start_timer(dev, &dev->settle, SETTLE_US, on_settled);
}

static int offer(struct device *dev)
{
	bool fresh = dev->hs.ours == XenbusStateInitialising;
	int r = nodes_offer(dev);

	if (r >= 0 && fresh)
		settle(dev);
	return r;
}

static int set_closed(struct device *dev)
{
	if (!dev->hs.online)
		dev->class->close(dev, true);
	dev->hs.fault = false;
	return nodes_set_state(dev, XenbusStateClosed);
}

static int act(struct device *dev, enum hs_action action)
{
	switch (action) {
	case HS_OPEN:
		dev->class->open(dev);
		return 0;
	case HS_TELL:
		dev->hs.refusal_told = true;
		return nodes_tell_refusal(dev);
	case HS_OFFER:
		return offer(dev);
	case HS_CONNECT:
	case HS_REATTACH:
		device_connect(dev, action == HS_REATTACH);
		return 0;
	case HS_DISCONNECT:
		device_disconnect(dev);
		return 0;
	case HS_DETACH:
		device_detach(dev);
		return 0;
	case HS_RECONFIGURE:
		device_reconfigure(dev);
		return 0;
	case HS_SET_RECONFIGURED:
		return nodes_set_state(dev, XenbusStateReconfigured);
	case HS_SET_CONNECTED:
		return nodes_set_state(dev, XenbusStateConnected);
	case HS_SET_CLOSING:
		/* The script may have thought better of it. */
		if (dev->hs.image == HS_IMAGE_REFUSED)
			xsc_write(dev->broker->xs, XBT_NULL, dev->dir, "hotplug-status", "error");
		return nodes_set_state(dev, XenbusStateClosing);
	case HS_SET_CLOSED:
		return set_closed(dev);
	case HS_RELEASE:
		dev->class->close(dev, true);
		device_remove_kept(dev);
		nodes_release(dev);
		dev->hs.released = true;
		settle(dev);
		log_full(LOG_INFO, &dev->about, 0, "detached");
		return 0;
	default:
		return 0;
	}
}

/* The kernel's backend took the device: two masters of one state would ruin each other. */
static bool check_foreign(struct device *dev)
{
	bool bound = kernel_backend_bound(dev->broker->options.sysfs, device_kind_name(dev->kind),
					  dev->domid, dev->devid);

	if (bound && !dev->foreign) {
		char text[DEVICE_TEXT];

		log_full(LOG_ERR, &dev->about, 0,
			 "is served by the kernel's %s, so it is left alone: unload that module or "
			 "blacklist it, then attach the device again",
			 dev->class->kernel);
		snprintf(text, sizeof(text),
			 "served by the kernel's %s, xenpv-backendd leaves it alone: blacklist %s",
			 dev->class->kernel, dev->class->kernel);
		device_set_error(dev, text);
		/* For the reader of the device's directory; no backend acts on this node. */
		nodes_tell_error(dev);
	}
	if (!bound && dev->foreign) {
		log_full(LOG_NOTICE, &dev->about, 0, "was let go by the kernel's %s",
			 dev->class->kernel);
		device_clear_error(dev);
	}
	dev->foreign = bound;
	/* An unbind leaves no trace in xenstore. */
	if (bound)
		device_retry_later(dev, FOREIGN_INTERVAL);
	return bound;
}

/*
 * Only a toolstack writes Initialising, when it makes a device. One that we have dealt with
 * was then removed and made anew, before we looked or while its worker still had it: nothing
 * that we know of it is true any more, and what it had is taken down as if it were gone,
 * which it is.
 */
static void look_for_replacement(struct device *dev, enum xenbus_state before)
{
	bool dealt_with =
		before > XenbusStateInitialising || (before == XenbusStateUnknown && dev->seen);

	if (dealt_with && dev->hs.ours == XenbusStateInitialising && !dev->replaced) {
		dev->replaced = true;
		log_full(LOG_INFO, &dev->about, 0, "another device has taken its place");
	}
	if (dev->hs.ours != XenbusStateUnknown)
		dev->seen = true;
	if (dev->replaced)
		dev->hs.ours = XenbusStateUnknown;
}

bool device_step(struct device *dev)
{
	for (unsigned int i = 0; i < MAX_ACTIONS; i++) {
		enum xenbus_state before = dev->hs.ours;
		enum hs_action action;
		int r;

		r = nodes_refresh(dev);
		if (r < 0) {
			broker_xs_failed(dev->broker, dev, r, "reading its state");
			return false;
		}
		look_for_replacement(dev, before);
		if (dev->hs.ours != XenbusStateUnknown && check_foreign(dev))
			return false;
		prepare(dev);
		action = hs_next(&dev->hs);
		log_full(LOG_DEBUG, &dev->about, 0,
			 "ours %s, frontend %s, online %d, hotplug %d, image %d, link %d: %s",
			 hs_state_name(dev->hs.ours), hs_state_name(dev->hs.frontend),
			 dev->hs.online, dev->hs.hotplug, dev->hs.image, dev->hs.link,
			 hs_action_name(action));
		if (action != HS_NOTHING || before != dev->hs.ours)
			status_changed(dev->broker);
		if (action == HS_NOTHING)
			return false;
		if (action == HS_FORGET) {
			bool replaced = dev->replaced;

			dev->class->close(dev, true);
			device_remove_kept(dev);
			nodes_forget(dev);
			log_full(LOG_DEBUG, &dev->about, 0, "gone");
			device_free(dev);
			return replaced;
		}
		r = act(dev, action);
		/* Somebody else wrote our state meanwhile: look again. */
		if (r < 0 && r != -ESTALE) {
			broker_xs_failed(dev->broker, dev, r, hs_action_name(action));
			return false;
		}
	}
	log_full(LOG_WARNING, &dev->about, 0, "its states change faster than they can be followed");
	device_kick(dev);
	return false;
}
