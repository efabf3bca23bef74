// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/vif.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/links.h"
#include "control/status.h"
#include "lib/cleanup.h"

/* A guest that is connected waits for its tap; how long until it is tried again, us. */
#define OPEN_RETRY_US UINT64_C(1000000)

static void vif_init(struct device *dev)
{
	to_vif(dev)->carrier = -1;
}

static int vif_read(struct device *dev)
{
	struct vif *vif = to_vif(dev);
	int r;

	vif->tap.index = links_take(dev->broker, dev->domid, dev->devid);
	if ((r = device_read_optional(dev, "mac", &vif->mac)) < 0 ||
	    (r = device_read_optional(dev, "handle", &vif->handle)) < 0 ||
	    (r = device_read_optional(dev, "type", &vif->type)) < 0 ||
	    (r = device_read_optional(dev, "rate", &vif->rate)) < 0 ||
	    (r = device_read_optional(dev, "vifname", &vif->vifname)) < 0 ||
	    (r = device_read_optional(dev, "bridge", &vif->bridge)) < 0 ||
	    (r = device_read_optional(dev, "script", &vif->script)) < 0 ||
	    (r = device_read_optional(dev, "mtu", &vif->mtu)) < 0)
		return r;
	return 0;
}

static void vif_free(struct device *dev)
{
	struct vif *vif = to_vif(dev);

	free(vif->mac);
	free(vif->handle);
	free(vif->type);
	free(vif->rate);
	free(vif->vifname);
	free(vif->bridge);
	free(vif->script);
	free(vif->mtu);
}

static void vif_describe(const struct device *dev, char *buf, size_t size)
{
	const struct vif *vif = to_const_vif(dev);

	snprintf(buf, size, "mac %.32s, bridge %.32s%s%.64s", vif->mac ? vif->mac : "none",
		 vif->bridge ? vif->bridge : "none", vif->rate ? ", rate " : "",
		 vif->rate ? vif->rate : "");
}

static void add_features(struct json_object *o, uint32_t features)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ WORKER_VIF_SG, "sg" },
		{ WORKER_VIF_GSO_TCPV4, "gso-tcpv4" },
		{ WORKER_VIF_GSO_TCPV6, "gso-tcpv6" },
		{ WORKER_VIF_CSUM_V4, "csum-v4" },
		{ WORKER_VIF_CSUM_V6, "csum-v6" },
		{ WORKER_VIF_RX_NOTIFY, "rx-notify" },
		{ WORKER_VIF_MULTICAST, "multicast-control" },
	};
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (features & names[i].bit)
			json_object_array_add(list, json_object_new_string(names[i].name));
	json_object_object_add(o, "features", list);
}

static void vif_status(const struct device *dev, struct json_object *o)
{
	const struct vif *vif = to_const_vif(dev);

	status_add_string(o, "mac", vif->mac);
	status_add_string(o, "bridge", vif->bridge);
	status_add_string(o, "type", vif->type);
	status_add_string(o, "vifname", vif->vifname);
	status_add_number(o, "rate_bytes", vif->config.rate_bytes);
	status_add_number(o, "rate_us", vif->config.rate_us);
	if (vif->tap.index != 0) {
		status_add_string(o, "tap", vif->tap.name);
		status_add_number(o, "ifindex", (uint64_t)vif->tap.index);
		status_add_string(o, "master", *vif->master ? vif->master : NULL);
		status_add_number(o, "mtu", vif->tap.mtu);
		status_add_bool(o, "up", vif->tap.flags & IFF_UP);
	}
	if (vif->has_rings && dev->hs.link == HS_LINK_UP) {
		status_add_number(o, "queues", vif->rings.queues);
		status_add_bool(o, "control_ring", vif->rings.has_control);
		status_add_number(o, "xdp_headroom", vif->rings.xdp_headroom);
		add_features(o, vif->rings.features);
	}
}

/* Without scripts nobody else does what the stock vif-bridge would. */
static bool plugs(const struct vif *vif)
{
	const char *name = vif->script ? strrchr(vif->script, '/') : NULL;

	return !vif->dev.broker->options.hotplug_scripts && name && !strcmp(name, "/vif-bridge");
}

static void vif_choose(struct device *dev)
{
	struct vif *vif = to_vif(dev);
	const struct vif_nodes nodes = { vif->mac,  vif->handle,  vif->type,
					 vif->rate, vif->vifname, plugs(vif) ? vif->mtu : NULL };
	char error[DEVICE_TEXT];

	if (vif->script && !strcmp(vif->script, VIF_REFUSING_SCRIPT)) {
		/* We refused it before we were restarted; its reason stands in xenstore. */
		dev->hs.image = HS_IMAGE_REFUSED;
		dev->hs.refusal_told = true;
		return;
	}
	if (vif_config_parse(&nodes, dev->devid, &vif->config, error, sizeof(error)) < 0)
		device_refuse(dev, error);
	else
		dev->hs.image = HS_IMAGE_CLOSED;
}

/* The names that scripts look for; with no script nobody else gives it its own name. */
static void first_name(const struct vif *vif, char name[IFNAMSIZ])
{
	const struct device *dev = &vif->dev;

	if (!dev->broker->options.hotplug_scripts && vif->vifname && *vif->vifname)
		snprintf(name, IFNAMSIZ, "%s", vif->vifname);
	else
		snprintf(name, IFNAMSIZ, "vif%u.%u", dev->domid, dev->devid);
}

static int plug(struct vif *vif, char *text, size_t size)
{
	struct rtnl *rt = links_rtnl(vif->dev.broker);
	const char *name = vif->bridge ? vif->bridge : "";
	struct tap_link bridge;
	int r;

	if (!vif_name_ok(name) || tap_get(rt, 0, name, &bridge) < 0) {
		snprintf(text, size, "there is no bridge \"%.32s\" in this domain", name);
		return -ENODEV;
	}
	r = tap_plug(rt, vif->tap.index, bridge.index,
		     vif->config.mtu ? vif->config.mtu : bridge.mtu);
	if (r < 0) {
		errno = -r;
		snprintf(text, size, "cannot put the tap %s into %s: %m", vif->tap.name, name);
	}
	return r;
}

static void find_master(struct vif *vif)
{
	struct tap_link master;

	vif->master[0] = '\0';
	if (vif->tap.master != 0 &&
	    tap_get(links_rtnl(vif->dev.broker), vif->tap.master, NULL, &master) >= 0)
		snprintf(vif->master, sizeof(vif->master), "%s", master.name);
}

/* The tap that was there when we started, if it is there still. */
static bool adopt(struct vif *vif)
{
	struct device *dev = &vif->dev;
	uint32_t domid, devid;
	struct tap_link link;

	if (vif->tap.index == 0)
		return false;
	if (tap_get(links_rtnl(dev->broker), vif->tap.index, NULL, &link) < 0 ||
	    !tap_alias_parse(link.alias, &domid, &devid) || domid != dev->domid ||
	    devid != dev->devid) {
		vif->tap.index = 0;
		return false;
	}
	vif->tap = link;
	return true;
}

static void open_failed(struct device *dev, const char *text)
{
	/* The guest is connected and waits with us, however long it takes. */
	if (dev->hs.online &&
	    (dev->hs.ours == XenbusStateConnected || dev->hs.ours == XenbusStateReconfigured)) {
		device_tell_trouble(dev, "the guest waits for its interface", text);
		dev->hs.image = HS_IMAGE_OPENING;
		device_retry_later(dev, OPEN_RETRY_US);
		return;
	}
	device_refuse(dev, text);
}

static void remove_tap(struct vif *vif)
{
	struct device *dev = &vif->dev;
	int r;

	r = tap_remove(links_rtnl(dev->broker), vif->tap.index);
	if (r < 0 && r != -ENODEV)
		log_full(LOG_WARNING, &dev->about, r, "cannot remove the tap %s: %m",
			 vif->tap.name);
	vif->tap.index = 0;
}

static void vif_close(struct device *dev, bool gone)
{
	if (gone && to_vif(dev)->tap.index != 0)
		remove_tap(to_vif(dev));
	if (dev->hs.image == HS_IMAGE_READY || dev->hs.image == HS_IMAGE_OPENING)
		dev->hs.image = HS_IMAGE_CLOSED;
}

/*
 * No script has run for a new device. So what has another name than we give is the tap of
 * another device of this number, which ended while we did not run; the script would rename
 * an interface that it does not find.
 */
static bool adopt_new(struct vif *vif, const char *name)
{
	if (!adopt(vif))
		return false;
	if (!strcmp(vif->tap.name, name))
		return true;
	log_full(LOG_NOTICE, &vif->dev.about, 0, "removing %s, the tap of an earlier one",
		 vif->tap.name);
	remove_tap(vif);
	return false;
}

static void vif_open(struct device *dev)
{
	struct vif *vif = to_vif(dev);
	char name[IFNAMSIZ], text[DEVICE_TEXT];
	bool fresh = dev->hs.ours == XenbusStateInitialising;

	first_name(vif, name);
	if (!(fresh ? adopt_new(vif, name) : adopt(vif))) {
		fresh = true;
		if (tap_make(links_rtnl(dev->broker), name, dev->domid, dev->devid, &vif->tap, text,
			     sizeof(text)) < 0) {
			open_failed(dev, text);
			return;
		}
		if (dev->hs.hotplug == HS_HOTPLUG_DONE && dev->broker->options.hotplug_scripts)
			log_full(
				LOG_WARNING, &dev->about, 0,
				"its interface %s was gone, and is new: put it into its bridge, or "
				"detach and attach it",
				name);
		else
			log_full(LOG_INFO, &dev->about, 0, "made tap %s", name);
	}
	/* One that a guest has by now may have been put elsewhere. */
	if (fresh && plugs(vif) && plug(vif, text, sizeof(text)) < 0) {
		vif_close(dev, true);
		open_failed(dev, text);
		return;
	}
	find_master(vif);
	dev->hs.image = HS_IMAGE_READY;
	device_clear_error(dev);
	status_changed(dev->broker);
	device_kick(dev);
}

void vif_link_changed(struct vif *vif, const struct tap_link *link)
{
	struct device *dev = &vif->dev;
	struct tap_link old = vif->tap;

	vif->tap = *link;
	if (strcmp(old.name, link->name) && *old.name)
		log_full(LOG_INFO, &dev->about, 0, "its tap %s is %s now", old.name, link->name);
	if (old.master != link->master) {
		find_master(vif);
		log_full(LOG_INFO, &dev->about, 0, "%s is %s%s", link->name,
			 *vif->master ? "in " : "in no bridge", vif->master);
	}
	status_changed(dev->broker);
	if ((old.flags ^ link->flags) & IFF_UP)
		device_kick(dev);
}

void vif_gone_text(const struct vif *vif, char *text, size_t size)
{
	snprintf(text, size,
		 "somebody removed its interface %s from this host: detach the vif and attach it "
		 "again",
		 vif->tap.name);
}

void vif_link_gone(struct vif *vif)
{
	struct device *dev = &vif->dev;
	char text[DEVICE_TEXT];

	vif->tap.index = 0;
	vif_gone_text(vif, text, sizeof(text));
	if (dev->hs.link == HS_LINK_UP)
		device_fault_up(dev, text);
	else
		device_tell_trouble(dev, "it cannot connect", text);
	device_kick(dev);
}

static const char *const asks[] = { "xdp-headroom", "request-multicast-control", NULL };

const struct device_class vif_class = {
	.worker = WORKER_VIF,
	.attach = WORKER_ATTACH_VIF,
	.connect = WORKER_CONNECT_VIF,
	.size = sizeof(struct vif),
	.frontends = "vif",
	.asks = asks,
	.kept = "state",
	.kernel = "xen-netback",
	.reconfigures = true,
	.init = vif_init,
	.read = vif_read,
	.free = vif_free,
	.describe = vif_describe,
	.status = vif_status,
	.refresh = vif_refresh,
	.choose = vif_choose,
	.open = vif_open,
	.close = vif_close,
	.returned = vif_returned,
	.put_offer = vif_put_offer,
	.put_connected = vif_put_connected,
	.tell_refusal = vif_tell_refusal,
	.parse = vif_parse,
	.outgrown = vif_outgrown,
	.attach_msg = vif_attach_msg,
	.connect_msg = vif_connect_msg,
	.connected = vif_connected,
	.disconnected = vif_disconnected,
	.change_msg = vif_change_msg,
	.changed = vif_changed,
};
