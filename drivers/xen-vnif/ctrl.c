// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <xen/events.h>
#include <xen/page.h>

#include "vnif.h"

/*
 * A backend answers in its own thread, which a busy host may not let run for a second or two.
 * One that takes longer will not answer.
 */
#define ANSWER_WAIT	(4 * HZ)

/* So many impossible answers, and the ring is no longer used: it is only of help. */
#define FAULTS_MAX	3

static irqreturn_t ctrl_interrupt(int irq, void *data)
{
	struct xvif *vif = data;

	/* Ended by whoever waits; with nobody waiting, it stays masked. */
	set_bit(0, &vif->ctrl.fired);
	wake_up(&vif->ctrl.wait);
	return IRQ_HANDLED;
}

/**
 * xvif_ctrl_forgive - the backend may be another one
 * @vif: interface
 */
void xvif_ctrl_forgive(struct xvif *vif)
{
	mutex_lock(&vif->ctrl.lock);
	vif->ctrl.faults = 0;
	mutex_unlock(&vif->ctrl.lock);
}

/**
 * xvif_ctrl_init - make a control ring, if the backend offers to read one
 * @vif: interface, before its rings are published
 *
 * A backend that answers wrongly again and again is served without one, since
 * packets need none.
 *
 * Return: 0 or a negative errno. xvif_ctrl_free() undoes it, in every case.
 */
int xvif_ctrl_init(struct xvif *vif)
{
	struct xvif_ctrl *ctrl = &vif->ctrl;
	int err;

	if (!vif->offer.ctrl || READ_ONCE(ctrl->faults) >= FAULTS_MAX)
		return 0;
	err = xenpv_shring_alloc(&ctrl->shared, vif->link.backend_id, 0);
	if (err)
		return err;
	ctrl->sring = ctrl->shared.addr;
	SHARED_RING_INIT(ctrl->sring);
	ctrl->nr_ents = xenpv_ring_entries(XEN_PAGE_SIZE,
					   offsetof(struct xen_netif_ctrl_sring, ring),
					   sizeof(union xen_netif_ctrl_sring_entry));
	ctrl->prod = 0;
	ctrl->cons = 0;
	ctrl->fired = 0;
	return xenpv_shring_bind(&ctrl->shared, vif->link.xdev, ctrl_interrupt, "xen-vnif-ctrl",
				 vif);
}

/**
 * xvif_ctrl_begin - the backend reads the ring from now on
 * @vif: interface, with or without a control ring
 */
void xvif_ctrl_begin(struct xvif *vif)
{
	mutex_lock(&vif->ctrl.lock);
	vif->ctrl.alive = vif->ctrl.sring;
	mutex_unlock(&vif->ctrl.lock);
}

/**
 * xvif_ctrl_stop - no request is made any more
 * @vif: interface
 *
 * Whoever waits for an answer is told that there is none. Idempotent.
 */
void xvif_ctrl_stop(struct xvif *vif)
{
	WRITE_ONCE(vif->ctrl.alive, false);
	wake_up(&vif->ctrl.wait);
	mutex_lock(&vif->ctrl.lock);
	/* It may have been set by xvif_ctrl_begin() only, which is over. */
	xenpv_shring_unbind(&vif->ctrl.shared);
	mutex_unlock(&vif->ctrl.lock);
}

/**
 * xvif_ctrl_free - free the ring
 * @vif: interface, stopped
 *
 * Return: pages that the backend still maps.
 */
u32 xvif_ctrl_free(struct xvif *vif)
{
	vif->ctrl.sring = NULL;
	return xenpv_shring_free(&vif->ctrl.shared);
}

static bool answered(struct xvif_ctrl *ctrl)
{
	/* Asked anew each time: the event may have been for something else. */
	if (test_and_clear_bit(0, &ctrl->fired))
		xen_irq_lateeoi(ctrl->shared.irq, 0);
	return READ_ONCE(ctrl->sring->rsp_prod) != ctrl->cons || !READ_ONCE(ctrl->alive);
}

static void send(struct xvif_ctrl *ctrl, const struct xen_netif_ctrl_request *req)
{
	u32 old = ctrl->prod;

	memcpy(&ctrl->sring->ring[old & (ctrl->nr_ents - 1)].req, req, sizeof(*req));
	WRITE_ONCE(ctrl->sring->rsp_event, ctrl->cons + 1);
	virt_wmb(); /* the request is there before the index that covers it */
	ctrl->prod = old + 1;
	WRITE_ONCE(ctrl->sring->req_prod, ctrl->prod);
	/* Either the backend sees the index, or we see that it wants an event. */
	virt_mb();
	if (xenpv_ring_must_notify(old, ctrl->prod, READ_ONCE(ctrl->sring->req_event)))
		notify_remote_via_irq(ctrl->shared.irq);
}

static int call(struct xvif *vif, struct xen_netif_ctrl_request *req, u32 *data)
{
	struct xvif_ctrl *ctrl = &vif->ctrl;
	struct xen_netif_ctrl_response rsp;
	const char *bad;
	u32 prod;

	lockdep_assert_held(&ctrl->lock);
	req->id = ++ctrl->id;
	send(ctrl, req);
	if (!wait_event_timeout(ctrl->wait, answered(ctrl), ANSWER_WAIT)) {
		/* A late answer would be taken for the next one. */
		WRITE_ONCE(ctrl->alive, false);
		netdev_warn(vif->dev, "no answer to control request %u: hash and filter stay as they are\n",
			    req->type);
		return -ETIMEDOUT;
	}
	if (!READ_ONCE(ctrl->alive))
		return -ENOTCONN;
	prod = READ_ONCE(ctrl->sring->rsp_prod);
	virt_rmb(); /* the response is read after the index */
	RING_COPY_RESPONSE(ctrl, ctrl->cons, &rsp);
	bad = prod - ctrl->cons == 1 ? xvif_ctrl_check(req, &rsp) : "too many control responses";
	if (bad) {
		WRITE_ONCE(ctrl->alive, false);
		WRITE_ONCE(ctrl->faults, ctrl->faults + 1);
		if (ctrl->faults == FAULTS_MAX)
			netdev_warn(vif->dev, "%u impossible answers on the control ring: no hash and no static grants until a new backend\n",
				    ctrl->faults);
		xenpv_link_fault(&vif->link, "backend sent %s: id %u, type %u, status %u", bad,
				 rsp.id, rsp.type, rsp.status);
		return -EPROTO;
	}
	ctrl->cons++;
	if (data)
		*data = rsp.data;
	return xvif_ctrl_errno(rsp.status);
}

/**
 * xvif_ctrl_call - send a request and wait for its answer
 * @vif: interface
 * @type: XEN_NETIF_CTRL_TYPE_*
 * @a: data[0]
 * @b: data[1]
 * @c: data[2]
 * @data: receives the answer's data, or NULL
 *
 * Process context; sleeps four seconds at most.
 *
 * Return: 0; -ENOTCONN without a control ring; -EOPNOTSUPP or -EINVAL as the
 * backend says; or another negative errno.
 */
int xvif_ctrl_call(struct xvif *vif, u16 type, u32 a, u32 b, u32 c, u32 *data)
{
	struct xen_netif_ctrl_request req = { .type = type, .data = { a, b, c } };
	int err = -ENOTCONN;

	mutex_lock(&vif->ctrl.lock);
	if (vif->ctrl.alive)
		err = call(vif, &req, data);
	mutex_unlock(&vif->ctrl.lock);
	return err;
}

/* The page is @data[@where]; it is freed in every case. */
static int call_granted(struct xvif *vif, u16 type, u32 *data, u32 where, void *addr)
{
	struct page *page = virt_to_page(addr);
	int ref, err;

	ref = gnttab_grant_foreign_access(vif->link.backend_id, xen_page_to_gfn(page), 0);
	if (ref < 0) {
		put_page(page);
		return ref;
	}
	data[where] = ref;
	err = xvif_ctrl_call(vif, type, data[0], data[1], data[2], NULL);
	if (gnttab_try_end_foreign_access(ref))
		put_page(page);
	else
		xenpv_gnttab_retire(ref, page);
	return err;
}

/**
 * xvif_ctrl_call_page - the same, with a page of data as data[0]
 * @vif: interface
 * @type: XEN_NETIF_CTRL_TYPE_SET_HASH_KEY or _MAPPING
 * @page: from get_zeroed_page(); freed in every case
 * @size: data[1]
 *
 * The backend may write there, too, but nothing of that is believed.
 */
int xvif_ctrl_call_page(struct xvif *vif, u16 type, void *page, u32 size)
{
	u32 data[3] = { 0, size, 0 };

	return call_granted(vif, type, data, 0, page);
}

/**
 * xvif_ctrl_call_list - the same, with a list of references
 * @vif: interface
 * @type: XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING or _DEL_
 * @queue: queue
 * @list: from get_zeroed_page(); freed in every case
 * @nr: entries
 */
int xvif_ctrl_call_list(struct xvif *vif, u16 type, u32 queue, void *list, u32 nr)
{
	u32 data[3] = { queue, 0, nr };

	return call_granted(vif, type, data, 1, list);
}
