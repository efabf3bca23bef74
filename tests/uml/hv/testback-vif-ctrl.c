/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control ring of a vif: static grants are accepted, all else is refused. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "testback-vif.h"

#define GRANTS_MAX    1024 /* what is offered to be kept; nothing is, as all data is copied */
#define EVENTS_STORM  1000
#define SIZE_ABSURD   UINT32_MAX
#define SIZE_TX_ONLY  300 /* more than one ring's pages, less than two rings' */
#define STATUS_ABSURD 42
#define INDEX_ABSURD  1000

static void put(struct vif *v, const struct xen_netif_ctrl_response *rsp)
{
	*RING_GET_RESPONSE(&v->ctrl, v->ctrl.rsp_prod_pvt) = *rsp;
	v->ctrl.rsp_prod_pvt++;
}

static void publish(struct vif *v)
{
	wmb();
	v->ctrl.sring->rsp_prod = v->ctrl.rsp_prod_pvt;
	host_evtchn_notify(ev, (uint32_t)v->ctrl_port);
}

/* The list of references that a request names by a reference. */
static void *map_list(struct vif *v, const struct xen_netif_ctrl_request *req)
{
	void *page;

	return host_gnt_map(v->gnt, &req->data[1], 1, PROT_READ | PROT_WRITE, &page) < 0 ? NULL
											 : page;
}

static void answer(const struct xen_netif_ctrl_request *req, struct xen_netif_ctrl_response *rsp)
{
	*rsp = (struct xen_netif_ctrl_response){ .id = req->id, .type = req->type };
	switch (req->type) {
	case XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE:
		rsp->data = GRANTS_MAX;
		break;
	case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
	case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
		break;
	default:
		rsp->status = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	}
}

/* Make an answer wrong; false: it is not to be given now. */
static bool spoil(struct vif *v, const struct xen_netif_ctrl_request *req,
		  struct xen_netif_ctrl_response *rsp)
{
	void *list;

	switch (v->fault) {
	case FAULT_CTRL_BAD_ID:
		rsp->id ^= 0x8000;
		break;
	case FAULT_CTRL_BAD_TYPE:
		rsp->type = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY;
		break;
	case FAULT_CTRL_BAD_STATUS:
		rsp->status = STATUS_ABSURD;
		break;
	case FAULT_CTRL_BAD_INDEX:
		v->ctrl.rsp_prod_pvt += INDEX_ABSURD;
		break;
	case FAULT_CTRL_TWICE:
		put(v, rsp);
		break;
	case FAULT_CTRL_UNSUPPORTED:
		rsp->status = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
		break;
	case FAULT_CTRL_INVALID:
		rsp->status = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		break;
	case FAULT_CTRL_OVERFLOW:
		rsp->status = XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
		break;
	case FAULT_CTRL_HUGE:
		rsp->data = SIZE_ABSURD;
		break;
	case FAULT_CTRL_TX_ONLY:
		rsp->data = SIZE_TX_ONLY;
		break;
	case FAULT_CTRL_TINY:
		rsp->data = 1;
		break;
	case FAULT_CTRL_SCRIBBLE:
		list = map_list(v, req);
		if (list) {
			memset(list, 0xff, HOST_PAGE_SIZE);
			host_gnt_unmap(v->gnt, list, 1);
		}
		break;
	case FAULT_CTRL_MAPPED:
		v->left_mapped = map_list(v, req);
		break;
	case FAULT_CTRL_EVENTS:
		for (int i = 0; i < EVENTS_STORM; i++)
			host_evtchn_notify(ev, (uint32_t)v->ctrl_port);
		break;
	case FAULT_CTRL_MUTE:
		put(v, rsp);
		wmb();
		v->ctrl.sring->rsp_prod = v->ctrl.rsp_prod_pvt;
		return false;
	case FAULT_CTRL_LATE:
		v->late = *rsp;
		v->is_late = true;
		return false;
	case FAULT_CTRL_LOST:
		return false;
	default:
		break;
	}
	return true;
}

void ctrl_begin(struct vif *v)
{
	if (v->fault != FAULT_CTRL_EARLY)
		return;
	/* Two, so that it does not depend on who is faster whether that is too many. */
	v->fault = FAULT_NONE;
	v->ctrl.rsp_prod_pvt += 2;
	publish(v);
}

void ctrl_late(struct vif *v)
{
	if (!v->is_late)
		return;
	v->is_late = false;
	put(v, &v->late);
	publish(v);
}

void ctrl_serve(struct vif *v)
{
	struct xen_netif_ctrl_request req;
	struct xen_netif_ctrl_response rsp;
	int more;

	if (v->ctrl_port < 0)
		return;
	do {
		RING_IDX end = v->ctrl.sring->req_prod;

		rmb();
		if (end - v->ctrl.req_cons > RING_SIZE(&v->ctrl)) {
			fprintf(stderr, "%s: %s: control request index %u\n", program, v->path,
				end);
			return;
		}
		while (v->ctrl.req_cons != end) {
			bool due = true;

			RING_COPY_REQUEST(&v->ctrl, v->ctrl.req_cons, &req);
			v->ctrl.req_cons++;
			answer(&req, &rsp);
			if (v->fault > _FAULT_RX_MAX && v->fault < _FAULT_CTRL_MAX &&
			    (!v->fault_type || v->fault_type == req.type)) {
				due = spoil(v, &req, &rsp);
				/* One that is late waits for another word. */
				if (!v->fault_stays && v->fault != FAULT_CTRL_LATE)
					v->fault = FAULT_NONE;
			}
			if (!due)
				continue;
			put(v, &rsp);
			publish(v);
		}
		RING_FINAL_CHECK_FOR_REQUESTS(&v->ctrl, more);
	} while (more);
}
