// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/nodes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

static int read_state(const struct device *dev, xs_transaction_t t, const char *dir,
		      enum xenbus_state *ret)
{
	uint32_t state;
	int r;

	r = xsc_read_u32(dev->broker->xs, t, dir, "state", 0, XenbusStateReconfigured, &state);
	if (r == -ENOENT || r == -EACCES)
		state = XenbusStateUnknown;
	else if (r == -EINVAL || r == -ERANGE || r == -EBADMSG)
		state = HS_STATE_NONSENSE;
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
		*ret = dev->settling ? HS_HOTPLUG_WAITING : HS_HOTPLUG_DONE;
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
	if (hs->ours == XenbusStateConnected || hs->ours == XenbusStateReconfigured)
		hs->hotplug = HS_HOTPLUG_DONE;
	else if (hs->ours != XenbusStateUnknown)
		r = read_hotplug(dev, &hs->hotplug);
	if (r >= 0 && dev->class->refresh)
		r = dev->class->refresh(dev);
	return xsc_is_fatal(r) ? r : 0;
}

int nodes_put(const struct device *dev, xs_transaction_t t, const char *key, uint64_t value)
{
	return xsc_printf(dev->broker->xs, t, dev->dir, key, "%" PRIu64, value);
}

int nodes_put_all(const struct device *dev, xs_transaction_t t, const struct node_pair *pairs,
		  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = nodes_put(dev, t, pairs[i].key, pairs[i].value);

		if (r < 0)
			return r;
	}
	return 0;
}

int nodes_check_state(const struct device *dev, xs_transaction_t t, enum xenbus_state expected)
{
	enum xenbus_state state;
	int r;

	r = read_state(dev, t, dev->dir, &state);
	if (r < 0)
		return r;
	return state == expected ? 0 : -ESTALE;
}

static int offer_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct device *dev = userdata;
	int r;

	(void)xs;
	r = nodes_check_state(dev, t, dev->hs.ours);
	if (r < 0)
		return r;
	r = dev->class->put_offer(dev, t);
	if (r < 0)
		return r;
	return nodes_put(dev, t, "state", XenbusStateInitWait);
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
	r = nodes_check_state(dev, t, XenbusStateInitWait);
	if (r < 0)
		return r;
	r = dev->class->put_connected(dev, t);
	if (r < 0)
		return r;
	return nodes_put(dev, t, "state", XenbusStateConnected);
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
	r = nodes_check_state(c->dev, t, c->dev->hs.ours);
	if (r < 0)
		return r;
	return nodes_put(c->dev, t, "state", c->state);
}

int nodes_set_state(struct device *dev, enum xenbus_state state)
{
	struct state_change c = { dev, state };

	return xsc_transaction(dev->broker->xs, state_body, &c);
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
	return dev->class->tell_refusal(dev);
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
	/* xenopsd waits for this one to go. */
	xsc_remove(xs, XBT_NULL, dev->dir, "hotplug-status");
}

static int remove_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct device *dev = userdata;
	int r;

	r = nodes_check_state(dev, t, XenbusStateClosed);
	return r < 0 ? r : xsc_remove(xs, t, dev->dir, "");
}

int nodes_remove_own(struct device *dev)
{
	if (dev->broker->own_domid == 0)
		return 0;
	return xsc_transaction(dev->broker->xs, remove_body, dev);
}
