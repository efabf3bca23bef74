/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the switches outside which way guests are reached now.
 *
 * Guests' addresses stand behind a bridge, so neither the bonding driver nor the
 * guest announces them when the bond changes to another port, and switches
 * send to the old one until their tables expire. A broadcast frame with the guest's
 * address as its source puts that right. It is a reverse ARP request (RFC
 * 903) for itself, which no host answers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "xenpv/bridge/link.h"
#include "lib/mac.h"
#include "lib/rtnl.h"

/* An Ethernet frame without its checksum, at the least length. */
#define ANNOUNCE_SIZE 60
/* Addresses announced on one bridge; beyond that a table is being flooded. */
#define ANNOUNCE_MAX 1024

void announce_frame(const struct mac *mac, uint8_t ret[ANNOUNCE_SIZE]);

struct macs {
	struct mac item[ANNOUNCE_MAX];
	size_t n;
};

/* Append unless it is there or no station's. */
void macs_add(struct macs *macs, const struct mac *mac);

/*
 * announce_learn - append what stands behind the other ports of a bridge
 *
 * From the bridge's forwarding table: guests, and dom0 itself.
 */
int announce_learn(struct rtnl *rt, int bridge, int uplink, struct macs *macs);

/*
 * announce_place - tell a bridge by which of its ports it reaches an address
 *
 * As if it had learned it: it is forgotten in time, and learned elsewhere when seen there.
 */
int announce_place(struct rtnl *rt, int port, const struct mac *mac);

/*
 * announce_send - send a frame for each through an interface
 * @ret_sent: how many; an interface that went away or is full takes fewer
 *
 * Needs CAP_NET_RAW. Returns the first error.
 */
int announce_send(int interface, const struct macs *macs, size_t *ret_sent);
