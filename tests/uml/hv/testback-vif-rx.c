/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "testback-vif.h"

#define FAULT_SLOTS 40  /* as many as any fault needs, but for one */
#define RING_SLOTS  256 /* as many as that one does */

/* One slot of a packet: data, or extra information instead. */
struct slot {
	const char *data;
	uint16_t len;
	uint16_t id_spoilt; /* added to the id */
	uint16_t offset;    /* as told */
	int16_t status;     /* as told */
	uint16_t flags;
	bool extra;
	netif_extra_info_t info;
};

struct packet {
	struct slot slots[RING_SLOTS];
	unsigned int n;
};

static struct slot *add_data(struct packet *p, const char *data, size_t len, uint16_t flags)
{
	struct slot *s = &p->slots[p->n++];

	if (p->n > 1)
		s[-1].flags |= NETRXF_more_data;
	*s = (struct slot){
		.data = data, .len = (uint16_t)len, .status = (int16_t)len, .flags = flags
	};
	return s;
}

static netif_extra_info_t *add_extra(struct packet *p, uint8_t type)
{
	struct slot *s = &p->slots[p->n++];

	if (s[-1].extra)
		s[-1].info.flags |= XEN_NETIF_EXTRA_FLAG_MORE;
	else
		s[-1].flags |= NETRXF_extra_info;
	*s = (struct slot){ .extra = true, .info = { .type = type } };
	return &s->info;
}

/* The frame as it should be. */
static void lay_out(struct packet *p, const char *frame, size_t len)
{
	p->n = 0;
	for (size_t done = 0; done < len;) {
		size_t n = len - done < HOST_PAGE_SIZE ? len - done : HOST_PAGE_SIZE;

		add_data(p, frame + done, n, 0);
		done += n;
	}
}

/* The frame in two pieces, the first of @first bytes. */
static void lay_out_split(struct packet *p, const char *frame, size_t len, size_t first)
{
	p->n = 0;
	add_data(p, frame, first, 0);
	add_data(p, frame + first, len - first < 2048 ? len - first : 2048, 0);
}

static void spoil(struct vif *v, struct packet *p, const char *frame, size_t len)
{
	struct slot *first = &p->slots[0];
	netif_extra_info_t *extra;

	switch (v->fault) {
	case FAULT_RX_BAD_ID:
		first->id_spoilt = 1;
		break;
	case FAULT_RX_BAD_OFFSET:
		first->offset = HOST_PAGE_SIZE - 8;
		break;
	case FAULT_RX_BAD_SIZE:
		first->status = HOST_PAGE_SIZE + 1;
		break;
	case FAULT_RX_ZERO_SIZE:
		first->status = 0;
		break;
	case FAULT_RX_TINY:
		first->status = 5;
		break;
	case FAULT_RX_TINY_CHAIN:
		lay_out_split(p, frame, len, 6);
		break;
	case FAULT_RX_ZERO_CHAIN:
		lay_out_split(p, frame, len, 0);
		break;
	case FAULT_RX_ERROR:
		first->status = NETIF_RSP_ERROR;
		break;
	case FAULT_RX_ERROR_CHAIN:
		p->n = 0;
		while (p->n < RING_SLOTS)
			add_data(p, NULL, 0, NETRXF_more_data)->status = NETIF_RSP_ERROR;
		break;
	case FAULT_RX_LONG_CHAIN:
		p->n = 0;
		while (p->n < FAULT_SLOTS)
			add_data(p, frame, len < 64 ? len : 64, 0);
		break;
	case FAULT_RX_CUT_CHAIN:
		p->slots[p->n - 1].flags |= NETRXF_more_data;
		break;
	case FAULT_RX_BAD_FLAGS:
		first->flags |= 0xfff0;
		break;
	case FAULT_RX_EXTRA_TYPE:
		add_extra(p, 77);
		break;
	case FAULT_RX_EXTRA_CHAIN:
		while (p->n < FAULT_SLOTS) {
			extra = add_extra(p, XEN_NETIF_EXTRA_TYPE_HASH);
			extra->u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
		}
		p->slots[p->n - 1].info.flags |= XEN_NETIF_EXTRA_FLAG_MORE;
		break;
	case FAULT_RX_EXTRA_CUT:
		first->flags |= NETRXF_extra_info;
		break;
	case FAULT_RX_EXTRA_GSO:
	case FAULT_RX_EXTRA_SIZE:
		extra = add_extra(p, XEN_NETIF_EXTRA_TYPE_GSO);
		extra->u.gso.type = v->fault == FAULT_RX_EXTRA_GSO ? 9 : XEN_NETIF_GSO_TYPE_TCPV4;
		extra->u.gso.size = v->fault == FAULT_RX_EXTRA_GSO ? 1448 : 0;
		break;
	case FAULT_RX_BAD_INDEX:
		v->rx.rsp_prod_pvt += 1000;
		break;
	default:
		return;
	}
	v->fault = FAULT_NONE;
}

/* What the guest shows us in a page that it wants data in. */
static void peek(struct vif *v, grant_ref_t ref)
{
	static const char zeroes[HOST_PAGE_SIZE];
	static char page[HOST_PAGE_SIZE];
	struct host_gnt_copy piece = { .ref = ref, .len = HOST_PAGE_SIZE, .local = page };

	if (host_gnt_copy(v->gnt, &piece, 1) < 0 || piece.status < 0)
		return;
	v->peeked++;
	v->peeked_used += memcmp(page, zeroes, sizeof(page)) != 0;
}

static void put_slot(struct vif *v, const struct slot *s)
{
	netif_rx_response_t *rsp = RING_GET_RESPONSE(&v->rx, v->rx.rsp_prod_pvt);
	struct host_gnt_copy piece = { .len = s->len,
				       .local = (void *)(uintptr_t)s->data,
				       .to_guest = 1 };
	netif_rx_request_t req;

	RING_COPY_REQUEST(&v->rx, v->rx.req_cons, &req);
	v->rx.req_cons++;
	v->rx.rsp_prod_pvt++;
	if (s->extra) {
		memcpy(rsp, &s->info, sizeof(s->info));
		return;
	}
	piece.ref = req.gref;
	if (v->fault == FAULT_RX_PEEK)
		peek(v, req.gref);
	*rsp = (netif_rx_response_t){ .id = (uint16_t)(req.id + s->id_spoilt),
				      .offset = s->offset,
				      .flags = s->flags,
				      .status = s->status };
	if (s->len && (host_gnt_copy(v->gnt, &piece, 1) < 0 || piece.status < 0))
		rsp->status = NETIF_RSP_ERROR;
}

bool rx_may_read(struct vif *v)
{
	RING_IDX need = v->fault == FAULT_RX_ERROR_CHAIN ? RING_SLOTS : FAULT_SLOTS, end;

	if (!v->connected || v->fault == FAULT_RX_STALL)
		return false;
	v->rx.sring->req_event = v->rx.req_cons + need;
	mb();
	end = v->rx.sring->req_prod;
	rmb();
	return end - v->rx.req_cons >= need;
}

void rx_serve(struct vif *v)
{
	static char frame[FRAME_MAX];
	static struct packet packet;
	unsigned int peeked = v->peeked;
	int notify;

	while (rx_may_read(v)) {
		ssize_t len = tap_read(v->tap, frame, sizeof(frame));

		if (len <= 0)
			break;
		lay_out(&packet, frame, (size_t)len);
		spoil(v, &packet, frame, (size_t)len);
		for (unsigned int i = 0; i < packet.n; i++)
			put_slot(v, &packet.slots[i]);
		RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&v->rx, notify);
		if (notify && v->fault == FAULT_RX_MUTE)
			v->fault = FAULT_NONE;
		else if (notify)
			host_evtchn_notify(ev, (uint32_t)v->rx_port);
	}
	if (v->peeked != peeked) {
		xs_put(v->path, "peeked", v->peeked);
		xs_put(v->path, "peeked-used", v->peeked_used);
	}
}
