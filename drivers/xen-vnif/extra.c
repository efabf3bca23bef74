// SPDX-License-Identifier: GPL-2.0-only
#include <linux/if_ether.h>
#include <linux/string.h>

#include "extra.h"

/**
 * xvif_extra_take - check an extra info of the backend and keep what it says
 * @extras: zeroed at first
 * @info: private copy of the slot
 * @more: receives whether another extra info follows
 *
 * Return: NULL, or what is wrong with it.
 */
const char *xvif_extra_take(struct xvif_extras *extras, const struct xen_netif_extra_info *info,
			    bool *more)
{
	if (info->type == XEN_NETIF_EXTRA_TYPE_NONE || info->type >= XEN_NETIF_EXTRA_TYPE_MAX)
		return "an extra info of unknown type";
	if (xvif_extra_has(extras, info->type))
		return "two extra infos of one type";

	switch (info->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		extras->gso_size = info->u.gso.size;
		extras->gso_type = info->u.gso.type;
		break;
	case XEN_NETIF_EXTRA_TYPE_HASH:
		if (info->u.hash.algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ ||
		    info->u.hash.type > _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)
			return "an extra info with a hash of unknown kind";
		extras->hash_type = info->u.hash.type;
		extras->hash = info->u.hash.value[0] | info->u.hash.value[1] << 8 |
			       info->u.hash.value[2] << 16 | (u32)info->u.hash.value[3] << 24;
		break;
	case XEN_NETIF_EXTRA_TYPE_XDP:
		if (info->u.xdp.headroom >= XVIF_FRAME)
			return "an extra info with headroom of a page or more";
		extras->headroom = info->u.xdp.headroom;
		break;
	default:
		return "an extra info that only guests send";
	}
	extras->seen |= BIT(info->type);
	*more = info->flags & XEN_NETIF_EXTRA_FLAG_MORE;
	return NULL;
}

/**
 * xvif_extra_gso - describe a packet that is to be segmented
 * @info: receives it
 * @v6: TCP over IPv6, not IPv4
 * @size: payload a segment, in bytes
 */
void xvif_extra_gso(struct xen_netif_extra_info *info, bool v6, u16 size)
{
	memset(info, 0, sizeof(*info));
	info->type = XEN_NETIF_EXTRA_TYPE_GSO;
	info->u.gso.size = size;
	info->u.gso.type = v6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
}

/**
 * xvif_extra_mcast - ask for an address to be added to, or taken from, the filter
 * @info: receives it
 * @add: add it
 * @addr: multicast address, %ETH_ALEN bytes
 */
void xvif_extra_mcast(struct xen_netif_extra_info *info, bool add, const u8 *addr)
{
	memset(info, 0, sizeof(*info));
	info->type = add ? XEN_NETIF_EXTRA_TYPE_MCAST_ADD : XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
	memcpy(info->u.mcast.addr, addr, ETH_ALEN);
}
