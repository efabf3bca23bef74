// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/minmax.h>
#include <linux/skbuff.h>

#include "negotiate.h"
#include "wire.h"

/**
 * xvif_settle_queues - how many queues a connection has
 * @wish: most that are wanted
 * @cpus: virtual CPUs
 * @offer: what the backend takes
 *
 * Return: at least 1.
 */
u32 xvif_settle_queues(u32 wish, u32 cpus, u32 offer)
{
	return max(1u, min3(wish, cpus, offer));
}

/**
 * xvif_settle_tx - what the backend's offer comes to
 * @offer: what it wrote
 * @can: receives what may be sent
 *
 * A packet to be segmented has a blank checksum and more than one slot, so
 * that without those there is no segmentation.
 */
void xvif_settle_tx(const struct xvif_offer *offer, struct xvif_tx_can *can)
{
	can->sg = offer->sg;
	can->csum4 = !offer->no_csum4;
	can->csum6 = offer->csum6;
	can->gso4 = offer->gso4 && can->sg && can->csum4;
	can->gso6 = offer->gso6 && can->sg && can->csum6;
}

/**
 * xvif_max_mtu - the largest MTU that both ends can carry
 * @sg: the backend takes packets of more than one slot
 * @xdp: received packets must leave room for an XDP program in one page
 *
 * A program never makes it larger, so that any may be taken off.
 *
 * Return: bytes.
 */
u32 xvif_max_mtu(bool sg, bool xdp)
{
	if (!sg)
		return ETH_DATA_LEN;
	if (xdp)
		return XVIF_FRAME - XDP_PACKET_HEADROOM - ETH_HLEN -
		       SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	return XEN_NETIF_MAX_TX_SIZE - ETH_HLEN;
}
