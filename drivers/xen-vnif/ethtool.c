// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/module.h>

#include "vnif.h"

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	struct xvif *vif = netdev_priv(dev);

	strscpy(info->driver, "xen-vnif", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&vif->link.xdev->dev), sizeof(info->bus_info));
}

const struct ethtool_ops xvif_ethtool_ops = {
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ts_info = ethtool_op_get_ts_info,
};
