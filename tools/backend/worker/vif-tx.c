/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the guest into the tap. A batch is taken off the ring, its data copied in one
 * go, and then written, several packets in one call; responses follow in the order of
 * the requests. When the tap is full the rest of the batch stays until it takes more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/vif-io.h"

#define VIF_SEND TAP_BATCH_MAX /* packets in one call */

int vif_tx_init(struct vif_queue *q)
{
	q->tx.arena = malloc(VIF_ARENA_SIZE);
	return q->tx.arena ? 0 : -ENOMEM;
}

/* The packet that was held is no more. */
static void release(struct vif_queue *q)
{
	if (q->tx.reserved)
		vif_limit_give(&q->common->limit, q->tx.reserved);
	q->tx.reserved = 0;
	q->tx.hold = 0;
}

void vif_tx_free(struct vif_queue *q)
{
	release(q);
	free(q->tx.arena);
	q->tx.arena = NULL;
}

static void note_error(struct vif_tx_packet *p, int error, const char *why)
{
	if (!p->error) {
		p->error = error;
		p->why = why;
	}
}

static void change_mcast(struct vif_queue *q, const struct vif_tx_request *req,
			 struct vif_tx_packet *p)
{
	struct vif_common *c = q->common;
	int r = 0;

	p->message = true;
	if (!c->multicast) {
		note_error(p, -EOPNOTSUPP, "changes a multicast list that was not offered");
		return;
	}
	vif_state_begin_mcast(&c->state);
	if (req->kind == VIF_TX_MCAST_ADD)
		r = vif_mcast_add(&c->mcast, req->mac);
	else
		vif_mcast_del(&c->mcast, req->mac);
	vif_state_commit_mcast(&c->state, &c->mcast);
	if (r < 0)
		note_error(p, r,
			   r == -ENOSPC ? "adds one multicast address too many"
					: "adds an address that is no multicast address");
}

static void add_frag(struct vif_queue *q, const struct vif_frag *frag, uint8_t *to)
{
	struct vif_tx *tx = &q->tx;
	const uint8_t *page = vif_grants_find(&q->grants, frag->gref, false);

	if (page) {
		memcpy(to, page + frag->offset, frag->len);
		VIF_STAT_ADD(q, static_hits, 1);
		return;
	}
	tx->owner[tx->nr_pieces] = tx->nr_packets;
	tx->piece[tx->nr_pieces++] = (struct host_gnt_copy){
		.ref = frag->gref,
		.offset = frag->offset,
		.len = frag->len,
		.local = to,
	};
}

static void take_packet(struct vif_queue *q, const struct vif_tx_request *req)
{
	struct vif_tx *tx = &q->tx;
	struct vif_tx_packet *p = &tx->packet[tx->nr_packets];
	uint8_t *to;

	*p = (struct vif_tx_packet){ .slots = req->slots, .first = tx->nr_slots, .len = req->size };
	for (uint32_t i = 0; i < req->slots; i++)
		tx->slot[tx->nr_slots++] = (struct vif_tx_slot){ req->id[i], req->extra >> i & 1 };
	if (req->kind == VIF_TX_BAD) {
		note_error(p, -EINVAL, req->why);
	} else if (req->kind != VIF_TX_PACKET) {
		change_mcast(q, req, p);
	} else {
		p->frame = to = tx->arena + tx->used + TAP_HEADER;
		p->offload = req->offload;
		tx->used += TAP_HEADER + req->size;
		for (uint32_t i = 0; i < req->nr_frags; i++) {
			if (req->frag[i].len)
				add_frag(q, &req->frag[i], to);
			to += req->frag[i].len;
		}
	}
	tx->nr_packets++;
}

static void copy_batch(struct vif_queue *q)
{
	struct vif_tx *tx = &q->tx;
	int r;

	if (!tx->nr_pieces)
		return;
	r = host_gnt_copy(q->common->gnt, tx->piece, tx->nr_pieces);
	VIF_STAT_ADD(q, grant_copies, 1);
	for (uint32_t i = 0; i < tx->nr_pieces; i++) {
		int error = r < 0 ? r : tx->piece[i].status;

		if (error)
			note_error(&tx->packet[tx->owner[i]], error,
				   "lies in a page that cannot be copied");
	}
	tx->nr_pieces = 0;
}

/* May a packet of this size go now? What it needs is its own while it is held. */
static bool within_rate(struct vif_queue *q, uint32_t size)
{
	struct vif_tx *tx = &q->tx;
	uint64_t now, wait;

	if (!q->common->limit.bytes)
		return true;
	now = vif_now();
	/* its slots are the guest's: what was held may be something else by now */
	if (tx->reserved != size) {
		release(q);
		wait = vif_limit_take(&q->common->limit, size, now);
		if (!wait)
			return true;
		VIF_STAT_ADD(q, rate_delays, 1);
		tx->reserved = size;
		tx->hold = now + wait;
		return false;
	}
	if (now < tx->hold)
		return false;
	tx->reserved = 0;
	tx->hold = 0;
	return true;
}

/* Fill the batch from the ring. Returns how many packets it has. */
static uint32_t take_batch(struct vif_queue *q)
{
	char text[WORKER_ERROR_SIZE];
	struct vif_tx *tx = &q->tx;
	struct vif_tx_request req;
	int pending;

	while (VIF_ARENA_SIZE - tx->used >= VIF_BUFFER_SIZE) {
		pending = ring_pending(&tx->ring);
		if (pending < 0) {
			vif_fail(q, "transmit request index %u, %u were taken", tx->ring.bad_prod,
				 tx->ring.req_cons);
			break;
		}
		/* what was taken but not answered is not more than the ring has */
		if (pending == 0) {
			release(q);
			break;
		}
		if (vif_tx_parse(&tx->ring, (uint32_t)pending, &req, text) < 0) {
			vif_fail(q, "transmit request %u: %s", tx->ring.req_cons, text);
			break;
		}
		if (req.kind != VIF_TX_PACKET)
			release(q);
		else if (!within_rate(q, req.size))
			break;
		tx->ring.req_cons += req.slots;
		take_packet(q, &req);
	}
	copy_batch(q);
	return tx->nr_packets;
}

static void answer(struct vif_queue *q, const struct vif_tx_packet *p)
{
	struct vif_tx *tx = &q->tx;

	for (uint32_t i = 0; i < p->slots; i++) {
		const struct vif_tx_slot *slot = &tx->slot[p->first + i];
		struct netif_tx_response rsp = {
			.id = slot->id,
			.status = p->error ? NETIF_RSP_ERROR : NETIF_RSP_OKAY,
		};

		if (slot->extra)
			rsp = (struct netif_tx_response){ .status = NETIF_RSP_NULL };
		ring_put_raw(&tx->ring, &rsp, sizeof(rsp));
	}
	if (p->error) {
		VIF_STAT_ADD(q, tx_errors, 1);
		if (vif_may_log(q))
			log_full(LOG_WARNING, &q->common->about, p->error,
				 "queue %u: a packet of %zu bytes and %u slots %s: %m", q->number,
				 p->len, p->slots, p->why);
	}
}

/* Is there something to be sent? Makes it ready. */
static bool prepare(struct vif_tx_packet *p)
{
	struct virtio_net_hdr hdr;
	int r;

	if (p->error || p->message)
		return false;
	if (p->prepared)
		return true;
	r = offload_from_guest(p->frame, &p->len, &p->offload, &hdr, &p->why);
	if (r < 0) {
		p->error = r;
		return false;
	}
	memcpy(p->frame - TAP_HEADER, &hdr, TAP_HEADER);
	p->prepared = true;
	return true;
}

/* The next packets that are to be sent, up to VIF_SEND of them. */
static uint32_t gather(struct vif_queue *q, struct tap_packet ret[static VIF_SEND])
{
	struct vif_tx *tx = &q->tx;
	uint32_t n = 0;

	for (uint32_t i = tx->done; i < tx->nr_packets && n < VIF_SEND; i++) {
		struct vif_tx_packet *p = &tx->packet[i];

		if (prepare(p))
			ret[n++] = (struct tap_packet){
				.buf = p->frame - TAP_HEADER,
				.size = TAP_HEADER + p->len,
			};
	}
	return n;
}

/* Into the tap. Returns how many of @n packets are done with; then the tap takes no more. */
static uint32_t send_packets(struct vif_queue *q, struct tap_packet *packet, uint32_t n)
{
	struct tap_batch *batch = n > 1 && !q->tap_gone ? vif_batch(q) : NULL;
	uint32_t done = 0;

	if (batch)
		done = tap_batch_write(batch, q->tap, packet, n);
	while (!batch && done < n) {
		struct tap_packet *p = &packet[done];

		p->result = q->tap_gone ? -EPIPE : tap_write(q->tap, p->buf, p->size);
		if (p->result == -EAGAIN || (p->result == -EPIPE && !q->tap_gone))
			break;
		done++;
	}
	if (done == n || packet[done].result != -EPIPE)
		return done;
	q->tap_gone = true;
	for (; done < n; done++)
		packet[done].result = -EPIPE;
	return done;
}

static void count(struct vif_queue *q, const struct vif_tx_packet *p, ssize_t result)
{
	if (result == 0) {
		VIF_STAT_ADD(q, tx_packets, 1);
		VIF_STAT_ADD(q, tx_bytes, p->len);
	} else {
		/* as on a wire: the guest is not told that nobody is there, or the link is down */
		VIF_STAT_ADD(q, tx_dropped, 1);
	}
}

/* Send and answer the next few packets. False: the tap takes no more at present. */
static bool send_some(struct vif_queue *q)
{
	struct tap_packet packet[VIF_SEND];
	struct vif_tx *tx = &q->tx;
	uint32_t n = gather(q, packet), sent = send_packets(q, packet, n);

	for (uint32_t i = 0; tx->done < tx->nr_packets; tx->done++) {
		struct vif_tx_packet *p = &tx->packet[tx->done];

		if (!p->error && !p->message) {
			if (i == n)
				break;
			if (i == sent)
				return false;
			count(q, p, packet[i++].result);
		}
		answer(q, p);
	}
	return true;
}

bool vif_tx_pass(struct vif_queue *q, bool *want_event)
{
	struct vif_tx *tx = &q->tx;
	uint32_t before = tx->done;

	if (!tx->nr_packets) {
		if (tx->hold && vif_now() < tx->hold)
			return false;
		tx->used = 0;
		if (!take_batch(q))
			return false;
	}
	tx->blocked = false;
	while (tx->done < tx->nr_packets) {
		if (!send_some(q)) {
			tx->blocked = true;
			break;
		}
	}
	if (tx->done != before && ring_publish(&tx->ring))
		*want_event = true;
	if (tx->done == tx->nr_packets) {
		tx->nr_packets = tx->done = 0;
		tx->nr_slots = 0;
		return true;
	}
	return tx->done != before;
}
