// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/device.h"
#include "control/guest.h"
#include "control/links.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/parse.h"

/* Domain ids from 0x7ff0 on are reserved. */
#define DOMID_LIMIT 0x7ff0

/* Is the changed key below a device's directory one that we act on? */
static bool key_matters(const char *key)
{
	static const char *const keys[] = { "",
					    "state",
					    "online",
					    "frontend",
					    "frontend-id",
					    "hotplug-status",
					    "physical-device",
					    "physical-device-path",
					    "resize" };

	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		if (!strcmp(key, keys[i]))
			return true;
	return false;
}

static void on_device(struct broker *b, enum device_kind kind, uint32_t domid, uint32_t devid,
		      const char *key)
{
	struct guest *g = guest_find(b, domid);
	struct device *dev = g ? guest_find_device(g, kind, devid) : NULL;
	int r;

	if (dev && dev->class->touched)
		dev->class->touched(dev, key);
	if (!dev) {
		r = device_new(b, kind, domid, devid, &dev);
		if (r == -ENOENT || r == -EINVAL)
			return;
		if (r < 0) {
			broker_xs_failed(b, NULL, r, "looking at a new device");
			return;
		}
	}
	device_kick(dev);
}

static void scan_domain(struct broker *b, enum device_kind kind, uint32_t domid)
{
	_cleanup_free_ char **names = NULL;
	unsigned int n = 0;
	char dir[48];
	int r;

	snprintf(dir, sizeof(dir), "backend/%s/%u", device_kind_name(kind), domid);
	r = xsc_list(b->xs, XBT_NULL, dir, &names, &n);
	if (r < 0 && r != -ENOENT)
		broker_xs_failed(b, NULL, r, "listing a guest's devices");
	for (unsigned int i = 0; i < n; i++) {
		uint32_t devid;

		if (parse_u32(names[i], 0, UINT32_MAX, &devid) >= 0)
			on_device(b, kind, domid, devid, "");
	}
}

static void scan_all(struct broker *b, enum device_kind kind)
{
	_cleanup_free_ char **names = NULL;
	unsigned int n = 0;
	char dir[32];
	int r;

	snprintf(dir, sizeof(dir), "backend/%s", device_kind_name(kind));
	r = xsc_list(b->xs, XBT_NULL, dir, &names, &n);
	if (r < 0 && r != -ENOENT)
		broker_xs_failed(b, NULL, r, "listing guests");
	for (unsigned int i = 0; i < n; i++) {
		uint32_t domid;

		if (parse_u32(names[i], 0, DOMID_LIMIT - 1, &domid) >= 0)
			scan_domain(b, kind, domid);
	}
}

static void kick_domain(struct broker *b, enum device_kind kind, uint32_t domid)
{
	struct guest *g = guest_find(b, domid);
	struct device *dev;

	if (!g)
		return;
	LIST_FOREACH (dev, &g->devices, in_guest)
		if (dev->kind == kind)
			device_kick(dev);
}

static void kick_all(struct broker *b, enum device_kind kind)
{
	for (unsigned int i = 0; i < BROKER_GUEST_BUCKETS; i++) {
		struct guest *g;

		LIST_FOREACH (g, &b->guests[i], link)
			kick_domain(b, kind, g->domid);
	}
}

/*
 * @path: backend/<kind>[/<domid>[/<devid>[/<key>]]]. A change of one of the
 * upper nodes is their removal with all below, or the very first event.
 */
static void on_backend(struct broker *b, enum device_kind kind, const char *path)
{
	const char *p = path + strlen("backend/") + strlen(device_kind_name(kind));
	uint32_t domid, devid;

	if (*p == '\0') {
		kick_all(b, kind);
		scan_all(b, kind);
		if (b->scans_left > 0 && --b->scans_left == 0)
			links_scan_over(b);
		return;
	}
	p++;
	if (parse_component(&p, &domid) < 0 || domid >= DOMID_LIMIT)
		return;
	if (*p == '\0') {
		kick_domain(b, kind, domid);
		scan_domain(b, kind, domid);
		return;
	}
	if (parse_component(&p, &devid) < 0 || !key_matters(p))
		return;
	on_device(b, kind, domid, devid, p);
}

static void on_vbd(void *userdata, const char *path)
{
	on_backend(userdata, DEVICE_VBD, path);
}

static void on_vif(void *userdata, const char *path)
{
	on_backend(userdata, DEVICE_VIF, path);
}

static void on_vbd3(void *userdata, const char *path)
{
	on_backend(userdata, DEVICE_VBD3, path);
}

/* Run once per turn of the loop, however many events there were. */
static int on_step(sd_event_source *s, void *userdata)
{
	struct broker *b = userdata;
	struct device *dev;
	unsigned int n = 0;

	(void)s;
	/* What is kicked while this runs has its turn after the other sources. */
	TAILQ_FOREACH (dev, &b->dirty, in_dirty)
		n++;
	while (n-- > 0 && (dev = TAILQ_FIRST(&b->dirty))) {
		enum device_kind kind = dev->kind;
		uint32_t domid = dev->domid, devid = dev->devid;

		TAILQ_REMOVE(&b->dirty, dev, in_dirty);
		dev->dirty = false;
		if (device_step(dev))
			on_device(b, kind, domid, devid, "");
	}
	return 0;
}

int registry_start(struct broker *b)
{
	struct xs_watch *w; /* all live as long as the connection */
	int r;

	for (unsigned int i = 0; i < BROKER_GUEST_BUCKETS; i++)
		LIST_INIT(&b->guests[i]);
	TAILQ_INIT(&b->dirty);
	r = sd_event_add_defer(b->event, &b->step, on_step, b);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(b->step, SD_EVENT_OFF);
	if (r < 0)
		return r;
	b->scans_left = b->options.vif ? 3 : 2;
	/* The first event of each comes at once and makes the scan. */
	r = xsc_watch(b->xs, "backend/vbd3", on_vbd3, b, &w);
	if (r < 0)
		return r;
	if (b->options.vif) {
		r = xsc_watch(b->xs, "backend/vif", on_vif, b, &w);
		if (r < 0)
			return r;
	}
	return xsc_watch(b->xs, "backend/vbd", on_vbd, b, &w);
}

void registry_stop(struct broker *b)
{
	for (unsigned int i = 0; i < BROKER_GUEST_BUCKETS; i++) {
		struct guest *g;

		while ((g = LIST_FIRST(&b->guests[i]))) {
			struct device *dev = LIST_FIRST(&g->devices);

			/* The last device takes its guest with it. */
			if (dev)
				device_free(dev);
			else
				guest_release(g);
		}
	}
	b->step = sd_event_source_disable_unref(b->step);
}
