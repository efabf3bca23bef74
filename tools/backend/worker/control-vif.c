/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/control-vif.h"

#include <errno.h>
#include <stdio.h>

#include "worker/vif.h"

#define MAX_VIFS 1024

static struct vif *find(struct control *c, uint32_t devid)
{
	struct vif *v = c->vifs;

	while (v && v->devid != devid)
		v = v->next;
	return v;
}

/* The descriptors belong to somebody else now. */
static void forget(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
}

static int attach(struct control *c, const struct worker_msg *msg, int *fds, size_t n, char *error)
{
	uint32_t queues = msg->attach_vif.queues;
	struct vif *v;
	int r;

	if (queues < 1 || queues > WORKER_MAX_VIF_QUEUES || n != queues + 2) {
		snprintf(error, WORKER_ERROR_SIZE, "ATTACH_VIF of %u queues with %zu descriptors",
			 queues, n);
		return -EPROTO;
	}
	if (find(c, msg->devid)) {
		snprintf(error, WORKER_ERROR_SIZE, "the interface is attached already");
		return -EEXIST;
	}
	if (c->nr_vifs == MAX_VIFS) {
		snprintf(error, WORKER_ERROR_SIZE, "%u interfaces are attached, no more fit",
			 c->nr_vifs);
		return -ENOSPC;
	}
	r = vif_new(&c->env, msg->devid, &msg->attach_vif, fds, &v, error);
	forget(fds, n);
	if (r < 0)
		return r;
	v->next = c->vifs;
	c->vifs = v;
	c->nr_vifs++;
	return 0;
}

static int connect_rings(struct vif *v, const struct worker_msg *msg, int *fds, size_t n,
			 char *error)
{
	const struct worker_connect_vif *connect = &msg->connect_vif;
	int r;

	if (connect->queues > WORKER_MAX_VIF_QUEUES ||
	    n != connect->queues + (connect->has_control ? 1u : 0u)) {
		snprintf(error, WORKER_ERROR_SIZE, "CONNECT_VIF of %u queues with %zu descriptors",
			 connect->queues, n);
		return -EPROTO;
	}
	r = vif_connect(v, connect, fds, error);
	forget(fds, n);
	return r;
}

static int detach(struct control *c, struct vif *v, char *error)
{
	struct vif **link = &c->vifs;

	if (v->connected) {
		snprintf(error, WORKER_ERROR_SIZE, "the interface is still connected");
		return -EBUSY;
	}
	while (*link != v)
		link = &(*link)->next;
	*link = v->next;
	c->nr_vifs--;
	vif_free(v);
	return 0;
}

static int reply_stats(struct control *c, const struct worker_msg *msg, struct vif *v)
{
	struct worker_msg reply = {
		.type = WORKER_REPLY,
		.seq = msg->seq,
		.class = WORKER_VIF,
		.devid = msg->devid,
	};

	vif_stats(v, &reply.reply.vif_stats);
	return control_send(c->sock, &reply);
}

int control_vif(struct control *c, const struct worker_msg *msg, int *fds, size_t n)
{
	char error[WORKER_ERROR_SIZE] = "";
	struct vif *v = find(c, msg->devid);
	int r = 0;

	if (msg->type != WORKER_ATTACH_VIF && !v)
		return control_reply(c, msg, -ENOENT, "no such interface is attached");

	switch (msg->type) {
	case WORKER_ATTACH_VIF:
		r = attach(c, msg, fds, n, error);
		break;
	case WORKER_CONNECT_VIF:
		r = connect_rings(v, msg, fds, n, error);
		break;
	case WORKER_DISCONNECT:
		vif_disconnect(v);
		break;
	case WORKER_DETACH:
		r = detach(c, v, error);
		break;
	case WORKER_HEADROOM:
		r = vif_adjust(v, &msg->headroom, error);
		break;
	case WORKER_STATS:
		return reply_stats(c, msg, v);
	default:
		r = -EPROTO;
		snprintf(error, sizeof(error), "message type %u is unknown", msg->type);
		break;
	}
	return control_reply(c, msg, r, error);
}
