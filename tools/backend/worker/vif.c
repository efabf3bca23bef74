/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "net/tap.h"
#include "worker/vif-io.h"

#define MAX_RATE_US 10000000u /* proto.h */

__attribute__((format(printf, 3, 4))) static int refuse(char *error, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, WORKER_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return r;
}

/* From a thread of the interface: it ends as a whole, whichever of its rings was broken. */
static void ring_failed(void *arg, uint32_t number, int error, const char *text)
{
	struct vif *v = arg;

	for (uint32_t i = 0; i < v->common.nr_queues; i++)
		vif_queue_stop(v->common.queue[i]);
	v->env->ring_failed(v->env->arg, WORKER_VIF, v->devid, number, error, text);
}

int vif_new(const struct device_env *env, uint32_t devid, const struct worker_attach_vif *attach,
	    const int *fds, struct vif **ret, char error[WORKER_ERROR_SIZE])
{
	struct vif *v = NULL;
	int r;

	if (attach->rate_bytes && (attach->rate_us < 1 || attach->rate_us > MAX_RATE_US)) {
		r = refuse(error, -EINVAL, "rate of %" PRIu64 " bytes per %u us",
			   attach->rate_bytes, attach->rate_us);
		goto fail;
	}
	v = calloc(1, sizeof(*v));
	r = v ? vif_state_init(&v->common.state) : -ENOMEM;
	if (r < 0) {
		refuse(error, r, "out of memory");
		goto fail;
	}
	v->env = env;
	v->devid = devid;
	v->attach = *attach;
	v->state_fd = fds[0];
	memcpy(v->tap, fds + 1, attach->queues * sizeof(*fds));
	v->counters_fd = fds[1 + attach->queues];
	v->common.gnt = env->gnt;
	v->common.poll_us = attach->poll_us;
	v->common.multicast = attach->multicast;
	v->common.failed = ring_failed;
	v->common.arg = v;
	v->common.about.domid = env->hello.domid;
	v->common.about.devid = devid;
	snprintf(v->common.about.name, sizeof(v->common.about.name), "vif-%" PRIu32 "-%" PRIu32,
		 env->hello.domid, devid);
	vif_limit_init(&v->common.limit, attach->rate_bytes, attach->rate_us, vif_now());
	*ret = v;
	return 0;

fail:
	free(v);
	for (uint32_t i = 0; i < attach->queues + 2; i++)
		close(fds[i]);
	return r;
}

void vif_free(struct vif *v)
{
	if (!v)
		return;
	vif_limit_free(&v->common.limit);
	vif_state_free(&v->common.state);
	for (uint32_t i = 0; i < v->attach.queues; i++)
		close(v->tap[i]);
	counters_close(&v->counters);
	close(v->counters_fd);
	close(v->state_fd);
	free(v);
}

static int check_connect(const struct vif *v, const struct worker_connect_vif *c, char *error)
{
	if (v->connected)
		return refuse(error, -EBUSY, "the interface is connected already");
	if (c->queues != v->attach.queues)
		return refuse(error, -EINVAL, "%u queues, but %u queues of the tap", c->queues,
			      v->attach.queues);
	if (c->xdp_headroom >= HOST_PAGE_SIZE)
		return refuse(error, -EINVAL, "headroom of %u bytes, at most %u fit",
			      c->xdp_headroom, HOST_PAGE_SIZE - 1);
	return 0;
}

static void read_features(struct vif_common *common, uint32_t f)
{
	common->sg = f & WORKER_VIF_SG;
	common->rx_notify = f & WORKER_VIF_RX_NOTIFY;
	common->caps = (struct offload_caps){
		.csum4 = f & WORKER_VIF_CSUM_V4,
		.csum6 = f & WORKER_VIF_CSUM_V6,
		/* a packet beyond the MTU takes several pages */
		.gso4 = common->sg && f & WORKER_VIF_GSO_TCPV4,
		.gso6 = common->sg && f & WORKER_VIF_GSO_TCPV6,
	};
}

/*
 * What a frontend has put on the list it says once, so a list that was lost must not filter
 * anything until the frontend asks for no filter, and starts over.
 */
static void set_filter(struct vif_common *common, bool wanted)
{
	if (!wanted)
		vif_state_set_list_lost(&common->state, false);
	common->filter = wanted && !vif_state_list_lost(&common->state);
}

static void make_identity(const struct vif *v, const struct worker_connect_vif *c,
			  struct vif_state_identity *ret)
{
	*ret = (struct vif_state_identity){
		.domid = v->env->hello.domid,
		.devid = v->devid,
		.queues = c->queues,
		.control_ref = c->has_control ? c->control_ref : 0,
		.control_evtchn = c->has_control ? c->control_evtchn : 0,
	};
	memcpy(ret->queue, c->queue, c->queues * sizeof(*c->queue));
}

static int open_state(struct vif *v, const struct vif_state_identity *id, const char **ret_why)
{
	struct vif_state *s = &v->common.state;
	uint32_t at;
	int r;

	r = vif_state_open(s, v->state_fd, id, ret_why);
	if (r < 0 || !v->control)
		return r;
	at = vif_control_index(v->control);
	if (s->data->control_done - at > 1) {
		*ret_why = "does not fit the control ring";
		return -EBADMSG;
	}
	return 0;
}

/* What the frontend has set up, or nothing yet. @ret_known tells which. */
static int prepare_state(struct vif *v, const struct worker_connect_vif *c, bool *ret_known,
			 char *error)
{
	struct vif_common *common = &v->common;
	struct vif_state_identity id;
	const char *why;
	int r = -ENODATA;

	make_identity(v, c, &id);
	memset(&common->mcast, 0, sizeof(common->mcast));
	if (c->reattach)
		r = open_state(v, &id, &why);
	*ret_known = r == 0;
	if (r == 0) {
		for (uint32_t i = 0; i < VIF_MCAST_MAX; i++)
			common->mcast.entry[i] = common->state.data->mcast[i];
		return 0;
	}
	if (c->reattach)
		/*
		 * Such as after xen-netback, which leaves none. The link is worth more than
		 * what was set up: slots are copied, hashes missing, and no packet filtered.
		 */
		log_full(LOG_WARNING, &common->about, r,
			 "the state of the connection %s; going on without: %m", why);
	r = vif_state_create(&common->state, v->state_fd, &id);
	if (r < 0) {
		log_full(LOG_WARNING, &common->about, r,
			 "its state file cannot be made, so that a crash would lose what the "
			 "frontend sets up: %m");
		r = vif_state_create(&common->state, -1, &id);
	}
	if (r < 0)
		return refuse(error, r, "no memory for the state: %s", strerror(-r));
	if (v->control)
		common->state.data->control_done = vif_control_index(v->control);
	vif_state_set_list_lost(&common->state, c->reattach);
	vif_state_commit(&common->state);
	return 0;
}

static int make_queues(struct vif *v, const struct worker_connect_vif *c, const int *fds,
		       char *error)
{
	struct vif_common *common = &v->common;
	const char *why = NULL;
	int r;

	for (uint32_t i = 0; i < c->queues; i++) {
		r = vif_queue_new(common, i, &c->queue[i], fds[i], v->tap[i],
				  &v->counters.file->block[i].vif, &common->queue[i], &why);
		if (r < 0) {
			for (i++; i < c->queues; i++)
				close(fds[i]);
			if (c->has_control)
				close(fds[c->queues]);
			return refuse(error, r,
				      "queue %u: %s (tx-ring-ref %u, rx-ring-ref %u, event "
				      "channels %u and %u): %s",
				      common->nr_queues, why, c->queue[common->nr_queues].tx_ref,
				      c->queue[common->nr_queues].rx_ref,
				      c->queue[common->nr_queues].tx_evtchn,
				      c->queue[common->nr_queues].rx_evtchn, strerror(-r));
		}
		common->nr_queues++;
	}
	if (!c->has_control)
		return 0;
	r = vif_control_new(common, c->control_ref, c->control_evtchn, v->attach.static_grants,
			    fds[c->queues], &v->control, &why);
	if (r < 0)
		return refuse(error, r,
			      "control ring: %s (ctrl-ring-ref %u, event-channel-ctrl %u): %s", why,
			      c->control_ref, c->control_evtchn, strerror(-r));
	return 0;
}

static void free_queues(struct vif *v)
{
	struct vif_common *common = &v->common;

	/* it may wait for a queue, and queues may have packets for one another */
	vif_control_free(v->control);
	v->control = NULL;
	for (uint32_t i = 0; i < common->nr_queues; i++)
		vif_queue_join(common->queue[i]);
	for (uint32_t i = 0; i < common->nr_queues; i++) {
		vif_queue_free(common->queue[i]);
		common->queue[i] = NULL;
	}
	common->nr_queues = 0;
}

static int run_queues(struct vif *v, const struct worker_connect_vif *c, bool known, char *error)
{
	struct vif_common *common = &v->common;
	const char *why = NULL;
	int r;

	for (uint32_t i = 0; i < common->nr_queues; i++) {
		vif_hash_init(vif_queue_hash(common->queue[i]), &common->state.data->hash);
		r = vif_queue_run(common->queue[i], c->reattach, known, &why);
		if (r < 0)
			return refuse(error, r, "queue %u: %s: %s", i, why, strerror(-r));
	}
	if (!v->control)
		return 0;
	r = vif_control_run(v->control, known, &why);
	if (r < 0)
		return refuse(error, r, "control ring: %s: %s", why, strerror(-r));
	return 0;
}

static void close_events(const struct worker_connect_vif *connect, const int *fds)
{
	for (uint32_t i = 0; i < connect->queues + (connect->has_control ? 1u : 0u); i++)
		close(fds[i]);
}

int vif_connect(struct vif *v, const struct worker_connect_vif *connect, const int *fds,
		char error[WORKER_ERROR_SIZE])
{
	struct vif_common *common = &v->common;
	bool known;
	int r;

	r = check_connect(v, connect, error);
	if (r < 0) {
		close_events(connect, fds);
		return r;
	}
	r = counters_open(&v->counters, v->counters_fd, COUNTERS_VIF, connect->queues,
			  &common->about);
	if (r < 0) {
		close_events(connect, fds);
		return refuse(error, r, "no memory for the counters");
	}
	read_features(common, connect->features);
	common->headroom = connect->xdp_headroom;
	r = make_queues(v, connect, fds, error);
	if (r < 0)
		goto fail;
	r = prepare_state(v, connect, &known, error);
	if (r < 0)
		goto fail;
	set_filter(common, connect->features & WORKER_VIF_MULTICAST);
	for (uint32_t i = 0; i < common->nr_queues; i++) {
		r = tap_setup(v->tap[i], i ? NULL : &common->caps, common->sg);
		if (r < 0) {
			refuse(error, r, "cannot set up queue %u of the tap: %s", i, strerror(-r));
			goto fail;
		}
	}
	if (known)
		vif_control_remap(common);
	r = run_queues(v, connect, known, error);
	if (r < 0)
		goto fail;
	v->connected = true;
	return 0;

fail:
	/* the state stays: whoever tries again may need it */
	free_queues(v);
	return r;
}

void vif_disconnect(struct vif *v)
{
	if (!v->connected)
		return;
	free_queues(v);
	vif_state_wipe(&v->common.state);
	v->connected = false;
}

int vif_adjust(struct vif *v, const struct worker_headroom *wish, char error[WORKER_ERROR_SIZE])
{
	if (!v->connected)
		return refuse(error, -ENOTCONN, "the interface is not connected");
	if (wish->bytes >= HOST_PAGE_SIZE)
		return refuse(error, -EINVAL, "headroom of %u bytes, at most %u fit", wish->bytes,
			      HOST_PAGE_SIZE - 1);
	v->common.headroom = wish->bytes;
	set_filter(&v->common, wish->multicast);
	return 0;
}

void vif_stats(struct vif *v, struct vif_counts *ret)
{
	union counters_block sum = { .word = { 0 } };

	if (v->counters.file)
		counters_sum(v->counters.file, &sum);
	*ret = sum.vif;
	/* the control ring's, not the queues' threads': exact enough for whoever looks */
	for (uint32_t i = 0; i < v->common.nr_queues; i++)
		ret->static_grants += __atomic_load_n(&vif_queue_grants(v->common.queue[i])->used,
						      __ATOMIC_RELAXED);
}
