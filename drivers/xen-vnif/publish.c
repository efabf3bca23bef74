// SPDX-License-Identifier: GPL-2.0-only
/* What the two ends tell each other in xenstore (netif.h). */
#include <linux/module.h>
#include <linux/slab.h>

#include "../core/store.h"
#include "vnif.h"

/**
 * xvif_read_offer - read what the backend offers
 * @vif: interface; receives it
 */
void xvif_read_offer(struct xvif *vif)
{
	const char *back = vif->link.backend;
	struct xvif_offer *offer = &vif->offer;

	offer->max_queues = xenbus_read_unsigned(back, "multi-queue-max-queues", 1);
	offer->rx_copy = xenbus_read_unsigned(back, "feature-rx-copy", 0);
	offer->split = xenbus_read_unsigned(back, "feature-split-event-channels", 0);
	offer->sg = xenbus_read_unsigned(back, "feature-sg", 0);
	offer->gso4 = xenbus_read_unsigned(back, "feature-gso-tcpv4", 0);
	offer->gso6 = xenbus_read_unsigned(back, "feature-gso-tcpv6", 0);
	offer->no_csum4 = xenbus_read_unsigned(back, "feature-no-csum-offload", 0);
	offer->csum6 = xenbus_read_unsigned(back, "feature-ipv6-csum-offload", 0);
	offer->ctrl = xenbus_read_unsigned(back, "feature-ctrl-ring", 0);
	offer->mcast = xenbus_read_unsigned(back, "feature-multicast-control", 0);
	offer->mcast_dynamic = xenbus_read_unsigned(back, "feature-dynamic-multicast-control", 0);
	offer->xdp = xenbus_read_unsigned(back, "feature-xdp-headroom", 0);
}

static int forget(struct xenbus_transaction xbt, const char *dir, const char *key)
{
	if (!xenbus_exists(xbt, dir, key))
		return 0;
	return xenbus_rm(xbt, dir, key);
}

static int publish_queue(struct xenbus_transaction xbt, const struct xvif *vif,
			 const struct xvif_queue *q, const char *dir)
{
	int err;

	err = xenbus_printf(xbt, dir, "tx-ring-ref", "%u", q->tx.shared.refs[0]);
	if (!err)
		err = xenbus_printf(xbt, dir, "rx-ring-ref", "%u", q->rx.shared.refs[0]);
	if (err)
		return err;
	/* A node of an earlier connection would mislead the backend. */
	if (!vif->split) {
		err = forget(xbt, dir, "event-channel-tx");
		if (!err)
			err = forget(xbt, dir, "event-channel-rx");
		return err ? err : xenbus_printf(xbt, dir, "event-channel", "%u",
						 q->rx.shared.port);
	}
	err = forget(xbt, dir, "event-channel");
	if (!err)
		err = xenbus_printf(xbt, dir, "event-channel-tx", "%u", q->tx.shared.port);
	if (!err)
		err = xenbus_printf(xbt, dir, "event-channel-rx", "%u", q->rx.shared.port);
	return err;
}

static int publish_queues(struct xenbus_transaction xbt, const struct xvif *vif)
{
	static const char * const single[] = {
		"tx-ring-ref", "rx-ring-ref", "event-channel", "event-channel-tx",
		"event-channel-rx",
	};
	const char *node = vif->link.xdev->nodename;
	u32 i;
	int err = 0;

	if (vif->nr_queues == 1) {
		err = forget(xbt, node, "multi-queue-num-queues");
		return err ? err : publish_queue(xbt, vif, &vif->queues[0], node);
	}
	for (i = 0; i < ARRAY_SIZE(single) && !err; i++)
		err = forget(xbt, node, single[i]);
	if (!err)
		err = xenbus_printf(xbt, node, "multi-queue-num-queues", "%u", vif->nr_queues);
	for (i = 0; i < vif->nr_queues && !err; i++) {
		char *dir = kasprintf(GFP_NOIO, "%s/queue-%u", node, i);

		if (!dir)
			return -ENOMEM;
		err = publish_queue(xbt, vif, &vif->queues[i], dir);
		kfree(dir);
	}
	return err;
}

static int publish_ctrl(struct xenbus_transaction xbt, const struct xvif *vif)
{
	const char *node = vif->link.xdev->nodename;
	int err;

	if (!vif->ctrl.sring) {
		err = forget(xbt, node, "ctrl-ring-ref");
		return err ? err : forget(xbt, node, "event-channel-ctrl");
	}
	err = xenbus_printf(xbt, node, "ctrl-ring-ref", "%u", vif->ctrl.shared.refs[0]);
	return err ? err : xenbus_printf(xbt, node, "event-channel-ctrl", "%u",
					 vif->ctrl.shared.port);
}

static int publish(struct xenbus_transaction xbt, void *arg)
{
	const struct xvif *vif = arg;
	bool csum = vif->told_rx & NETIF_F_RXCSUM;
	bool gso = vif->told_rx & NETIF_F_GRO_HW;
	const struct {
		const char *key;
		unsigned int value;
	} keys[] = {
		{ "request-rx-copy", 1 },
		{ "feature-rx-notify", 1 },
		{ "feature-sg", 1 },
		{ "feature-gso-tcpv4", gso },
		{ "feature-gso-tcpv6", gso },
		{ "feature-no-csum-offload", !csum },
		{ "feature-ipv6-csum-offload", csum },
		{ "xdp-headroom", vif->told_headroom },
		/* Until the backend has the list. */
		{ "request-multicast-control", 0 },
	};
	const char *node = vif->link.xdev->nodename;
	u32 i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(keys) && !err; i++)
		err = xenbus_printf(xbt, node, keys[i].key, "%u", keys[i].value);
	if (!err)
		err = publish_ctrl(xbt, vif);
	return err ? err : publish_queues(xbt, vif);
}

/**
 * xvif_publish - write rings, event channels and features
 * @vif: interface whose queues are made
 *
 * Return: 0 or a negative errno.
 */
int xvif_publish(struct xvif *vif)
{
	return xenpv_store_change(publish, vif);
}
