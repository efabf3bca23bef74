/* SPDX-License-Identifier: GPL-2.0-only */
/* Receive side scaling: the backend hashes, and chooses the queue by it. */
#ifndef XVIF_HASH_H
#define XVIF_HASH_H

#include "ctrl-msg.h"

struct xvif;

/**
 * struct xvif_hash - what the user wants and the backend was told
 * @user: the user chose a table
 * @active: the backend calculates hashes
 * @types: XEN_NETIF_CTRL_HASH_TYPE_* that it calculates
 * @size: entries of @table that the backend knows
 * @key: of the Toeplitz hash
 * @table: queue of each remainder of a hash
 *
 * Guarded by rtnl; while not @active, the link's work may change all but that.
 */
struct xvif_hash {
	bool user;
	bool active;
	u32 types;
	u32 size;
	u8 key[XVIF_HASH_KEY];
	u32 table[XVIF_HASH_TABLE];
};

void xvif_hash_init(struct xvif *vif);
void xvif_hash_connect(struct xvif *vif);
u32 xvif_hash_size(struct net_device *dev);
u32 xvif_hash_key_size(struct net_device *dev);
int xvif_hash_get(struct net_device *dev, u32 *table, u8 *key, u8 *func);
int xvif_hash_set(struct net_device *dev, const u32 *table, const u8 *key, u8 func);

#endif /* XVIF_HASH_H */
