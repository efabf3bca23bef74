// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/nodes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#include "control/image.h"
#include "lib/cleanup.h"

/* blkif.h, VDISK_*; the header that has them is the rings', which the broker does not know. */
#define VDISK_CDROM     0x1
#define VDISK_REMOVABLE 0x2
#define VDISK_READONLY  0x4

/* The wire's sector, whatever the disk's logical block is. */
#define SECTOR_SIZE 512

static int read_state(struct device *dev, xs_transaction_t t, const char *dir,
		      enum xenbus_state *ret)
{
	uint32_t state;
	int r;

	r = xsc_read_u32(dev->broker->xs, t, dir, "state", 0, XenbusStateReconfigured, &state);
	if (r == -ENOENT || r == -EACCES)
		state = XenbusStateUnknown;
	else if (r == -EINVAL || r == -ERANGE || r == -EBADMSG)
		/* No state that means anything to us, and none to act upon. */
		state = XenbusStateReconfigured;
	else if (r < 0)
		return r;
	*ret = state;
	return 0;
}

static int read_hotplug(struct device *dev, enum hs_hotplug *ret)
{
	_cleanup_free_ char *status = NULL;
	struct xs_conn *xs = dev->broker->xs;
	int r;

	if (!dev->broker->options.hotplug_scripts) {
		*ret = HS_HOTPLUG_DONE;
		return 0;
	}
	r = xsc_read(xs, XBT_NULL, dev->dir, "hotplug-status", &status);
	if (xsc_is_fatal(r))
		return r;
	if (status && !strcmp(status, "connected"))
		*ret = HS_HOTPLUG_DONE;
	else if (status && *status)
		*ret = HS_HOTPLUG_FAILED; /* error, busy */
	else if (xsc_exists(xs, XBT_NULL, dev->dir, "physical-device-path") ||
		 xsc_exists(xs, XBT_NULL, dev->dir, "physical-device"))
		*ret = HS_HOTPLUG_DONE;
	else
		*ret = HS_HOTPLUG_WAITING;
	return 0;
}

int nodes_refresh(struct device *dev)
{
	struct hs_input *hs = &dev->hs;
	uint32_t online = 0;
	int r;

	r = read_state(dev, XBT_NULL, dev->dir, &hs->ours);
	if (r < 0)
		return r;
	r = read_state(dev, XBT_NULL, dev->frontend, &hs->frontend);
	if (r < 0)
		return r;
	r = xsc_read_u32(dev->broker->xs, XBT_NULL, dev->dir, "online", 0, 1, &online);
	if (xsc_is_fatal(r))
		return r;
	hs->online = online;
	/* Past InitWait the script has had its say. */
	if (hs->ours == XenbusStateConnected)
		hs->hotplug = HS_HOTPLUG_DONE;
	else if (hs->ours != XenbusStateUnknown)
		return read_hotplug(dev, &hs->hotplug);
	return 0;
}

/* Write a number; for use in transaction bodies. */
static int put(struct device *dev, xs_transaction_t t, const char *key, uint64_t value)
{
	return xsc_printf(dev->broker->xs, t, dev->dir, key, "%" PRIu64, value);
}

struct pair {
	const char *key;
	uint64_t value;
};

static int put_all(struct device *dev, xs_transaction_t t, const struct pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = put(dev, t, pairs[i].key, pairs[i].value);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_state(struct device *dev, xs_transaction_t t, enum xenbus_state expected)
{
	enum xenbus_state state;
	int r;

	r = read_state(dev, t, dev->dir, &state);
	if (r < 0)
		return r;
	return state == expected ? 0 : -ESTALE;
}

/* The disk as it is; blkif.h, "Backend Device Properties". */
static int put_disk(struct device *dev, xs_transaction_t t)
{
	const struct storage_image *i = &dev->image;
	bool discard = dev->discard && i->can_discard && !i->readonly;
	const struct pair pairs[] = {
		{ "sectors", i->size / SECTOR_SIZE },
		{ "sector-size", i->logical_block },
		{ "physical-sector-size", i->physical_block },
		{ "info", (dev->cdrom ? VDISK_CDROM : 0) | (dev->removable ? VDISK_REMOVABLE : 0) |
				  (i->readonly ? VDISK_READONLY : 0) },
		{ "feature-flush-cache", 1 },
		{ "feature-barrier", 1 },
		{ "feature-persistent", dev->broker->options.persistent_grants },
		{ "feature-discard", discard },
	};
	const struct pair discards[] = {
		{ "discard-granularity", i->discard_granularity },
		{ "discard-alignment", i->discard_alignment },
		{ "discard-secure", i->can_secure_discard },
	};
	int r;

	r = put_all(dev, t, pairs, ELEMENTSOF(pairs));
	if (r < 0 || !discard)
		return r;
	return put_all(dev, t, discards, ELEMENTSOF(discards));
}

static int offer_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct device *dev = userdata;
	const struct options *o = &dev->broker->options;
	const struct pair pairs[] = {
		{ "multi-queue-max-queues", dev->broker->max_queues },
		{ "max-ring-page-order", o->max_ring_page_order },
		{ "state", XenbusStateInitWait },
	};
	int r;

	r = check_state(dev, t, dev->hs.ours);
	if (r < 0)
		return r;
	/* Without the node a frontend does not try; zero would be taken for a limit. */
	if (o->max_indirect_segments > 0)
		r = put(dev, t, "feature-max-indirect-segments", o->max_indirect_segments);
	else
		r = xsc_remove(xs, t, dev->dir, "feature-max-indirect-segments");
	if (r < 0)
		return r;
	if (dev->hs.image == HS_IMAGE_READY) {
		r = put_disk(dev, t);
		if (r < 0)
			return r;
	}
	return put_all(dev, t, pairs, ELEMENTSOF(pairs));
}

int nodes_offer(struct device *dev)
{
	return xsc_transaction(dev->broker->xs, offer_body, dev);
}

static int connect_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct device *dev = userdata;
	int r;

	(void)xs;
	r = check_state(dev, t, XenbusStateInitWait);
	if (r < 0)
		return r;
	r = put_disk(dev, t);
	if (r < 0)
		return r;
	return put(dev, t, "state", XenbusStateConnected);
}

int nodes_connect(struct device *dev)
{
	return xsc_transaction(dev->broker->xs, connect_body, dev);
}

struct state_change {
	struct device *dev;
	enum xenbus_state state;
};

static int state_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct state_change *c = userdata;
	int r;

	(void)xs;
	r = check_state(c->dev, t, c->dev->hs.ours);
	if (r < 0)
		return r;
	return put(c->dev, t, "state", c->state);
}

int nodes_set_state(struct device *dev, enum xenbus_state state)
{
	struct state_change c = { dev, state };

	return xsc_transaction(dev->broker->xs, state_body, &c);
}

static int resize_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct device *dev = userdata;
	int r;

	(void)xs;
	r = check_state(dev, t, XenbusStateConnected);
	if (r < 0)
		return r;
	r = put(dev, t, "sectors", dev->image.size / SECTOR_SIZE);
	if (r < 0)
		return r;
	return put(dev, t, "state", XenbusStateConnected);
}

int nodes_resize(struct device *dev)
{
	return xsc_transaction(dev->broker->xs, resize_body, dev);
}

int nodes_read_offer(struct device *dev, struct frontend_limits *ret)
{
	struct frontend_limits l = { .max_queues = 1 };
	struct xs_conn *xs = dev->broker->xs;
	uint32_t persistent = 0;
	const struct {
		const char *key;
		uint32_t min, max, *value;
	} keys[] = {
		{ "multi-queue-max-queues", 1, WORKER_MAX_RINGS, &l.max_queues },
		{ "max-ring-page-order", 0, 4, &l.max_ring_page_order },
		{ "feature-max-indirect-segments", 0, 256, &l.max_indirect_segments },
		{ "feature-persistent", 0, 1, &persistent },
	};

	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		int r = xsc_read_u32(xs, XBT_NULL, dev->dir, keys[i].key, keys[i].min, keys[i].max,
				     keys[i].value);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	l.persistent = persistent;
	*ret = l;
	return 0;
}

static void error_dir(const struct device *dev, char *buf, size_t size)
{
	snprintf(buf, size, "error/%s", dev->dir);
}

int nodes_tell_error(struct device *dev)
{
	struct xs_conn *xs = dev->broker->xs;
	char dir[80];
	int r;

	r = xsc_write(xs, XBT_NULL, dev->dir, "hotplug-error", dev->error);
	/* Where the kernel's backends report, too. Not every home has the directory. */
	error_dir(dev, dir, sizeof(dir));
	xsc_write(xs, XBT_NULL, dir, "error", dev->error);
	return r;
}

void nodes_clear_error(struct device *dev)
{
	char dir[80];

	error_dir(dev, dir, sizeof(dir));
	xsc_remove(dev->broker->xs, XBT_NULL, dir, "");
	xsc_remove(dev->broker->xs, XBT_NULL, dev->dir, "hotplug-error");
}

int nodes_tell_refusal(struct device *dev)
{
	struct xs_conn *xs = dev->broker->xs;
	int r;

	r = nodes_tell_error(dev);
	if (r < 0)
		return r;
	if (dev->hs.ours != XenbusStateInitialising)
		/* The script has run: only the frontend is left to be told. */
		return xsc_write(xs, XBT_NULL, dev->dir, "hotplug-status", "error");
	if (dev->broker->own_domid != 0)
		return xsc_remove(xs, XBT_NULL, dev->dir, "");
	if (!dev->params ||
	    !strncmp(dev->params, IMAGE_REFUSED_PREFIX, strlen(IMAGE_REFUSED_PREFIX)))
		return 0;
	/* A path at the limit of a node's size does not get the prefix and stay whole. */
	return xsc_printf(xs, XBT_NULL, dev->dir, "params", "%s%.*s", IMAGE_REFUSED_PREFIX,
			  (int)(XENSTORE_PAYLOAD_MAX / 2), dev->params);
}

void nodes_forget(struct device *dev)
{
	char dir[80];

	/* In a driver domain it is where the reason of a refusal is left to be read. */
	if (dev->broker->own_domid != 0 && dev->hs.image == HS_IMAGE_REFUSED)
		return;
	error_dir(dev, dir, sizeof(dir));
	xsc_remove(dev->broker->xs, XBT_NULL, dir, "");
}

void nodes_release(struct device *dev)
{
	struct xs_conn *xs = dev->broker->xs;

	nodes_forget(dev);
	/* xenopsd waits for this one to go; dom0's libxl for the whole of a driver domain's. */
	xsc_remove(xs, XBT_NULL, dev->dir, "hotplug-status");
	if (dev->broker->own_domid != 0)
		xsc_remove(xs, XBT_NULL, dev->dir, "");
}
