/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "testback-vif.h"

#define SLOTS_MAX XEN_NETIF_NR_SLOTS_MIN

static void put_response(struct vif *v, uint16_t id, int16_t status)
{
	netif_tx_response_t *rsp = RING_GET_RESPONSE(&v->tx, v->tx.rsp_prod_pvt);

	rsp->id = id;
	rsp->status = status;
	v->tx.rsp_prod_pvt++;
}

/* The answer to the first slot of a packet, spoilt as asked. */
static void put_first(struct vif *v, const netif_tx_request_t *req, int16_t status)
{
	enum fault fault = v->fault;
	uint16_t id = req->id;

	/* A small packet may lie in a page that is granted for good. */
	if (fault == FAULT_TX_MAPPED && req->size < 1024)
		fault = FAULT_NONE;
	switch (fault) {
	case FAULT_TX_BAD_ID:
		id = 0xbeef;
		break;
	case FAULT_TX_FREE_ID:
		id ^= 0x80;
		break;
	case FAULT_TX_SAME_ID:
		id = v->last_id;
		break;
	case FAULT_TX_BAD_STATUS:
		status = 42;
		break;
	case FAULT_TX_BAD_INDEX:
		v->tx.rsp_prod_pvt += 1000;
		break;
	case FAULT_TX_ERROR:
		status = NETIF_RSP_ERROR;
		break;
	case FAULT_TX_DROPPED:
		status = NETIF_RSP_DROPPED;
		break;
	case FAULT_TX_LOST:
		v->fault = FAULT_NONE;
		return;
	case FAULT_TX_MAPPED:
		if (host_gnt_map(v->gnt, &req->gref, 1, PROT_READ, &v->left_mapped) < 0)
			v->left_mapped = NULL;
		break;
	default:
		put_response(v, id, status);
		v->last_id = req->id;
		return;
	}
	v->fault = FAULT_NONE;
	put_response(v, id, status);
	v->last_id = req->id;
}

static bool fetch(struct vif *v, const netif_tx_request_t *req, size_t len, char *to)
{
	struct host_gnt_copy piece = { .ref = req->gref,
				       .offset = req->offset,
				       .len = (uint16_t)len,
				       .local = to,
				       .to_guest = 0 };

	return len == 0 || (req->offset + len <= HOST_PAGE_SIZE &&
			    host_gnt_copy(v->gnt, &piece, 1) == 0 && piece.status == 0);
}

/* Take the packet that begins at req_cons; @end: req_prod. */
static void serve_packet(struct vif *v, RING_IDX end)
{
	static char frame[FRAME_MAX];
	netif_tx_request_t reqs[SLOTS_MAX];
	unsigned int n = 0, extras = 0;
	size_t total, len = 0;
	bool more, ok = true;

	do {
		RING_COPY_REQUEST(&v->tx, v->tx.req_cons, &reqs[n]);
		v->tx.req_cons++;
		more = n == 0 && reqs[0].flags & NETTXF_extra_info;
		while (more && v->tx.req_cons != end) {
			netif_extra_info_t extra;

			memcpy(&extra, RING_GET_REQUEST(&v->tx, v->tx.req_cons), sizeof(extra));
			v->tx.req_cons++;
			extras++;
			more = extra.flags & XEN_NETIF_EXTRA_FLAG_MORE;
		}
		more = reqs[n++].flags & NETTXF_more_data;
	} while (more && n < SLOTS_MAX && v->tx.req_cons != end);
	if (more) {
		fprintf(stderr, "%s: %s: a packet of more than %u slots\n", program, v->path, n);
		ok = false;
	}
	/* The first slot says how long the packet is; what the others do not have is its own. */
	total = reqs[0].size;
	for (unsigned int i = 1; i < n; i++)
		len += reqs[i].size;
	if (len > total || total > FRAME_MAX) {
		fprintf(stderr, "%s: %s: slots of %zu bytes in a packet of %zu\n", program, v->path,
			len, total);
		ok = false;
	}
	len = total - len;
	ok = ok && fetch(v, &reqs[0], len, frame);
	for (unsigned int i = 1; ok && i < n; i++) {
		ok = fetch(v, &reqs[i], reqs[i].size, frame + len);
		len += reqs[i].size;
	}
	if (ok)
		tap_write(v->tap, frame, total, reqs[0].flags & NETTXF_csum_blank);
	put_first(v, &reqs[0], ok ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
	while (extras--)
		put_response(v, 0, NETIF_RSP_NULL);
	for (unsigned int i = 1; i < n; i++)
		put_response(v, reqs[i].id, ok ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
}

void tx_serve(struct vif *v)
{
	int more, notify;

	if (v->fault == FAULT_TX_STALL)
		return;
	do {
		RING_IDX end = v->tx.sring->req_prod;

		rmb();
		if (end - v->tx.req_cons > RING_SIZE(&v->tx)) {
			fprintf(stderr, "%s: %s: request index %u\n", program, v->path, end);
			return;
		}
		while (v->tx.req_cons != end)
			serve_packet(v, end);
		RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&v->tx, notify);
		if (notify && v->fault == FAULT_TX_MUTE)
			v->fault = FAULT_NONE;
		else if (notify)
			host_evtchn_notify(ev, (uint32_t)v->tx_port);
		RING_FINAL_CHECK_FOR_REQUESTS(&v->tx, more);
	} while (more);
}
