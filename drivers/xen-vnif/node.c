// SPDX-License-Identifier: GPL-2.0-only
/* What the host may change at any time: link state, MAC, MTU. */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "vnif.h"

/**
 * xvif_read_mac - read the address that the host chose
 * @vif: interface
 * @mac: receives it, %ETH_ALEN bytes
 *
 * Return: 0, or a negative errno when there is none or it cannot be one.
 */
int xvif_read_mac(struct xvif *vif, u8 *mac)
{
	u8 found[ETH_ALEN];
	char *text;
	bool ok;

	text = xenbus_read(XBT_NIL, vif->link.xdev->nodename, "mac", NULL);
	if (IS_ERR(text))
		return PTR_ERR(text);
	ok = mac_pton(text, found) && is_valid_ether_addr(found);
	if (!ok)
		xenbus_dev_error(vif->link.xdev, -EINVAL,
				 "%s/mac is \"%.32s\": it must be a unicast address",
				 vif->link.xdev->nodename, text);
	kfree(text);
	if (!ok)
		return -EINVAL;
	ether_addr_copy(mac, found);
	return 0;
}

static void follow_mac(struct xvif *vif)
{
	struct net_device *dev = vif->dev;
	unsigned char type = dev->addr_assign_type;
	u8 mac[ETH_ALEN];

	/* An address that the user set stays, until the host gives another. */
	if (xvif_read_mac(vif, mac) || ether_addr_equal(mac, vif->host_mac))
		return;
	ether_addr_copy(vif->host_mac, mac);
	if (xenpv_set_mac(dev, mac)) {
		netdev_warn(dev, "the host's new address %pM could not be taken\n", mac);
		return;
	}
	dev->addr_assign_type = type == NET_ADDR_SET ? NET_ADDR_PERM : type;
	netdev_info(dev, "the host changed the address to %pM\n", mac);
}

static void follow_mtu(struct xvif *vif)
{
	struct net_device *dev = vif->dev;
	u32 mtu = xenbus_read_unsigned(vif->link.xdev->nodename, "mtu", 0);

	/* One that the user set stays, until the host gives another. */
	if (!mtu || mtu == vif->host_mtu)
		return;
	if (mtu < dev->min_mtu || mtu > dev->max_mtu) {
		/* Not for good: without a program, or at another backend, it may do. */
		if (mtu != vif->refused_mtu)
			xenbus_dev_error(vif->link.xdev, -ERANGE,
					 "%s/mtu is %u, possible are %u to %u",
					 vif->link.xdev->nodename, mtu, dev->min_mtu,
					 dev->max_mtu);
		vif->refused_mtu = mtu;
		return;
	}
	vif->refused_mtu = 0;
	vif->host_mtu = mtu;
	if (dev->mtu != mtu && !dev_set_mtu(dev, mtu))
		netdev_info(dev, "the host changed the MTU to %u\n", mtu);
}

static void follow_carrier(struct xvif *vif)
{
	if (!READ_ONCE(vif->ready))
		return;
	if (xenbus_read_unsigned(vif->link.backend, "carrier", 1))
		netif_carrier_on(vif->dev);
	else
		netif_carrier_off(vif->dev);
}

/**
 * xvif_follow_host - take over what the host says of the interface now
 * @vif: registered interface; its link's mutex is held
 * @locked: rtnl is held, too
 */
void xvif_follow_host(struct xvif *vif, bool locked)
{
	if (!locked)
		rtnl_lock();
	follow_mac(vif);
	follow_mtu(vif);
	follow_carrier(vif);
	if (!locked)
		rtnl_unlock();
}

static void carrier_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xvif *vif = container_of(watch, struct xvif, carrier_watch);

	xenpv_link_backend_changed(&vif->link);
}

static void mac_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xvif *vif = container_of(watch, struct xvif, mac_watch);

	xenpv_link_backend_changed(&vif->link);
}

static void mtu_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xvif *vif = container_of(watch, struct xvif, mtu_watch);

	xenpv_link_backend_changed(&vif->link);
}

static void begin_watch(struct xvif *vif, struct xenbus_watch *w, const char *dir,
			const char *key,
			void (*callback)(struct xenbus_watch *, const char *, const char *))
{
	char *node = kasprintf(GFP_NOIO, "%s/%s", dir, key);
	int err = -ENOMEM;

	if (node) {
		memset(w, 0, sizeof(*w));
		w->node = node;
		w->callback = callback;
		err = register_xenbus_watch(w);
	}
	if (err) {
		/* All the same it is read at each connection. */
		dev_warn(&vif->link.xdev->dev, "cannot watch %s/%s: error %d\n", dir, key, err);
		kfree(node);
		w->node = NULL;
	}
}

static void end_watch(struct xenbus_watch *w)
{
	if (!w->node)
		return;
	unregister_xenbus_watch(w);
	kfree(w->node);
	w->node = NULL;
}

/**
 * xvif_watch_host - begin to watch our own nodes
 * @vif: interface
 *
 * Watches are made and ended by the bus's callbacks only: the link's work,
 * which a callback may wait for, must not wait for callbacks.
 */
void xvif_watch_host(struct xvif *vif)
{
	begin_watch(vif, &vif->mac_watch, vif->link.xdev->nodename, "mac", mac_changed);
	begin_watch(vif, &vif->mtu_watch, vif->link.xdev->nodename, "mtu", mtu_changed);
}

/**
 * xvif_watch_backend - begin to watch the nodes of the present backend
 * @vif: interface, whose bus device knows the backend
 */
void xvif_watch_backend(struct xvif *vif)
{
	end_watch(&vif->carrier_watch);
	begin_watch(vif, &vif->carrier_watch, vif->link.xdev->otherend, "carrier", carrier_changed);
}

/**
 * xvif_unwatch - end all watches
 * @vif: interface
 */
void xvif_unwatch(struct xvif *vif)
{
	end_watch(&vif->carrier_watch);
	end_watch(&vif->mac_watch);
	end_watch(&vif->mtu_watch);
}
