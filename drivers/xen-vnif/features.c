// SPDX-License-Identifier: GPL-2.0-only
/* Offloads: what the user wants, the backend can, and is told. */
#include <linux/module.h>

#include "vnif.h"

/**
 * xvif_fix_features - leave out what the backend cannot do
 * @dev: interface; rtnl is held
 * @features: what is wanted
 */
netdev_features_t xvif_fix_features(struct net_device *dev, netdev_features_t features)
{
	struct xvif *vif = netdev_priv(dev);

	if (!vif->can.sg)
		features &= ~NETIF_F_SG;
	if (!vif->can.csum4)
		features &= ~NETIF_F_IP_CSUM;
	if (!vif->can.csum6)
		features &= ~NETIF_F_IPV6_CSUM;
	if (!vif->can.gso4)
		features &= ~NETIF_F_TSO;
	if (!vif->can.gso6)
		features &= ~NETIF_F_TSO6;
	/*
	 * A program sees packets of one page, before they could be segmented. And
	 * a frame that it redirects cannot say that its checksum is still to be made.
	 */
	if (rtnl_dereference(vif->xdp_prog))
		features &= ~(NETIF_F_GRO_HW | NETIF_F_RXCSUM);
	return features;
}

/**
 * xvif_set_features - the user, or the above, changed features
 * @dev: interface; rtnl is held
 * @features: what is to be on
 *
 * A backend reads what may be sent to us when it connects, so that a change
 * of it needs another connection, which follows at once.
 */
int xvif_set_features(struct net_device *dev, netdev_features_t features)
{
	struct xvif *vif = netdev_priv(dev);
	netdev_features_t want = features & XVIF_RX_FEATURES;

	if (want == vif->want_rx)
		return 0;
	WRITE_ONCE(vif->want_rx, want);
	xenpv_link_event(&vif->link, XENPV_EV_RENEW);
	return 0;
}
