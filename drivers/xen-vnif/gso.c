// SPDX-License-Identifier: GPL-2.0-only
#include <linux/if_ether.h>
#include <linux/kernel.h>
#include <linux/skbuff.h>

#include "gso.h"

/* No IP packet is longer. */
#define LEN_MAX		(65535 + ETH_HLEN)

/* IP and TCP headers at least, without options. */
#define HEADERS_V4	(20 + 20)
#define HEADERS_V6	(40 + 20)

/**
 * xvif_csum - what a packet's flags say of its checksum
 * @flags: XEN_NETRXF_*
 * @offload: the backend's checks are believed
 *
 * A blank checksum is a fact, whether offload is on or not.
 */
enum xvif_csum xvif_csum(u16 flags, bool offload)
{
	if (flags & XEN_NETRXF_csum_blank)
		return XVIF_CSUM_BLANK;
	if ((flags & XEN_NETRXF_data_validated) && offload)
		return XVIF_CSUM_VALID;
	return XVIF_CSUM_NONE;
}

/**
 * xvif_gso_check - can a packet be what its GSO info says?
 * @extras: extra infos, with one of GSO
 * @head: beginning of the packet
 * @head_len: bytes at @head
 * @len: bytes of the packet
 *
 * The network stack looks at the headers again (SKB_GSO_DODGY); this is about
 * what it would believe.
 *
 * Return: NULL, or why not.
 */
const char *xvif_gso_check(const struct xvif_extras *extras, const u8 *head, u32 head_len, u32 len)
{
	u16 proto;

	if (head_len < ETH_HLEN)
		return "shorter than an Ethernet header";
	if (!extras->gso_size)
		return "segments of size 0";
	/* The stack takes it for a list of packets in frag_list, and there is none. */
	if (extras->gso_size == GSO_BY_FRAGS)
		return "segments of size 65535";
	if (len > LEN_MAX)
		return "longer than an IP packet";
	proto = head[2 * ETH_ALEN] << 8 | head[2 * ETH_ALEN + 1];
	switch (extras->gso_type) {
	case XEN_NETIF_GSO_TYPE_TCPV4:
		if (proto != ETH_P_IP)
			return "GSO for IPv4, but another protocol";
		if (len < ETH_HLEN + HEADERS_V4)
			return "shorter than its headers";
		break;
	case XEN_NETIF_GSO_TYPE_TCPV6:
		if (proto != ETH_P_IPV6)
			return "GSO for IPv6, but another protocol";
		if (len < ETH_HLEN + HEADERS_V6)
			return "shorter than its headers";
		break;
	default:
		return "unknown GSO type";
	}
	return NULL;
}
