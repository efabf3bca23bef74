// SPDX-License-Identifier: GPL-2.0-only
/* The interface as the network stack sees it. */
#include <linux/module.h>

#include "vnif.h"

/* Longest time without an answer before the queue is looked after. */
#define TX_TIMEOUT	(5 * HZ)

static int xvif_open(struct net_device *dev)
{
	struct xvif *vif = netdev_priv(dev);

	if (READ_ONCE(vif->ready))
		netif_tx_start_all_queues(dev);
	return 0;
}

static int xvif_stop(struct net_device *dev)
{
	/* Queues are polled on, so that packets in flight are freed. */
	netif_tx_disable(dev);
	return 0;
}

static int xvif_change_mtu(struct net_device *dev, int mtu)
{
	/* The core has looked at the bounds. */
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

static void xvif_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *tot)
{
	xvif_stats_totals(netdev_priv(dev), tot);
}

/* What the frontend does by itself, or the backend may be asked for. */
#define HW_FEATURES	(NETIF_F_SG | NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | NETIF_F_TSO | \
			 NETIF_F_TSO6 | XVIF_RX_FEATURES)

const struct net_device_ops xvif_netdev_ops = {
	.ndo_open = xvif_open,
	.ndo_stop = xvif_stop,
	.ndo_start_xmit = xvif_start_xmit,
	.ndo_set_rx_mode = xvif_set_rx_mode,
	.ndo_change_mtu = xvif_change_mtu,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_get_stats64 = xvif_get_stats64,
	.ndo_fix_features = xvif_fix_features,
	.ndo_set_features = xvif_set_features,
	.ndo_tx_timeout = xvif_tx_timeout,
	.ndo_bpf = xvif_bpf,
	.ndo_xdp_xmit = xvif_xdp_xmit,
};

/**
 * xvif_netdev_setup - fill in an interface that is not registered yet
 * @dev: interface
 */
void xvif_netdev_setup(struct net_device *dev)
{
	struct xvif *vif = netdev_priv(dev);

	dev->netdev_ops = &xvif_netdev_ops;
	dev->ethtool_ops = &xvif_ethtool_ops;
	dev->watchdog_timeo = TX_TIMEOUT;
	dev->hw_features = HW_FEATURES;
	/* All of it until a backend is known; then what that can do. */
	dev->features = HW_FEATURES;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = xvif_max_mtu(true, false);
	netif_set_tso_max_size(dev, XEN_NETIF_MAX_TX_SIZE);
	vif->can = (struct xvif_tx_can){ true, true, true, true, true };
	vif->want_rx = XVIF_RX_FEATURES;
	vif->tx_frames = XVIF_TX_ENTS / 2;
	vif->speed = SPEED_UNKNOWN;
	vif->duplex = DUPLEX_FULL;
	xenpv_xdp_announce(dev);
}
