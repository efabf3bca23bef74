// SPDX-License-Identifier: GPL-2.0-only
/* The steps of a connection. All of it runs in the link's work, one at a time. */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "vnif.h"

static int make_queues(struct xvif *vif, const struct xvif_params *params)
{
	u32 want = READ_ONCE(vif->want_queues), nr, i;
	int err;

	nr = xvif_settle_queues(min(want ? want : params->max_queues, vif->max_queues),
				num_online_cpus(), vif->offer.max_queues);
	vif->queues = kvcalloc(nr, sizeof(*vif->queues), GFP_NOIO);
	if (!vif->queues)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		/* Counted at once, so that it is freed. */
		vif->nr_queues = i + 1;
		err = xvif_queue_init(vif, &vif->queues[i], i, params);
		if (!err)
			continue;
		if (err != -ENOSPC || !i) {
			if (err == -ENOSPC)
				dev_err(&vif->link.xdev->dev,
					"no room for the grants of one queue: raise gnttab_max_frames\n");
			return err;
		}
		xvif_queue_stop(&vif->queues[i]);
		xvif_queue_free(&vif->queues[i]);
		vif->nr_queues = i;
		dev_warn(&vif->link.xdev->dev,
			 "no room for the grants of more than %u of %u queues: raise gnttab_max_frames\n",
			 i, nr);
		break;
	}
	return 0;
}

/**
 * xvif_setup - make queues and publish them
 * @link: link whose backend is in InitWait
 *
 * Return: 0 or a negative errno; what was made stays for xvif_release().
 */
int xvif_setup(struct xenpv_link *link)
{
	struct xvif *vif = xvif_of(link);
	struct xvif_params params;
	int err;

	xvif_quiesce(link);
	xvif_release(link);
	xvif_params_read(&params);

	xvif_read_offer(vif);
	if (!vif->offer.rx_copy) {
		xenbus_dev_error(link->xdev, -EOPNOTSUPP,
				 "%s does not copy received packets (feature-rx-copy); use another backend",
				 link->backend);
		return -EOPNOTSUPP;
	}
	vif->split = vif->offer.split;
	vif->trusted = params.trusted && xenbus_read_unsigned(link->xdev->nodename, "trusted", 1);
	vif->told_rx = READ_ONCE(vif->want_rx);
	vif->told_headroom = READ_ONCE(vif->want_headroom);
	err = xvif_ctrl_init(vif);
	if (!err)
		err = make_queues(vif, &params);
	return err ? err : xvif_publish(vif);
}

static int adapt_netdev(struct xvif *vif)
{
	struct net_device *dev = vif->dev;
	int err;

	ASSERT_RTNL();
	xvif_settle_tx(&vif->offer, &vif->can);
	err = netif_set_real_num_tx_queues(dev, vif->nr_queues);
	if (!err)
		err = netif_set_real_num_rx_queues(dev, vif->nr_queues);
	if (err)
		return err;
	netdev_update_features(dev);
	if (rtnl_dereference(vif->xdp_prog) && !vif->offer.xdp)
		netdev_warn(dev, "this backend leaves no headroom for XDP: packets are copied\n");
	dev->max_mtu = xvif_max_mtu(vif->can.sg, rtnl_dereference(vif->xdp_prog));
	if (dev->mtu > dev->max_mtu) {
		netdev_warn(dev, "the backend takes no packets of more than one page: MTU %u becomes %u\n",
			    dev->mtu, dev->max_mtu);
		/* The host's is to come back with a backend that takes it. */
		vif->host_mtu = 0;
		err = dev_set_mtu(dev, dev->max_mtu);
	}
	return err;
}

/**
 * xvif_connect - adapt to what the backend serves and post pages
 * @link: link whose backend is Connected
 *
 * Return: 0 or a negative errno; what was made stays for xvif_release().
 */
int xvif_connect(struct xenpv_link *link)
{
	struct xvif *vif = xvif_of(link);
	struct xvif_params params;
	u32 i;
	int err;

	xvif_params_read(&params);
	rtnl_lock();
	err = adapt_netdev(vif);
	rtnl_unlock();
	if (err)
		return err;
	xvif_follow_host(vif, false);
	xvif_ctrl_begin(vif);
	xvif_hash_connect(vif);
	xvif_mcast_connect(vif);
	for (i = 0; i < vif->nr_queues; i++) {
		xvif_static_connect(&vif->queues[i], params.static_grants);
		xvif_rx_refill(&vif->queues[i], GFP_NOIO);
	}
	return 0;
}

/*
 * A CPU sends on the queue whose interrupts it gets, unless the user says
 * otherwise, which holds over connections with as many queues.
 */
static void default_xps(struct xvif *vif)
{
	unsigned int cpu;
	u32 i;

	if (vif->spread_queues == vif->nr_queues)
		return;
	vif->spread_queues = vif->nr_queues;
	for (i = 0; i < vif->nr_queues && vif->nr_queues > 1; i++) {
		cpu = cpumask_local_spread(i, NUMA_NO_NODE);
		netif_set_xps_queue(vif->dev, cpumask_of(cpu), i);
	}
}

/**
 * xvif_start - let packets flow
 * @link: link, connected
 */
void xvif_start(struct xenpv_link *link)
{
	struct xvif *vif = xvif_of(link);
	struct net_device *dev = vif->dev;
	u32 i;

	cancel_delayed_work_sync(&vif->grace);
	default_xps(vif);
	rtnl_lock();
	for (i = 0; i < vif->nr_queues; i++) {
		netdev_tx_reset_queue(netdev_get_tx_queue(dev, i));
		xvif_queue_start(&vif->queues[i]);
	}
	bitmap_zero(vif->timed_out, XVIF_MAX_QUEUES);
	WRITE_ONCE(vif->ready, true);
	xvif_follow_host(vif, true);
	if (netif_running(dev))
		netif_tx_wake_all_queues(dev);
	rtnl_unlock();
	xvif_mcast_sync(vif);
	/* Switches and neighbours may know us elsewhere, after a migration. */
	vif->announce = true;
	mod_delayed_work(system_wq, &vif->watchdog, 0);
	netdev_info(dev, "connected to domain %u: %u queue%s%s%s%s\n", link->backend_id,
		    vif->nr_queues, vif->nr_queues == 1 ? "" : "s",
		    vif->split ? "" : ", shared event channels", vif->trusted ? "" : ", bounced",
		    vif->queues[0].static_tx ? ", static grants" : "");
}

/**
 * xvif_reread - the host or the backend, still connected, changed something
 * @link: link
 */
void xvif_reread(struct xenpv_link *link)
{
	struct xvif *vif = xvif_of(link);

	xvif_xdp_renegotiate(vif);
	xvif_mcast_sync(vif);
	xvif_follow_host(vif, false);
}
