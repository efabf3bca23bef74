/* SPDX-License-Identifier: GPL-2.0-only */
/* What both ends can do, settled. Pure. */
#ifndef XVIF_NEGOTIATE_H
#define XVIF_NEGOTIATE_H

#include <linux/types.h>

/**
 * struct xvif_offer - what the backend wrote, unchecked
 * @max_queues: multi-queue-max-queues, or 1
 * @rx_copy: feature-rx-copy
 * @split: feature-split-event-channels
 * @sg: feature-sg
 * @gso4: feature-gso-tcpv4
 * @gso6: feature-gso-tcpv6
 * @no_csum4: feature-no-csum-offload
 * @csum6: feature-ipv6-csum-offload
 * @ctrl: feature-ctrl-ring
 * @mcast: feature-multicast-control
 * @mcast_dynamic: feature-dynamic-multicast-control
 * @xdp: feature-xdp-headroom
 */
struct xvif_offer {
	u32 max_queues;
	bool rx_copy;
	bool split;
	bool sg;
	bool gso4;
	bool gso6;
	bool no_csum4;
	bool csum6;
	bool ctrl;
	bool mcast;
	bool mcast_dynamic;
	bool xdp;
};

/**
 * struct xvif_tx_can - what may be sent to the backend
 * @sg: packets of more than one slot
 * @csum4: IPv4 packets with a blank checksum
 * @csum6: IPv6 packets with a blank checksum
 * @gso4: TCP over IPv4 to be segmented
 * @gso6: TCP over IPv6 to be segmented
 */
struct xvif_tx_can {
	bool sg;
	bool csum4;
	bool csum6;
	bool gso4;
	bool gso6;
};

u32 xvif_settle_queues(u32 wish, u32 cpus, u32 offer);
void xvif_settle_tx(const struct xvif_offer *offer, struct xvif_tx_can *can);
u32 xvif_max_mtu(bool sg, bool xdp);

#endif /* XVIF_NEGOTIATE_H */
