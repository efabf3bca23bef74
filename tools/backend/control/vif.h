/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The class of network interfaces: vif. What it stands upon, its "image", is a tap
 * on this host, which is ready as soon as it is there and belongs to the broker: the
 * worker only has queues of it.
 */
#pragma once

#include "control/device.h"
#include "control/tap.h"
#include "control/vif-config.h"
#include "control/vif-frontend.h"

struct vif {
	struct device dev; /* first */

	/* identity, fixed */
	char *mac, *handle, *type, *rate, *vifname, *bridge, *script, *mtu; /* as in xenstore */
	struct vif_config config;

	struct tap_link tap;      /* .index 0: there is none */
	char master[IFNAMSIZ];    /* the bridge that it is in, "" for none */
	uint32_t attached_queues; /* of the tap, that the worker holds */
	int attached_index;       /* of the tap that these are of */

	struct vif_limits limits;        /* what the frontend was offered */
	bool has_rings;                  /* the next is set */
	struct worker_connect_vif rings; /* of the connection, or of the one being made */
	struct worker_headroom asked;    /* what the frontend wants now; differs if hs.changed */
	int carrier;                     /* what our node tells, -1: not known */
};

extern const struct device_class vif_class;

static inline struct vif *to_vif(struct device *dev)
{
	return (struct vif *)dev;
}

static inline const struct vif *to_const_vif(const struct device *dev)
{
	return (const struct vif *)dev;
}

/* vif.c: events of its tap. @link is what it is now. */
void vif_link_changed(struct vif *vif, const struct tap_link *link);
void vif_link_gone(struct vif *vif);

/* What there is to say of a tap that somebody has removed. */
void vif_gone_text(const struct vif *vif, char *text, size_t size);

/* vif-link.c */
int vif_refresh(struct device *dev);
int vif_parse(struct device *dev, char *text, size_t size);
bool vif_outgrown(const struct device *dev);
int vif_attach_msg(struct device *dev, struct worker_msg *msg, int kept, int *fds, size_t *ret_n,
		   char *text, size_t size);
size_t vif_connect_msg(struct device *dev, struct worker_msg *msg);
void vif_connected(struct device *dev);
void vif_disconnected(struct device *dev);
void vif_returned(struct device *dev);
void vif_change_msg(struct device *dev, struct worker_msg *msg);
void vif_changed(struct device *dev);

/* vif-nodes.c */

/* A script that fails and leaves hotplug-error alone; written in the place of a refused vif's. */
#define VIF_REFUSING_SCRIPT "/bin/false"

int vif_put_offer(struct device *dev, xs_transaction_t t);
int vif_put_connected(struct device *dev, xs_transaction_t t);
int vif_tell_refusal(struct device *dev);

/* Have `carrier` follow the tap. Errors: -ESTALE, others of xenstore. */
int vif_nodes_carrier(struct vif *vif);

/* What an earlier instance offered, for a frontend that connects to that. */
int vif_nodes_read_offer(struct vif *vif, struct vif_limits *ret);
