// SPDX-License-Identifier: GPL-2.0-or-later
/* The data path of an interface: what its worker is told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/links.h"
#include "control/vif.h"

static int read_frontend(void *userdata, const char *key, char **ret)
{
	struct device *dev = userdata;

	return xsc_read(dev->broker->xs, XBT_NULL, dev->frontend, key, ret);
}

static bool is_connected(const struct device *dev)
{
	return dev->hs.link == HS_LINK_UP &&
	       (dev->hs.ours == XenbusStateConnected || dev->hs.ours == XenbusStateReconfigured);
}

int vif_refresh(struct device *dev)
{
	struct vif *vif = to_vif(dev);
	char text[DEVICE_TEXT];
	int r;

	dev->hs.changed = false;
	if (!is_connected(dev))
		return 0;
	if (vif->tap.index == 0) {
		/* It went while the worker was connecting to it. */
		vif_gone_text(vif, text, sizeof(text));
		device_fault_up(dev, text);
		return 0;
	}
	r = vif_nodes_carrier(vif);
	if (xsc_is_fatal(r))
		return r;
	r = vif_frontend_parse_change(read_frontend, dev, &vif->limits, &vif->asked, text,
				      sizeof(text));
	if (xsc_is_fatal(r))
		return r;
	if (r < 0) {
		device_fault_up(dev, text);
		return 0;
	}
	dev->hs.changed = vif->asked.bytes != vif->rings.xdp_headroom ||
			  !vif->asked.multicast != !(vif->rings.features & WORKER_VIF_MULTICAST);
	return 0;
}

int vif_parse(struct device *dev, char *text, size_t size)
{
	struct vif *vif = to_vif(dev);
	struct worker_connect_vif rings;
	int r;

	if (vif->tap.index == 0) {
		/* A guest that is connected already gets another one, as after our restart. */
		if (dev->reattach)
			dev->hs.image = HS_IMAGE_CLOSED;
		vif_gone_text(vif, text, size);
		return -ENODEV;
	}
	r = vif_nodes_read_offer(vif, &vif->limits);
	if (r < 0) {
		errno = -r;
		snprintf(text, size, "cannot read what was offered to the frontend: %m");
		return r;
	}
	r = vif_frontend_parse(read_frontend, dev, &vif->limits, &rings, text, size);
	if (r < 0)
		return r;
	rings.reattach = dev->reattach;
	vif->rings = rings;
	vif->has_rings = true;
	return 0;
}

/*
 * The kernel spreads packets over all queues that are attached, so these are as many as
 * the frontend has. Those of a tap that is gone are of no use.
 */
bool vif_outgrown(const struct device *dev)
{
	const struct vif *vif = to_const_vif(dev);

	return vif->attached_queues != vif->rings.queues || vif->attached_index != vif->tap.index;
}

int vif_attach_msg(struct device *dev, struct worker_msg *msg, int kept, int *fds, size_t *ret_n,
		   char *text, size_t size)
{
	struct rtnl *rt = links_rtnl(dev->broker);
	struct vif *vif = to_vif(dev);
	size_t n = 0;

	/* It may have gone since the rings were looked at. */
	if (vif->tap.index == 0) {
		vif_gone_text(vif, text, size);
		return -ENODEV;
	}
	fds[n++] = kept;
	for (uint32_t i = 0; i < vif->rings.queues; i++) {
		int fd = tap_open_queue(rt, vif->tap.index, text, size);

		if (fd < 0) {
			while (--n > 0)
				close(fds[n]);
			return fd;
		}
		fds[n++] = fd;
	}
	/* The first queue has turned it on; a guest that never lost its link keeps it. */
	if (!dev->reattach)
		tap_set_carrier(rt, vif->tap.index, false);
	vif->attached_queues = vif->rings.queues;
	vif->attached_index = vif->tap.index;
	memcpy(msg->attach_vif.mac, vif->config.mac.byte, MAC_LEN);
	msg->attach_vif.multicast = vif->limits.multicast;
	msg->attach_vif.static_grants = vif->limits.control;
	msg->attach_vif.queues = vif->rings.queues;
	msg->attach_vif.poll_us = dev->broker->options.poll_us;
	msg->attach_vif.rate_bytes = vif->config.rate_bytes;
	msg->attach_vif.rate_us = vif->config.rate_us;
	*ret_n = n;
	return 0;
}

size_t vif_connect_msg(struct device *dev, struct worker_msg *msg)
{
	struct vif *vif = to_vif(dev);

	msg->connect_vif = vif->rings;
	return vif->rings.queues + (vif->rings.has_control ? 1 : 0);
}

static void set_carrier(struct vif *vif, bool on)
{
	int r;

	if (vif->tap.index == 0)
		return;
	r = tap_set_carrier(links_rtnl(vif->dev.broker), vif->tap.index, on);
	if (r < 0 && r != -ENODEV)
		log_full(LOG_WARNING, &vif->dev.about, r, "cannot turn the carrier of %s %s: %m",
			 vif->tap.name, on ? "on" : "off");
}

void vif_connected(struct device *dev)
{
	struct vif *vif = to_vif(dev);
	const struct worker_connect_vif *c = &vif->rings;

	set_carrier(vif, true);
	if (!dev->reattach)
		log_full(LOG_INFO, &dev->about, 0, "connected: %u queue%s on %s%s%s", c->queues,
			 c->queues > 1 ? "s" : "", vif->tap.name,
			 c->queue[0].tx_evtchn != c->queue[0].rx_evtchn ? ", split events" : "",
			 c->has_control ? ", control ring" : "");
}

void vif_disconnected(struct device *dev)
{
	struct vif *vif = to_vif(dev);

	vif->has_rings = false;
	vif->carrier = -1;
	/* A dead worker's queues have taken it along. */
	if (vif->attached_queues > 0)
		set_carrier(vif, false);
}

void vif_returned(struct device *dev)
{
	to_vif(dev)->attached_queues = 0;
}

void vif_change_msg(struct device *dev, struct worker_msg *msg)
{
	msg->type = WORKER_HEADROOM;
	msg->headroom = to_vif(dev)->asked;
}

void vif_changed(struct device *dev)
{
	struct vif *vif = to_vif(dev);

	vif->rings.xdp_headroom = vif->asked.bytes;
	if (vif->asked.multicast)
		vif->rings.features |= WORKER_VIF_MULTICAST;
	else
		vif->rings.features &= ~WORKER_VIF_MULTICAST;
}
