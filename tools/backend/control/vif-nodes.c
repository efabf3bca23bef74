// SPDX-License-Identifier: GPL-2.0-or-later
/* What is written to xenstore about interfaces alone: xen/io/netif.h. */
#include <errno.h>
#include <string.h>

#include "control/nodes.h"
#include "control/vif.h"
#include "lib/cleanup.h"

static uint32_t max_queues(const struct broker *b)
{
	return b->max_queues < WORKER_MAX_VIF_QUEUES ? b->max_queues : WORKER_MAX_VIF_QUEUES;
}

int vif_put_offer(struct device *dev, xs_transaction_t t)
{
	const struct node_pair pairs[] = {
		{ "feature-sg", 1 },
		{ "feature-gso-tcpv4", 1 },
		{ "feature-gso-tcpv6", 1 },
		{ "feature-ipv6-csum-offload", 1 },
		{ "feature-rx-copy", 1 },
		{ "feature-rx-flip", 0 },
		{ "feature-split-event-channels", 1 },
		{ "feature-ctrl-ring", 1 },
		{ "feature-multicast-control", 1 },
		{ "feature-dynamic-multicast-control", 1 },
		{ "feature-xdp-headroom", 1 },
		{ "multi-queue-max-queues", max_queues(dev->broker) },
	};

	return nodes_put_all(dev, t, pairs, ELEMENTSOF(pairs));
}

static bool link_is_up(const struct vif *vif)
{
	return vif->tap.flags & IFF_UP;
}

int vif_put_connected(struct device *dev, xs_transaction_t t)
{
	struct vif *vif = to_vif(dev);

	vif->carrier = link_is_up(vif);
	return nodes_put(dev, t, "carrier", (uint64_t)vif->carrier);
}

static int carrier_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct vif *vif = userdata;
	int r;

	(void)xs;
	/* A node written to what was removed meanwhile would bring it back to life. */
	r = nodes_check_state(&vif->dev, t, vif->dev.hs.ours);
	return r < 0 ? r : nodes_put(&vif->dev, t, "carrier", link_is_up(vif));
}

int vif_nodes_carrier(struct vif *vif)
{
	int r;

	if (vif->carrier == link_is_up(vif))
		return 0;
	r = xsc_transaction(vif->dev.broker->xs, carrier_body, vif);
	if (r >= 0)
		vif->carrier = link_is_up(vif);
	return r;
}

int vif_nodes_read_offer(struct vif *vif, struct vif_limits *ret)
{
	const struct device *dev = &vif->dev;
	uint32_t queues = 1, control = 0, multicast = 0;
	const struct {
		const char *key;
		uint32_t min, max, *value;
	} keys[] = {
		{ "multi-queue-max-queues", 1, WORKER_MAX_VIF_QUEUES, &queues },
		{ "feature-ctrl-ring", 0, 1, &control },
		{ "feature-multicast-control", 0, 1, &multicast },
	};

	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		int r = xsc_read_u32(dev->broker->xs, XBT_NULL, dev->dir, keys[i].key, keys[i].min,
				     keys[i].max, keys[i].value);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	*ret = (struct vif_limits){
		.max_queues = queues,
		.control = control,
		.multicast = multicast,
	};
	return 0;
}

/*
 * libxl reads the script's path only after it has seen our state 2. In its place
 * stands one that fails at once, so that libxl prints hotplug-error, which the stock
 * scripts would overwrite.
 */
int vif_tell_refusal(struct device *dev)
{
	const struct vif *vif = to_const_vif(dev);

	if (!vif->script || !strcmp(vif->script, VIF_REFUSING_SCRIPT))
		return 0;
	return xsc_write(dev->broker->xs, XBT_NULL, dev->dir, "script", VIF_REFUSING_SCRIPT);
}
