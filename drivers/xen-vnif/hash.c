// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "vnif.h"

/**
 * xvif_hash_init - choose a key, before anything else of the hash
 * @vif: interface
 */
void xvif_hash_init(struct xvif *vif)
{
	netdev_rss_key_fill(vif->hash.key, sizeof(vif->hash.key));
}

static int tell_key(struct xvif *vif, const u8 *key)
{
	void *page = (void *)get_zeroed_page(GFP_NOIO);

	if (!page)
		return -ENOMEM;
	memcpy(page, key, XVIF_HASH_KEY);
	return xvif_ctrl_call_page(vif, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, page, XVIF_HASH_KEY);
}

static int tell_table(struct xvif *vif, const u32 *table, u32 size)
{
	void *page = (void *)get_zeroed_page(GFP_NOIO);

	if (!page)
		return -ENOMEM;
	memcpy(page, table, size * sizeof(*table));
	return xvif_ctrl_call_page(vif, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, page, size);
}

/* Users see no table meanwhile, so that this needs no lock. */
static int begin(struct xvif *vif, u32 *size)
{
	struct xvif_hash *hash = &vif->hash;
	u32 data = 0;
	int err;

	err = xvif_ctrl_call(vif, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
			     XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, 0, 0, NULL);
	if (!err)
		err = xvif_ctrl_call(vif, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0, &data);
	hash->types = xvif_hash_types(data);
	if (!err && !hash->types)
		err = -EOPNOTSUPP;
	if (!err)
		err = tell_key(vif, hash->key);
	if (!err)
		err = xvif_ctrl_call(vif, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0,
				     &data);
	if (err)
		return err;
	*size = xvif_hash_table_size(data);
	err = xvif_ctrl_call(vif, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, *size, 0, 0, NULL);
	if (!err && *size) {
		/*
		 * A table for other queues means nothing now. That the user took
		 * a table back is known to ethtool alone: we were given an even one.
		 */
		if (!hash->user || !netif_is_rxfh_configured(vif->dev) ||
		    !xvif_hash_table_ok(hash->table, *size, vif->nr_queues)) {
			hash->user = false;
			xvif_hash_table_spread(hash->table, *size, vif->nr_queues);
		}
		err = tell_table(vif, hash->table, *size);
	}
	if (!err)
		err = xvif_ctrl_call(vif, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, hash->types, 0, 0,
				     NULL);
	return err;
}

/**
 * xvif_hash_connect - have the backend choose queues by hash
 * @vif: interface whose control ring is alive, or has none; in the link's work
 *
 * With one queue there is nothing to choose, and a hash costs a ring slot a
 * packet, so that it is left alone then.
 */
void xvif_hash_connect(struct xvif *vif)
{
	u32 size = 0;
	int err;

	rtnl_lock();
	vif->hash.active = false;
	rtnl_unlock();
	if (vif->nr_queues < 2 || !vif->ctrl.alive)
		return;
	err = begin(vif, &size);
	/* Half a configuration is worse than none. */
	if (err)
		xvif_ctrl_call(vif, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
			       XEN_NETIF_CTRL_HASH_ALGORITHM_NONE, 0, 0, NULL);
	rtnl_lock();
	vif->hash.size = size;
	vif->hash.active = !err;
	rtnl_unlock();
	if (err && err != -EOPNOTSUPP && err != -ENOTCONN)
		netdev_warn(vif->dev, "the backend did not take the hash: error %d; it chooses queues itself\n",
			    err);
}

/** xvif_hash_size - entries of the table, 0 without one; rtnl is held */
u32 xvif_hash_size(struct net_device *dev)
{
	struct xvif *vif = netdev_priv(dev);

	return vif->hash.active ? vif->hash.size : 0;
}

/** xvif_hash_key_size - bytes of the key; rtnl is held */
u32 xvif_hash_key_size(struct net_device *dev)
{
	return XVIF_HASH_KEY;
}

/**
 * xvif_hash_get - what was told to the backend
 * @dev: interface; rtnl is held
 * @table: receives xvif_hash_size() entries, or NULL
 * @key: receives the key, or NULL
 * @func: receives the function, or NULL
 */
int xvif_hash_get(struct net_device *dev, u32 *table, u8 *key, u8 *func)
{
	struct xvif *vif = netdev_priv(dev);

	if (table)
		memcpy(table, vif->hash.table, xvif_hash_size(dev) * sizeof(*table));
	if (key)
		memcpy(key, vif->hash.key, sizeof(vif->hash.key));
	if (func)
		*func = ETH_RSS_HASH_TOP;
	return 0;
}

/**
 * xvif_hash_set - tell the backend another table, another key, or both
 * @dev: interface; rtnl is held
 * @table: xvif_hash_size() entries, or NULL
 * @key: key, or NULL
 * @func: ETH_RSS_HASH_NO_CHANGE or the only one there is
 */
int xvif_hash_set(struct net_device *dev, const u32 *table, const u8 *key, u8 func)
{
	struct xvif *vif = netdev_priv(dev);
	struct xvif_hash *hash = &vif->hash;
	int err;

	if (func != ETH_RSS_HASH_NO_CHANGE && func != ETH_RSS_HASH_TOP)
		return -EOPNOTSUPP;
	if (!hash->active)
		return -EOPNOTSUPP;
	if (table) {
		if (!xvif_hash_table_ok(table, hash->size, dev->real_num_rx_queues))
			return -EINVAL;
		err = tell_table(vif, table, hash->size);
		if (err)
			return err;
		memcpy(hash->table, table, hash->size * sizeof(*table));
		hash->user = true;
	}
	if (key) {
		err = tell_key(vif, key);
		if (err)
			return err;
		memcpy(hash->key, key, sizeof(hash->key));
	}
	return 0;
}
