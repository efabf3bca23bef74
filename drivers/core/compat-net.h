/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernel versions in the network stack; see compat.h. */
#ifndef XENPV_COMPAT_NET_H
#define XENPV_COMPAT_NET_H

#include <linux/bpf.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/xdp.h>

/* mac_pton() */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/hex.h>
#else
#include <linux/kernel.h>
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
/* A macro, for stable kernels have got the function since. */
#define eth_hw_addr_set(dev, addr)	ether_addr_copy((dev)->dev_addr, addr)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define txq_trans_cond_update(txq)	WRITE_ONCE((txq)->trans_start, jiffies)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
#define netif_set_tso_max_size(dev, size)	netif_set_gso_max_size(dev, size)
#define netif_set_tso_max_segs(dev, segs)	((dev)->gso_max_segs = (segs))
#endif

/** xenpv_set_mac - make @mac the address of @dev, whose RTNL the caller holds; 0 or -errno */
static inline int xenpv_set_mac(struct net_device *dev, const u8 *mac)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
	struct sockaddr sa = { .sa_family = dev->type };

	ether_addr_copy((u8 *)sa.sa_data, mac);
	return dev_set_mac_address(dev, &sa, NULL);
#else
	struct sockaddr_storage ss = { .ss_family = dev->type };

	memcpy(ss.__data, mac, ETH_ALEN);
	return dev_set_mac_address(dev, &ss, NULL);
#endif
}

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

/** xenpv_build_skb - build_skb() around a page of a page pool, in a NAPI poll */
static inline struct sk_buff *xenpv_build_skb(struct page_pool *pool, struct page *page)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	struct sk_buff *skb = build_skb(page_address(page), PAGE_SIZE);

	if (skb)
		page_pool_release_page(pool, page);
#else
	struct sk_buff *skb = napi_build_skb(page_address(page), PAGE_SIZE);

	if (skb)
		skb_mark_for_recycle(skb);
#endif
	return skb;
}

/** xenpv_xdp_buff - an XDP buffer that is one page: @headroom bytes, then @len of data */
static inline void xenpv_xdp_buff(struct xdp_buff *xdp, struct xdp_rxq_info *rxq,
				  struct page *page, u32 headroom, u32 len)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 12, 0)
	xdp->frame_sz = PAGE_SIZE;
	xdp->rxq = rxq;
	xdp->data_hard_start = page_address(page);
	xdp->data = xdp->data_hard_start + headroom;
	xdp->data_end = xdp->data + len;
	xdp->data_meta = xdp->data;
#else
	xdp_init_buff(xdp, PAGE_SIZE, rxq);
	xdp_prepare_buff(xdp, page_address(page), headroom, len, true);
#endif
}

/** xenpv_xdp_bad_action - complain once of a program's answer that means nothing */
static inline void xenpv_xdp_bad_action(struct net_device *dev, struct bpf_prog *prog, u32 act)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
	bpf_warn_invalid_xdp_action(act);
#else
	bpf_warn_invalid_xdp_action(dev, prog, act);
#endif
}

/** xenpv_xdp_frame_whole - is a frame one piece of memory? */
static inline bool xenpv_xdp_frame_whole(struct xdp_frame *frame)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 18, 0)
	return true;
#else
	return !xdp_frame_has_frags(frame);
#endif
}

/** xenpv_xdp_announce - tell the stack that the interface knows XDP, both ways */
static inline void xenpv_xdp_announce(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	xdp_set_features_flag(dev, NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
				   NETDEV_XDP_ACT_NDO_XMIT);
#endif
}

/*
 * How long a NAPI poll that found something keeps interrupts off, in nanoseconds. The caller
 * holds RTNL, under which alone its driver adds and deletes NAPI polls; so the list stays as it
 * is without netdev_lock(), too.
 */
static inline void xenpv_set_irq_delay(struct net_device *dev, u32 ns)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	/* The device's are for what is added later; each NAPI has its own. */
	struct napi_struct *napi;

	list_for_each_entry(napi, &dev->napi_list, dev_list) {
		WRITE_ONCE(napi->gro_flush_timeout, ns);
		WRITE_ONCE(napi->defer_hard_irqs, ns ? 1 : 0);
	}
#endif
	WRITE_ONCE(dev->gro_flush_timeout, ns);
	WRITE_ONCE(dev->napi_defer_hard_irqs, ns ? 1 : 0);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
#define XENPV_COALESCE_ARGS	struct ethtool_coalesce *c
#else
#define XENPV_COALESCE_ARGS	struct ethtool_coalesce *c, \
				struct kernel_ethtool_coalesce *kernel, \
				struct netlink_ext_ack *extack
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define XENPV_RINGPARAM_ARGS	struct ethtool_ringparam *ring
#else
#define XENPV_RINGPARAM_ARGS	struct ethtool_ringparam *ring, \
				struct kernel_ethtool_ringparam *kernel, \
				struct netlink_ext_ack *extack
#endif

/*
 * XENPV_RXFH_OPS - .get_rxfh and .set_rxfh named rxfh_get and rxfh_set
 * @get: int (struct net_device *, u32 *indir, u8 *key, u8 *func)
 * @set: int (struct net_device *, const u32 *indir, const u8 *key, u8 func)
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define XENPV_RXFH_OPS(get, set)							\
static int rxfh_get(struct net_device *dev, u32 *indir, u8 *key, u8 *func)		\
{											\
	return get(dev, indir, key, func);						\
}											\
											\
static int rxfh_set(struct net_device *dev, const u32 *indir, const u8 *key,		\
		    const u8 func)							\
{											\
	return set(dev, indir, key, func);						\
}
#else
#define XENPV_RXFH_OPS(get, set)							\
static int rxfh_get(struct net_device *dev, struct ethtool_rxfh_param *rxfh)		\
{											\
	return get(dev, rxfh->indir, rxfh->key, &rxfh->hfunc);				\
}											\
											\
static int rxfh_set(struct net_device *dev, struct ethtool_rxfh_param *rxfh,		\
		    struct netlink_ext_ack *extack)					\
{											\
	return set(dev, rxfh->indir, rxfh->key, rxfh->hfunc);				\
}
#endif

#endif /* XENPV_COMPAT_NET_H */
