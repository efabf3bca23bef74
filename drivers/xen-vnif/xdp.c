// SPDX-License-Identifier: GPL-2.0-only
/* XDP: programs that see a packet before an skb is built. */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/delay.h>
#include <linux/filter.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "../core/store.h"
#include "vnif.h"

/* Longest wait for the backend to take note of a new headroom. */
#define RENEGOTIATE_MS	1000
#define RENEGOTIATE_STEP_MS 10

/* What a page holds beside headroom and what an skb made of it needs. */
#define ROOM	(PAGE_SIZE - XDP_PACKET_HEADROOM - SKB_DATA_ALIGN(sizeof(struct skb_shared_info)))

static int set_prog(struct net_device *dev, struct bpf_prog *prog, struct netlink_ext_ack *extack)
{
	struct xvif *vif = netdev_priv(dev);
	u32 max_mtu = xvif_max_mtu(vif->can.sg, prog);
	struct bpf_prog *old;

	ASSERT_RTNL();
	/* While reconnecting, what the backend offered last counts. */
	if (prog && !READ_ONCE(vif->offer.rx_copy)) {
		NL_SET_ERR_MSG_MOD(extack, "not connected to a backend yet: try again later");
		return -ENETDOWN;
	}
	if (prog && !vif->offer.xdp) {
		NL_SET_ERR_MSG_MOD(extack,
				   "the backend leaves no headroom (feature-xdp-headroom): use generic mode");
		return -EOPNOTSUPP;
	}
	/* Taking a program off must not fail. */
	if (prog && dev->mtu > max_mtu) {
		NL_SET_ERR_MSG_MOD(extack, "the MTU is too large for one page a packet: lower it");
		return -EMSGSIZE;
	}
	old = rtnl_dereference(vif->xdp_prog);
	rcu_assign_pointer(vif->xdp_prog, prog);
	if (old)
		bpf_prog_put(old);
	dev->max_mtu = max_mtu;
	WRITE_ONCE(vif->want_headroom, prog ? XDP_PACKET_HEADROOM : 0);
	/*
	 * Packets that come without headroom meanwhile are copied. Taking back
	 * large packets and those without a checksum makes another connection;
	 * where the user had done so, a word is enough.
	 */
	netdev_update_features(dev);
	xenpv_link_backend_changed(&vif->link);
	return 0;
}

/**
 * xvif_bpf - attach or detach a program
 * @dev: interface; rtnl is held
 * @bpf: what to do
 */
int xvif_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return set_prog(dev, bpf->prog, bpf->extack);
	default:
		return -EINVAL;
	}
}

/**
 * xvif_xdp_renegotiate - tell the connected backend how much headroom is needed
 * @vif: interface, connected; in the link's work
 *
 * Reconfiguring on our side asks it to read xdp-headroom again, Reconfigured is
 * its answer (as in Linux' netif.h). It keeps that state, so that a second
 * answer cannot be told from the first; nothing depends on it.
 */
void xvif_xdp_renegotiate(struct xvif *vif)
{
	struct xenbus_device *xdev = vif->link.xdev;
	u32 want = READ_ONCE(vif->want_headroom), waited;

	if (want == vif->told_headroom || !vif->ready || !vif->offer.xdp)
		return;
	if (xenbus_printf(XBT_NIL, xdev->nodename, "xdp-headroom", "%u", want))
		return;
	vif->told_headroom = want;
	xenpv_switch_state(xdev, XenbusStateReconfiguring);
	for (waited = 0; waited < RENEGOTIATE_MS; waited += RENEGOTIATE_STEP_MS) {
		enum xenbus_state state = xenpv_read_state(xdev, vif->link.backend);

		/* Anything else is for the link to see. */
		if (state != XenbusStateConnected && state != XenbusStateReconfiguring)
			break;
		msleep(RENEGOTIATE_STEP_MS);
	}
	if (waited >= RENEGOTIATE_MS)
		netdev_warn(vif->dev, "the backend did not answer to an XDP headroom of %u bytes; packets are copied\n",
			    want);
	xenpv_switch_state(xdev, XenbusStateConnected);
}

static int transmit(struct xvif_queue *q, struct xdp_frame *frame, u16 flags)
{
	struct netdev_queue *txq = netdev_get_tx_queue(q->vif->dev, q->index);
	int err = -ENETDOWN;

	__netif_tx_lock(txq, smp_processor_id());
	if (READ_ONCE(q->vif->ready)) {
		err = xvif_tx_frame(q, frame, flags);
		if (!err)
			xvif_tx_push(q);
	}
	__netif_tx_unlock(txq);
	return err;
}

/**
 * xvif_xdp_xmit - send frames that another interface redirected here
 * @dev: interface
 * @n: how many
 * @frames: frames
 * @flags: XDP_XMIT_*
 *
 * Return: how many belong to the ring now; the others stay the caller's.
 */
int xvif_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags)
{
	struct xvif *vif = netdev_priv(dev);
	struct netdev_queue *txq;
	struct xvif_queue *q;
	u32 index, nr;
	int i;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	nr = READ_ONCE(dev->real_num_tx_queues);
	index = smp_processor_id() % nr;
	txq = netdev_get_tx_queue(dev, index);

	__netif_tx_lock(txq, smp_processor_id());
	if (unlikely(!READ_ONCE(vif->ready) || index >= vif->nr_queues || !netif_running(dev) ||
		     !netif_carrier_ok(dev))) {
		__netif_tx_unlock(txq);
		return -ENETDOWN;
	}
	q = &vif->queues[index];
	for (i = 0; i < n; i++)
		if (xvif_tx_frame(q, frames[i], 0))
			break;
	xvif_tx_push(q);
	xvif_stat_add(q->stats, XVIF_XDP_XMIT, i);
	xvif_stat_add(q->stats, XVIF_XDP_XMIT_DROPPED, n - i);
	__netif_tx_unlock(txq);
	return i;
}

/* The packet in one page, with headroom; NULL when that cannot be. */
static struct page *whole_page(struct xvif_queue *q, const struct xvif_rx_packet *p, u32 *offset)
{
	struct xvif_rx *rx = &q->rx;
	const struct xvif_rx_frag *f = &p->frag[0];
	struct page *page;
	u32 i, at = XDP_PACKET_HEADROOM;

	if (p->len > ROOM) {
		xvif_stat_inc(q->stats, XVIF_XDP_OVERSIZE);
		return NULL;
	}
	if (p->frags == 1 && f->offset >= XDP_PACKET_HEADROOM &&
	    f->offset + f->len <= XDP_PACKET_HEADROOM + ROOM) {
		*offset = f->offset;
		return xvif_rx_take(q, f);
	}
	page = xvif_rx_page(rx, GFP_ATOMIC);
	if (!page)
		return NULL;
	for (i = 0; i < p->frags; i++) {
		u16 ent;

		f = &p->frag[i];
		ent = rx->at[(rx->cons + f->at) & (rx->nr_ents - 1)];
		memcpy(page_address(page) + at, page_address(rx->page[ent]) + f->offset, f->len);
		at += f->len;
	}
	*offset = XDP_PACKET_HEADROOM;
	return page;
}

static void pass(struct xvif_queue *q, struct page *page, const struct xdp_buff *xdp,
		 const struct xvif_rx_packet *p)
{
	struct sk_buff *skb = xenpv_build_skb(q->rx.pool, page);
	u32 meta = xdp->data - xdp->data_meta;

	if (unlikely(!skb)) {
		page_pool_recycle_direct(q->rx.pool, page);
		xvif_stat_inc(q->stats, XVIF_RX_DROPPED);
		return;
	}
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	skb_put(skb, xdp->data_end - xdp->data);
	if (meta)
		skb_metadata_set(skb, meta);
	xvif_stat_inc(q->stats, XVIF_XDP_PASS);
	xvif_skb_deliver(q, skb, p);
}

/* A checksum that was not there on the way in is not there on the way out. */
static u16 tx_flags(u16 rx_flags)
{
	u16 flags = 0;

	if (rx_flags & XEN_NETRXF_csum_blank)
		flags |= XEN_NETTXF_csum_blank | XEN_NETTXF_data_validated;
	return flags;
}

static bool send_back(struct xvif_queue *q, struct xdp_buff *xdp, u16 rx_flags)
{
	struct xdp_frame *frame = xdp_convert_buff_to_frame(xdp);

	return frame && !transmit(q, frame, tx_flags(rx_flags));
}

/**
 * xvif_xdp_receive - let the program, if there is one, see a packet
 * @q: queue
 * @p: complete packet at the ring's next response
 *
 * NAPI poll only. Return: false when there is no program.
 */
bool xvif_xdp_receive(struct xvif_queue *q, const struct xvif_rx_packet *p)
{
	struct net_device *dev = q->vif->dev;
	struct bpf_prog *prog;
	struct xdp_buff xdp;
	struct page *page;
	u32 offset, act;

	rcu_read_lock();
	prog = rcu_dereference(q->vif->xdp_prog);
	if (likely(!prog)) {
		rcu_read_unlock();
		return false;
	}
	page = whole_page(q, p, &offset);
	if (unlikely(!page)) {
		xvif_stat_inc(q->stats, XVIF_RX_DROPPED);
		goto out;
	}
	xenpv_xdp_buff(&xdp, &q->rx.xdp_rxq, page, offset, p->len);
	act = bpf_prog_run_xdp(prog, &xdp);
	switch (act) {
	case XDP_PASS:
		pass(q, page, &xdp, p);
		goto out;
	case XDP_TX:
		if (likely(send_back(q, &xdp, p->flags))) {
			xvif_stat_inc(q->stats, XVIF_XDP_TX);
			goto out;
		}
		break;
	case XDP_REDIRECT:
		if (likely(!xdp_do_redirect(dev, &xdp, prog))) {
			q->xdp_redirected = true;
			xvif_stat_inc(q->stats, XVIF_XDP_REDIRECT);
			goto out;
		}
		break;
	case XDP_DROP:
		xvif_stat_inc(q->stats, XVIF_XDP_DROP);
		page_pool_recycle_direct(q->rx.pool, page);
		goto out;
	case XDP_ABORTED:
		break;
	default:
		xenpv_xdp_bad_action(dev, prog, act);
		break;
	}
	trace_xdp_exception(dev, prog, act);
	xvif_stat_inc(q->stats, XVIF_XDP_ERRORS);
	page_pool_recycle_direct(q->rx.pool, page);
out:
	rcu_read_unlock();
	return true;
}

/**
 * xvif_xdp_flush - let redirected packets go on
 * @q: queue; at the end of its NAPI poll
 */
void xvif_xdp_flush(struct xvif_queue *q)
{
	if (likely(!q->xdp_redirected))
		return;
	q->xdp_redirected = false;
	xdp_do_flush();
}
