// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/slab.h>

#include "vnif.h"

/** struct wish - what the stack wants to receive */
struct wish {
	bool all;
	u32 nr;
	u8 addr[XVIF_MCAST_MAX][ETH_ALEN];
};

/**
 * xvif_set_rx_mode - the list of multicast addresses changed, or promiscuity
 * @dev: interface; its address lock is held
 */
void xvif_set_rx_mode(struct net_device *dev)
{
	struct xvif *vif = netdev_priv(dev);

	/* Told in process context. */
	if (READ_ONCE(vif->mcast.on))
		xenpv_link_backend_changed(&vif->link);
}

static void read_wish(struct net_device *dev, struct wish *wish)
{
	struct netdev_hw_addr *ha;

	netif_addr_lock_bh(dev);
	wish->all = (dev->flags & (IFF_PROMISC | IFF_ALLMULTI)) ||
		    netdev_mc_count(dev) > XVIF_MCAST_MAX;
	wish->nr = 0;
	netdev_for_each_mc_addr(ha, dev)
		if (wish->nr < XVIF_MCAST_MAX)
			ether_addr_copy(wish->addr[wish->nr++], ha->addr);
	netif_addr_unlock_bh(dev);
}

static bool has(u8 (*list)[ETH_ALEN], u32 nr, const u8 *addr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (!memcmp(list[i], addr, ETH_ALEN))
			return true;
	return false;
}

/* Messages go through the first transmit ring, as extra infos without a packet. */
static int tell(struct xvif *vif, bool add, const u8 *addr)
{
	struct netdev_queue *txq = netdev_get_tx_queue(vif->dev, 0);
	int err;

	__netif_tx_lock_bh(txq);
	err = xvif_tx_mcast(&vif->queues[0], add, addr);
	xvif_tx_push(&vif->queues[0]);
	__netif_tx_unlock_bh(txq);
	return err;
}

static int tell_list(struct xvif *vif, struct wish *wish)
{
	struct xvif_mcast *mcast = &vif->mcast;
	u32 i = 0;
	int err;

	while (i < mcast->nr) {
		if (has(wish->addr, wish->nr, mcast->addr[i])) {
			i++;
			continue;
		}
		err = tell(vif, false, mcast->addr[i]);
		if (err)
			return err;
		memcpy(mcast->addr[i], mcast->addr[--mcast->nr], ETH_ALEN);
	}
	for (i = 0; i < wish->nr; i++) {
		if (has(mcast->addr, mcast->nr, wish->addr[i]))
			continue;
		err = tell(vif, true, wish->addr[i]);
		if (err)
			return err;
		ether_addr_copy(mcast->addr[mcast->nr++], wish->addr[i]);
	}
	return 0;
}

static int tell_mode(struct xvif *vif, bool filter)
{
	int err;

	if (vif->mcast.filtering == filter)
		return 0;
	err = xenbus_printf(XBT_NIL, vif->link.xdev->nodename, "request-multicast-control", "%u",
			    filter);
	if (!err)
		vif->mcast.filtering = filter;
	return err;
}

/**
 * xvif_mcast_sync - tell the backend what the stack wants to receive
 * @vif: interface; in the link's work
 */
void xvif_mcast_sync(struct xvif *vif)
{
	struct wish *wish;
	int err;

	if (!vif->mcast.on || !vif->ready)
		return;
	vif->mcast.again = true;
	wish = kmalloc(sizeof(*wish), GFP_NOIO);
	if (!wish)
		return;
	read_wish(vif->dev, wish);
	/* Nothing wanted is dropped on the way: filter last, stop filtering first. */
	if (wish->all)
		err = tell_mode(vif, false);
	else
		err = tell_list(vif, wish);
	if (!err && !wish->all)
		err = tell_mode(vif, true);
	vif->mcast.again = err;
	kfree(wish);
}

/**
 * xvif_mcast_connect - a backend that knows nothing yet is connected
 * @vif: interface; in the link's work
 *
 * A backend whose filter cannot be turned off later is not asked to filter.
 */
void xvif_mcast_connect(struct xvif *vif)
{
	vif->mcast.nr = 0;
	vif->mcast.filtering = false;
	vif->mcast.again = false;
	WRITE_ONCE(vif->mcast.on, vif->offer.mcast && vif->offer.mcast_dynamic);
}
