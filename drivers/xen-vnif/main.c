// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "../core/stats.h"
#include "vnif.h"

/* Longest wait for the backend to let go of our pages when a driver unbinds. */
#define DETACH_WAIT_MS 3000

static const struct xenpv_link_ops link_ops = {
	/* A network backend reads rings and features when it sees this. */
	.offered = XenbusStateConnected,
	.setup = xvif_setup,
	.connect = xvif_connect,
	.start = xvif_start,
	.reread = xvif_reread,
	.kick = xvif_kick,
	.quiesce = xvif_quiesce,
	.release = xvif_release,
	.fail = xvif_fail,
	.drain = xvif_drain,
};

static int read_identity(struct xvif *vif)
{
	struct net_device *dev = vif->dev;
	u32 mtu;
	int err;

	err = xvif_read_mac(vif, vif->host_mac);
	if (err) {
		xenbus_dev_error(vif->link.xdev, err, "%s/mac is needed to make an interface",
				 vif->link.xdev->nodename);
		return err;
	}
	eth_hw_addr_set(dev, vif->host_mac);
	mtu = xenbus_read_unsigned(vif->link.xdev->nodename, "mtu", 0);
	if (mtu >= dev->min_mtu && mtu <= dev->max_mtu) {
		vif->host_mtu = mtu;
		dev->mtu = mtu;
	}
	return 0;
}

static int xvif_probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct xvif_params params;
	struct net_device *dev;
	struct xvif *vif;
	u32 queues;
	int err;

	xvif_params_read(&params);
	queues = min3(params.max_queues, XVIF_MAX_QUEUES, num_possible_cpus());
	dev = alloc_etherdev_mq(sizeof(*vif), queues);
	if (!dev)
		return -ENOMEM;
	SET_NETDEV_DEV(dev, &xdev->dev);
	vif = netdev_priv(dev);
	vif->dev = dev;
	vif->max_queues = queues;
	INIT_DELAYED_WORK(&vif->grace, xvif_grace_work);
	INIT_DELAYED_WORK(&vif->watchdog, xvif_watchdog_work);
	mutex_init(&vif->ctrl.lock);
	init_waitqueue_head(&vif->ctrl.wait);
	xvif_hash_init(vif);

	err = xvif_stats_alloc(vif);
	if (err)
		goto free_dev;
	err = xenpv_link_init(&vif->link, xdev, &link_ops, &params.link);
	if (err)
		goto free_stats;
	xvif_netdev_setup(dev);
	err = read_identity(vif);
	if (err)
		goto destroy_link;
	dev_set_drvdata(&xdev->dev, vif);

	/* The interface is there, without a link, before its backend is. */
	netif_carrier_off(dev);
	err = register_netdev(dev);
	if (err) {
		xenbus_dev_error(xdev, err, "the interface could not be registered");
		goto destroy_link;
	}
	xvif_debugfs_add(vif);
	xvif_watch_host(vif);
	xvif_watch_backend(vif);
	schedule_delayed_work(&vif->watchdog, HZ);
	xenpv_link_begin(&vif->link);
	return 0;

destroy_link:
	dev_set_drvdata(&xdev->dev, NULL);
	xenpv_link_destroy(&vif->link);
free_stats:
	xvif_stats_free(vif);
free_dev:
	free_netdev(dev);
	return err;
}

static void xvif_remove(struct xenbus_device *xdev)
{
	struct xvif *vif = dev_get_drvdata(&xdev->dev);
	struct net_device *dev = vif->dev;

	/* From here on nobody but us is told anything, and nothing is sent. */
	xvif_unwatch(vif);
	xenpv_link_stop(&vif->link);
	xenpv_link_detach(&vif->link, DETACH_WAIT_MS);
	xenpv_debugfs_del(vif->debugfs);

	unregister_netdev(dev);
	/* The stack's own watchdog starts it, as long as there is an interface. */
	cancel_delayed_work_sync(&vif->watchdog);
	cancel_delayed_work_sync(&vif->grace);
	xenpv_link_destroy(&vif->link);
	dev_set_drvdata(&xdev->dev, NULL);
	xvif_stats_free(vif);
	free_netdev(dev);
}

static void xvif_backend_changed(struct xenbus_device *xdev, enum xenbus_state state)
{
	struct xvif *vif = dev_get_drvdata(&xdev->dev);

	xenpv_link_backend_changed(&vif->link);
}

static int xvif_resume(struct xenbus_device *xdev)
{
	struct xvif *vif = dev_get_drvdata(&xdev->dev);

	xvif_watch_backend(vif);
	xvif_ctrl_forgive(vif);
	return xenpv_link_resume(&vif->link);
}

static int xvif_is_ready(struct xenbus_device *xdev)
{
	struct xvif *vif = dev_get_drvdata(&xdev->dev);

	return READ_ONCE(vif->ready);
}

static const struct xenbus_device_id xvif_ids[] = {
	{ "vif" },
	{ "" }
};

/* Its own name, so that it can be loaded beside the kernel's driver. */
static struct xenbus_driver xvif_driver = {
	.name = "xen-vnif",
	.ids = xvif_ids,
	.probe = xvif_probe,
	.remove = xvif_remove,
	.resume = xvif_resume,
	.otherend_changed = xvif_backend_changed,
	.is_ready = xvif_is_ready,
};

static int __init xvif_init(void)
{
	if (!xen_domain() || !xen_has_pv_nic_devices())
		return -ENODEV;
	return xenbus_register_frontend(&xvif_driver);
}
module_init(xvif_init);

static void __exit xvif_exit(void)
{
	xenbus_unregister_driver(&xvif_driver);
}
module_exit(xvif_exit);

MODULE_DESCRIPTION("Xen network frontend of the xenpv drivers");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen:vif");
