/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "worker/vif-request.h"

struct vif_control {
	struct vif_common *common;
	bool static_grants;
	struct ring ring;
	void *page;
	struct host_evtchn *evtchn;
	int port; /* local; -1: not bound */
	bool masked;
	int stop_event;
	_Atomic bool stopping;
	bool failed;
	bool started;
	pthread_t thread;
};

static void put(struct vif_control *c, const struct xen_netif_ctrl_response *rsp)
{
	ring_put_raw(&c->ring, rsp, sizeof(*rsp));
	if (ring_publish(&c->ring))
		host_evtchn_notify(c->evtchn, (uint32_t)c->port);
}

static void fail(struct vif_control *c)
{
	struct vif_common *common = c->common;
	char text[WORKER_ERROR_SIZE];

	snprintf(text, sizeof(text), "control ring: request index %u, %u were taken",
		 c->ring.bad_prod, c->ring.req_cons);
	c->failed = true;
	log_full(LOG_ERR, &common->about, 0, "stopped: %s", text);
	common->failed(common->arg, common->nr_queues, -EPROTO, text);
}

/* Carry out one request; it is remembered that it was before the frontend can see so. */
static void execute(struct vif_control *c)
{
	struct vif_state *state = &c->common->state;
	struct xen_netif_ctrl_request req;
	struct xen_netif_ctrl_response rsp;
	uint8_t slot[ABI_MAX_SLOT];

	ring_copy_request(&c->ring, c->ring.req_cons++, slot);
	memcpy(&req, slot, sizeof(req));
	vif_control_execute(c->common, c->static_grants, &req, &rsp);
	state->data->control_done = c->ring.req_cons;
	state->data->last = rsp;
	vif_state_commit(state);
	put(c, &rsp);
	log_full(LOG_DEBUG, &c->common->about, 0, "control request %u (%u, %u, %u): status %u",
		 req.type, req.data[0], req.data[1], req.data[2], rsp.status);
}

static void serve(struct vif_control *c)
{
	struct pollfd p[2] = {
		{ .fd = host_evtchn_fd(c->evtchn), .events = POLLIN },
		{ .fd = c->stop_event, .events = POLLIN },
	};
	int n, port;

	while (!atomic_load(&c->stopping)) {
		n = ring_pending(&c->ring);
		if (n < 0) {
			fail(c);
			return;
		}
		if (n > 0) {
			execute(c);
			continue;
		}
		if (c->masked)
			host_evtchn_unmask(c->evtchn, (uint32_t)c->port);
		c->masked = false;
		if (ring_arm(&c->ring) != 0)
			continue;
		poll(p, ELEMENTSOF(p), -1);
		while ((port = host_evtchn_pending(c->evtchn)) >= 0)
			c->masked = true;
	}
}

static void *thread_main(void *arg)
{
	struct vif_control *c = arg;
	char name[16];

	(void)!snprintf(name, sizeof(name), "vif%u-ctl", c->common->about.devid & 0xffffff);
	prctl(PR_SET_NAME, name);
	serve(c);
	return NULL;
}

int vif_control_new(struct vif_common *common, uint32_t ref, uint32_t evtchn, bool static_grants,
		    int evtchn_fd, struct vif_control **ret, const char **ret_why)
{
	struct vif_control *c;
	int r;

	*ret_why = "out of memory";
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(evtchn_fd);
		return -ENOMEM;
	}
	c->common = common;
	c->static_grants = static_grants;
	c->port = -1;
	c->stop_event = -1;

	*ret_why = "cannot use the event channel descriptor";
	r = host_evtchn_fdopen(evtchn_fd, &c->evtchn);
	if (r < 0)
		goto fail;
	*ret_why = "cannot map the ring";
	r = host_gnt_map(common->gnt, &ref, 1, PROT_READ | PROT_WRITE, &c->page);
	if (r < 0) {
		c->page = NULL;
		goto fail;
	}
	*ret_why = "cannot bind the event channel";
	r = host_evtchn_bind(c->evtchn, common->about.domid, evtchn);
	if (r < 0)
		goto fail;
	c->port = r;
	*ret_why = "out of descriptors";
	c->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->stop_event < 0) {
		r = -errno;
		goto fail;
	}
	*ret = c;
	return 0;

fail:
	vif_control_free(c);
	return r;
}

uint32_t vif_control_index(const struct vif_control *c)
{
	return ring_shared_rsp_prod(c->page);
}

int vif_control_run(struct vif_control *c, bool known, const char **ret_why)
{
	const struct vif_state_data *d = c->common->state.data;
	uint32_t at = vif_control_index(c);
	int r;

	*ret_why = "it has a request index that cannot be";
	r = ring_attach(&c->ring, c->page, 1, &vif_abi_control, at, at);
	if (r == 0)
		r = ring_pending(&c->ring);
	if (r < 0)
		return r;
	if (known) {
		if (r > 0 && d->control_done == at + 1) {
			c->ring.req_cons++;
			put(c, &d->last);
		}
		/* the last worker may have published a response and not lived to say so */
		host_evtchn_notify(c->evtchn, (uint32_t)c->port);
	}
	*ret_why = "cannot start its thread";
	r = pthread_create(&c->thread, NULL, thread_main, c);
	if (r)
		return -r;
	c->started = true;
	return 0;
}

void vif_control_free(struct vif_control *c)
{
	if (!c)
		return;
	if (c->started) {
		atomic_store(&c->stopping, true);
		eventfd_write(c->stop_event, 1);
		pthread_join(c->thread, NULL);
	}
	if (c->port >= 0)
		host_evtchn_unbind(c->evtchn, (uint32_t)c->port);
	host_evtchn_close(c->evtchn);
	if (c->page)
		host_gnt_unmap(c->common->gnt, c->page, 1);
	if (c->stop_event >= 0)
		close(c->stop_event);
	free(c);
}
