/* SPDX-License-Identifier: GPL-2.0-only */
/* The backend filters multicast packets for us. */
#ifndef XVIF_MCAST_H
#define XVIF_MCAST_H

#include <linux/if_ether.h>
#include <linux/types.h>

/* Fewer than the 64 that xen-netback keeps. */
#define XVIF_MCAST_MAX	60u

/**
 * struct xvif_mcast - what the backend was told; link's mutex
 * @on: it filters as it is told
 * @filtering: it was told to drop what is not in the list
 * @again: the ring was full; the watchdog tries again
 * @nr: entries of @addr
 * @addr: its list
 */
struct xvif_mcast {
	bool on;
	bool filtering;
	bool again;
	u32 nr;
	u8 addr[XVIF_MCAST_MAX][ETH_ALEN];
};

struct net_device;
struct xvif;

void xvif_set_rx_mode(struct net_device *dev);
void xvif_mcast_connect(struct xvif *vif);
void xvif_mcast_sync(struct xvif *vif);

#endif /* XVIF_MCAST_H */
