/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernel versions in the network stack; see compat.h. */
#ifndef XENPV_COMPAT_NET_H
#define XENPV_COMPAT_NET_H

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/xdp.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
static inline void eth_hw_addr_set(struct net_device *dev, const u8 *addr)
{
	ether_addr_copy(dev->dev_addr, addr);
}

#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
#define netif_set_tso_max_size(dev, size)	netif_set_gso_max_size(dev, size)
#define netif_set_tso_max_segs(dev, segs)	((dev)->gso_max_segs = (segs))
#endif

/** xenpv_napi_add - netif_napi_add() with the usual weight */
static inline void xenpv_napi_add(struct net_device *dev, struct napi_struct *napi,
				  int (*poll)(struct napi_struct *napi, int budget))
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
	netif_napi_add(dev, napi, poll, NAPI_POLL_WEIGHT);
#else
	netif_napi_add(dev, napi, poll);
#endif
}

/** xenpv_xdp_rxq_reg - xdp_rxq_info_reg() for a queue with NAPI; 0 or -errno */
static inline int xenpv_xdp_rxq_reg(struct xdp_rxq_info *rxq, struct net_device *dev, u32 index,
				    struct napi_struct *napi)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
	return xdp_rxq_info_reg(rxq, dev, index);
#else
	return xdp_rxq_info_reg(rxq, dev, index, napi->napi_id);
#endif
}

/**
 * xenpv_skb_add_pool_page - append a page of a page pool to a packet
 * @skb: packet, which frees the page or returns it to the pool
 * @pool: page's pool
 * @page: page
 * @offset: where the data begins in it
 * @len: bytes
 */
static inline void xenpv_skb_add_pool_page(struct sk_buff *skb, struct page_pool *pool,
					   struct page *page, u32 offset, u32 len)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	page_pool_release_page(pool, page);
#else
	skb_mark_for_recycle(skb);
#endif
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, offset, len, PAGE_SIZE);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define xenpv_del_timer_sync(timer)	del_timer_sync(timer)
#else
#define xenpv_del_timer_sync(timer)	timer_delete_sync(timer)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0) && !defined(timer_container_of)
#define timer_container_of(var, timer, field)	from_timer(var, timer, field)
#endif

#endif /* XENPV_COMPAT_NET_H */
