// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpumask.h>
#include <linux/ethtool.h>
#include <linux/module.h>

#include "vnif.h"

/* Longest time that interrupts may stay off, in microseconds. */
#define MAX_USECS	10000u

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	struct xvif *vif = netdev_priv(dev);

	strscpy(info->driver, "xen-vnif", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&vif->link.xdev->dev), sizeof(info->bus_info));
}

/* The protocol has no other sizes. */
static void get_ringparam(struct net_device *dev, XENPV_RINGPARAM_ARGS)
{
	ring->tx_max_pending = XVIF_TX_ENTS;
	ring->tx_pending = XVIF_TX_ENTS;
	ring->rx_max_pending = XVIF_RX_ENTS;
	ring->rx_pending = XVIF_RX_ENTS;
}

static u32 most_queues(const struct xvif *vif)
{
	return xvif_settle_queues(vif->max_queues, num_online_cpus(),
				  vif->offer.max_queues ? vif->offer.max_queues : 1);
}

static void get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	channels->max_combined = most_queues(netdev_priv(dev));
	channels->combined_count = dev->real_num_tx_queues;
}

/* Queues are made when connecting, so that a change needs another connection. */
static int set_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct xvif *vif = netdev_priv(dev);

	if (!channels->combined_count || channels->rx_count || channels->tx_count ||
	    channels->combined_count > most_queues(vif))
		return -EINVAL;
	WRITE_ONCE(vif->want_queues, channels->combined_count);
	if (channels->combined_count != dev->real_num_tx_queues)
		xenpv_link_event(&vif->link, XENPV_EV_RENEW);
	return 0;
}

static int get_coalesce(struct net_device *dev, XENPV_COALESCE_ARGS)
{
	struct xvif *vif = netdev_priv(dev);

	c->rx_coalesce_usecs = vif->irq_usecs;
	c->tx_max_coalesced_frames = vif->tx_frames;
	return 0;
}

static int set_coalesce(struct net_device *dev, XENPV_COALESCE_ARGS)
{
	struct xvif *vif = netdev_priv(dev);

	if (c->rx_coalesce_usecs > MAX_USECS || !c->tx_max_coalesced_frames ||
	    c->tx_max_coalesced_frames > XVIF_TX_ENTS / 2)
		return -EINVAL;
	vif->irq_usecs = c->rx_coalesce_usecs;
	/* The event channel stays masked until the poll says it is done. */
	xenpv_set_irq_delay(dev, vif->irq_usecs * NSEC_PER_USEC);
	WRITE_ONCE(vif->tx_frames, c->tx_max_coalesced_frames);
	return 0;
}

static int get_sset_count(struct net_device *dev, int set)
{
	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return XVIF_NR_STATS * (1 + dev->real_num_tx_queues);
}

static void get_strings(struct net_device *dev, u32 set, u8 *data)
{
	u32 i, q;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < XVIF_NR_STATS; i++, data += ETH_GSTRING_LEN)
		strscpy((char *)data, xvif_stat_names[i], ETH_GSTRING_LEN);
	for (q = 0; q < dev->real_num_tx_queues; q++)
		for (i = 0; i < XVIF_NR_STATS; i++, data += ETH_GSTRING_LEN)
			snprintf((char *)data, ETH_GSTRING_LEN, "q%u_%s", q, xvif_stat_names[i]);
}

/* Totals over all queues there ever were, then each present queue. */
static void get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct xvif *vif = netdev_priv(dev);
	struct xvif_stats sum;
	u32 i, q;

	memset(data, 0, XVIF_NR_STATS * sizeof(*data));
	for (q = 0; q < vif->max_queues; q++) {
		xvif_stats_sum(vif->stats[q], &sum);
		for (i = 0; i < XVIF_NR_STATS; i++)
			data[i] += sum.count[i];
		if (q < dev->real_num_tx_queues)
			memcpy(data + (1 + q) * XVIF_NR_STATS, sum.count, sizeof(sum.count));
	}
}

/* ethtool -x asks for the number of queues. */
static int get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info, u32 *rules)
{
	if (info->cmd != ETHTOOL_GRXRINGS)
		return -EOPNOTSUPP;
	info->data = dev->real_num_rx_queues;
	return 0;
}

/* A virtual link has no speed of its own; bonding wants one, which the user may give. */
static int get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *cmd)
{
	struct xvif *vif = netdev_priv(dev);

	cmd->base.speed = vif->speed;
	cmd->base.duplex = vif->duplex;
	cmd->base.port = PORT_OTHER;
	return 0;
}

static int set_link_ksettings(struct net_device *dev, const struct ethtool_link_ksettings *cmd)
{
	struct xvif *vif = netdev_priv(dev);

	return ethtool_virtdev_set_link_ksettings(dev, cmd, &vif->speed, &vif->duplex);
}

XENPV_RXFH_OPS(xvif_hash_get, xvif_hash_set)

const struct ethtool_ops xvif_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_USECS | ETHTOOL_COALESCE_TX_MAX_FRAMES,
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_ringparam = get_ringparam,
	.get_channels = get_channels,
	.set_channels = set_channels,
	.get_coalesce = get_coalesce,
	.set_coalesce = set_coalesce,
	.get_sset_count = get_sset_count,
	.get_strings = get_strings,
	.get_ethtool_stats = get_ethtool_stats,
	.get_rxnfc = get_rxnfc,
	.get_rxfh_indir_size = xvif_hash_size,
	.get_rxfh_key_size = xvif_hash_key_size,
	.get_rxfh = rxfh_get,
	.set_rxfh = rxfh_set,
	.get_link_ksettings = get_link_ksettings,
	.set_link_ksettings = set_link_ksettings,
};
