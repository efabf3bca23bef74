/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of xen-vnif share. */
#ifndef XVIF_VNIF_H
#define XVIF_VNIF_H

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <net/xdp.h>

#include "../core/compat.h"
#include "../core/compat-net.h"
#include "../core/gntpool.h"
#include "../core/link.h"
#include "../core/ring.h"
#include "../core/ringmath.h"
#include "ctrl.h"
#include "hash.h"
#include "mcast.h"
#include "negotiate.h"
#include "rx-parse.h"
#include "stats.h"
#include "tx-slots.h"
#include "wire.h"

/* Both rings are one page: the protocol has no larger ones. */
#define XVIF_TX_ENTS	256u
#define XVIF_RX_ENTS	256u

/* Ring slots that any packet may need: its data and one extra info. */
#define XVIF_TX_NEED	(XVIF_MAX_SLOTS + 1)

/* Pages for packets that must be packed, when not all of them are. */
#define XVIF_TX_SPARE	(2 * XVIF_MAX_SLOTS)

#define XVIF_NO_ENT	0xffff

#define XVIF_MAX_QUEUES	64u

/* Features whose change the backend must be told. */
#define XVIF_RX_FEATURES	(NETIF_F_RXCSUM | NETIF_F_GRO_HW)

/**
 * struct xvif_params - module parameters within their bounds
 * @max_queues: queues an interface at most
 * @tx_copybreak: longest packet that is copied into a small buffer, in bytes
 * @rx_copybreak: longest packet whose page is not given away, in bytes
 * @trusted: backends may see whole pages of ours
 * @static_grants: keep pages mapped by a backend that offers it
 * @link: bounds of the connection
 */
struct xvif_params {
	u32 max_queues;
	u32 tx_copybreak;
	u32 rx_copybreak;
	bool trusted;
	bool static_grants;
	struct xenpv_link_params link;
};

struct xvif;
struct xvif_queue;

/** enum xvif_tx_kind - whose data a sent packet is */
enum xvif_tx_kind {
	XVIF_TX_SKB,
	XVIF_TX_XDP,
	XVIF_TX_NONE,	/* a message */
	XVIF_TX_KEPT,	/* an skb that is never freed: the backend has its head */
};

/**
 * struct xvif_tx_slot - a request of ours, by its id
 * @ptr: what to free when the packet is answered; in its first slot
 * @page: page granted for this packet, or NULL
 * @bytes: length of the packet; in its first slot
 * @index: ring index of the request; written before @sent is set
 * @head: id of the packet's first slot
 * @left: slots of the packet not answered yet; in its first slot
 * @ent: entry of the pages pool to give back, or %XVIF_NO_ENT
 * @kind: &enum xvif_tx_kind; in the first slot
 * @failed: the backend could not send all of it; in the first slot
 * @sent: it is in the ring
 *
 * Belongs to the sender until the index behind it is published, to the NAPI
 * poll from then on, until it is free again. Until then only @sent and @index
 * are looked at by the poll, see in_flight() and mark_sent().
 */
struct xvif_tx_slot {
	void *ptr;
	struct page *page;
	u32 bytes;
	u32 index;
	u16 head;
	u16 left;
	u16 ent;
	u8 kind;
	bool failed;
	bool sent;
};

/**
 * struct xvif_tx - a transmit ring
 * @shared: memory, grants, event channel
 * @sring: @shared.addr
 * @nr_ents: slots
 * @irq: where to notify the backend; the receive ring's without split channels
 * @rules: how packets are cut
 * @small_shift: log2 of a small buffer's size
 * @pages_full: @pages has an entry for each id, with a page
 * @prod_pvt: index after the last request written; guarded by the queue's tx lock
 * @prod_pub: index the backend was shown; tx lock, also read by the poll
 * @free_head: ids taken so far; tx lock
 * @cons: index of the next response; written by the poll
 * @free_tail: ids given back so far; written by the poll
 * @extras: extra infos sent and not answered; atomic
 * @fired: the poll owes an end of interrupt; set by the handler, cleared by the poll
 * @eoi: see &struct xenpv_eoi; of the poll
 * @pages_lock: guards @pages.idx unless @pages_full; taken from the poll and by senders,
 *	for netpoll with interrupts off
 * @refs: references for pages of others, one an id
 * @small: pages of small buffers, granted for good
 * @pages: pages that packets are packed into
 * @free: ring of free ids
 * @slot: by id
 */
struct xvif_tx {
	struct xenpv_shring shared;
	struct xen_netif_tx_sring *sring;
	u32 nr_ents;
	int irq;
	struct xvif_tx_rules rules;
	u32 small_shift;
	bool pages_full;

	u32 prod_pvt ____cacheline_aligned_in_smp;
	u32 prod_pub;
	u32 free_head;

	u32 cons ____cacheline_aligned_in_smp;
	u32 free_tail;
	atomic_t extras;
	bool fired;
	struct xenpv_eoi eoi;

	spinlock_t pages_lock;	/* see above */
	struct xenpv_gntpool refs;
	struct xenpv_gntpool small;
	struct xenpv_gntpool pages;
	u16 free[XVIF_TX_ENTS];
	struct xvif_tx_slot slot[XVIF_TX_ENTS];
};

/**
 * struct xvif_rx - a receive ring; all of it is the poll's while that is enabled
 * @shared: memory, grants, event channel
 * @sring: @shared.addr
 * @nr_ents: slots
 * @prod_pvt: index after the last request written
 * @prod_pub: index the backend was shown
 * @cons: index of the next response
 * @copybreak: longest packet whose page is not given away
 * @fixed: pages stay where they are and data is copied out of them
 * @clear: pages are zeroed each time before they are granted
 * @fired: see &struct xvif_tx
 * @eoi: see &struct xenpv_eoi
 * @pool: where pages come from
 * @xdp_rxq: says so to XDP
 * @refs: references, one an entry; with pages of their own if @fixed
 * @page: page of each entry, granted, or NULL
 * @at: entry posted in each ring slot, or %XVIF_NO_ENT
 * @ready: entries whose page is granted and not posted
 * @nr_ready: entries of @ready
 * @empty: entries without a page
 * @nr_empty: entries of @empty
 * @refill: looks again when memory was short
 */
struct xvif_rx {
	struct xenpv_shring shared;
	struct xen_netif_rx_sring *sring;
	u32 nr_ents;
	u32 prod_pvt;
	u32 prod_pub;
	u32 cons;
	u32 copybreak;
	bool fixed;
	bool clear;
	bool fired;
	struct xenpv_eoi eoi;
	struct page_pool *pool;
	struct xdp_rxq_info xdp_rxq;
	struct xenpv_gntpool refs;
	struct page *page[XVIF_RX_ENTS];
	u16 at[XVIF_RX_ENTS];
	u16 ready[XVIF_RX_ENTS];
	u16 nr_ready;
	u16 empty[XVIF_RX_ENTS];
	u16 nr_empty;
	struct timer_list refill;
};

/**
 * struct xvif_queue - a pair of rings
 * @vif: interface
 * @index: number of the queue
 * @dead: a protocol error was found; nothing of it is believed any more
 * @xdp_redirected: the poll redirected packets, which are to be flushed; the poll's
 * @napi_on: @napi is enabled; link's mutex
 * @static_tx: the backend keeps the pages of @tx mapped
 * @static_rx: the same of @rx
 * @stats: counters, of the queue of the same number
 * @napi: completes what was sent, receives
 * @rx_seen: receive responses consumed when the watchdog last looked; the watchdog's
 * @rx_stuck: times in a row that it found responses and nothing consumed
 * @tx_seen: transmit responses consumed when packets last timed out; the watchdog's
 * @tx_stuck: times in a row that packets timed out and nothing was consumed
 * @tx: transmit ring
 * @rx: receive ring
 */
struct xvif_queue {
	struct xvif *vif;
	u32 index;
	bool dead;
	bool xdp_redirected;
	bool napi_on;
	bool static_tx;
	bool static_rx;
	struct xvif_stats __percpu *stats;
	struct napi_struct napi;
	u32 rx_seen;
	u32 rx_stuck;
	u32 tx_seen;
	u32 tx_stuck;
	struct xvif_tx tx;
	struct xvif_rx rx;
};

/**
 * struct xvif - a network interface, the private part of its net_device
 * @link: connection; its mutex guards all that is not said to be otherwise
 * @dev: the interface
 * @queues: @nr_queues queues, or NULL; changes while not @ready
 * @nr_queues: queues; changes while not @ready
 * @spread_queues: queues that the CPUs were spread over last; 0 at first
 * @ready: packets may be sent. Written under the mutex; read under a tx lock, which
 *	the writer takes after clearing it
 * @announce: peers are to be told where we are, once packets leave
 * @offer: what the backend offers
 * @can: what may be sent to it; written under rtnl, too
 * @trusted: the backend may see whole pages of ours
 * @split: transmit and receive rings have their own event channels
 * @want_queues: queues that the user wants, 0 for no wish; written under rtnl
 * @want_rx: %XVIF_RX_FEATURES that the user wants; written under rtnl
 * @told_rx: those the backend was told of at connect
 * @ctrl: control ring
 * @hash: receive side scaling
 * @mcast: multicast filter
 * @xdp_prog: program for each packet received, or NULL; written under rtnl
 * @want_headroom: bytes that @xdp_prog needs before a packet; written under rtnl
 * @told_headroom: those the backend was told of
 * @irq_usecs: how long interrupts stay off after a poll that found something; rtnl
 * @tx_frames: answers awaited at most before an interrupt; written under rtnl
 * @speed: of the link, as the user says, in Mb/s; rtnl
 * @duplex: the same
 * @host_mac: address that the host gave last; rtnl
 * @host_mtu: MTU of the host that was taken over last, 0 for none; rtnl
 * @refused_mtu: one that it gave since and that could not be, 0 for none; rtnl
 * @stats: counters of each queue
 * @max_queues: queues that the interface was made for
 * @debugfs: directory
 * @timed_out: bit set for each queue whose packets timed out, atomic
 * @grace: takes the link down when no backend came back soon
 * @watchdog: looks for queues that got stuck
 * @carrier_watch: on the backend's carrier node
 * @mac_watch: on our mac node
 * @mtu_watch: on our mtu node
 */
struct xvif {
	struct xenpv_link link;
	struct net_device *dev;
	struct xvif_queue *queues;
	u32 nr_queues;
	u32 spread_queues;
	bool ready;
	bool announce;
	struct xvif_offer offer;
	struct xvif_tx_can can;
	bool trusted;
	bool split;
	u32 want_queues;
	netdev_features_t want_rx;
	netdev_features_t told_rx;
	struct xvif_ctrl ctrl;
	struct xvif_hash hash;
	struct xvif_mcast mcast;
	struct bpf_prog __rcu *xdp_prog;
	u32 want_headroom;
	u32 told_headroom;
	u32 irq_usecs;
	u32 tx_frames;
	u32 speed;
	u8 duplex;
	u8 host_mac[ETH_ALEN];
	u32 host_mtu;
	u32 refused_mtu;
	struct xvif_stats __percpu **stats;
	u32 max_queues;
	struct dentry *debugfs;
	DECLARE_BITMAP(timed_out, XVIF_MAX_QUEUES);
	struct delayed_work grace;
	struct delayed_work watchdog;
	struct xenbus_watch carrier_watch;
	struct xenbus_watch mac_watch;
	struct xenbus_watch mtu_watch;
};

static inline struct xvif *xvif_of(struct xenpv_link *link)
{
	return container_of(link, struct xvif, link);
}

/* params.c */
void xvif_params_read(struct xvif_params *params);

/* netdev.c */
extern const struct net_device_ops xvif_netdev_ops;
void xvif_netdev_setup(struct net_device *dev);

/* ethtool.c */
extern const struct ethtool_ops xvif_ethtool_ops;

/* features.c */
netdev_features_t xvif_fix_features(struct net_device *dev, netdev_features_t features);
int xvif_set_features(struct net_device *dev, netdev_features_t features);

/* node.c */
int xvif_read_mac(struct xvif *vif, u8 *mac);
void xvif_follow_host(struct xvif *vif, bool first);
void xvif_watch_host(struct xvif *vif);
void xvif_watch_backend(struct xvif *vif);
void xvif_unwatch(struct xvif *vif);

/* connect.c */
int xvif_setup(struct xenpv_link *link);
int xvif_connect(struct xenpv_link *link);
void xvif_start(struct xenpv_link *link);
void xvif_reread(struct xenpv_link *link);

/* publish.c */
void xvif_read_offer(struct xvif *vif);
int xvif_publish(struct xvif *vif);

/* queue.c */
int xvif_queue_init(struct xvif *vif, struct xvif_queue *q, u32 index,
		    const struct xvif_params *params);
u32 xvif_queue_free(struct xvif_queue *q);
void xvif_queue_start(struct xvif_queue *q);
void xvif_queue_stop(struct xvif_queue *q);
void xvif_queue_schedule(struct xvif_queue *q);
__printf(2, 3) void xvif_fault(struct xvif_queue *q, const char *fmt, ...);

/* tx.c */
netdev_tx_t xvif_start_xmit(struct sk_buff *skb, struct net_device *dev);
u32 xvif_tx_room(const struct xvif_tx *tx);
u16 xvif_tx_take_id(struct xvif_tx *tx);
void xvif_tx_put(struct xvif_tx *tx, const void *request);
void xvif_tx_push(struct xvif_queue *q);
int xvif_tx_frame(struct xvif_queue *q, struct xdp_frame *frame, u16 flags);
int xvif_tx_mcast(struct xvif_queue *q, bool add, const u8 *addr);

/* tx-reap.c */
bool xvif_tx_reap(struct xvif_queue *q, int budget);
void xvif_tx_abandon(struct xvif_queue *q);

/* rx.c */
int xvif_rx_poll(struct xvif_queue *q, int budget);
void xvif_rx_refill(struct xvif_queue *q, gfp_t gfp);
struct page *xvif_rx_page(struct xvif_rx *rx, gfp_t gfp);
void xvif_rx_ready(struct xvif_rx *rx, u32 index);
struct page *xvif_rx_take(struct xvif_queue *q, const struct xvif_rx_frag *f);
u32 xvif_rx_abandon(struct xvif_queue *q);

/* skb.c */
void xvif_skb_receive(struct xvif_queue *q, const struct xvif_rx_packet *p);
void xvif_skb_deliver(struct xvif_queue *q, struct sk_buff *skb, const struct xvif_rx_packet *p);

/* xdp.c */
int xvif_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int xvif_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags);
bool xvif_xdp_receive(struct xvif_queue *q, const struct xvif_rx_packet *p);
void xvif_xdp_flush(struct xvif_queue *q);
void xvif_xdp_renegotiate(struct xvif *vif);

/* static.c */
void xvif_static_connect(struct xvif_queue *q, bool wanted);

/* recover.c */
void xvif_quiesce(struct xenpv_link *link);
void xvif_release(struct xenpv_link *link);
void xvif_fail(struct xenpv_link *link);
void xvif_drain(struct xenpv_link *link);
void xvif_kick(struct xenpv_link *link);
void xvif_grace_work(struct work_struct *work);

/* watchdog.c */
void xvif_tx_timeout(struct net_device *dev, unsigned int index);
void xvif_watchdog_work(struct work_struct *work);

#endif /* XVIF_VNIF_H */
