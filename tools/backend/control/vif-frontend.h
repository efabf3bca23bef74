/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the frontend of an interface publishes: xen/io/netif.h. All of it is the
 * guest's word and is bounded here; the grants and ports themselves can only be tried.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/keys.h"
#include "worker/proto.h"

/* Most bytes that may be wanted before each received packet; they share its page. */
#define VIF_HEADROOM_MAX 4095

/* What we offered: the frontend may not go beyond. */
struct vif_limits {
	uint32_t max_queues; /* 1..WORKER_MAX_VIF_QUEUES */
	bool control;        /* feature-ctrl-ring */
	bool multicast;      /* feature-multicast-control */
};

/*
 * vif_frontend_parse - read and check rings and features of a frontend
 * @ret: filled but for `reattach`
 * @error: one line that names key and value
 *
 * Errors: -EINVAL with @error, or what @read returned, and *ret untouched.
 */
int vif_frontend_parse(keys_read_fn read, void *userdata, const struct vif_limits *limits,
		       struct worker_connect_vif *ret, char *error, size_t error_size);

/* Only what a frontend may change while it is connected. */
int vif_frontend_parse_change(keys_read_fn read, void *userdata, const struct vif_limits *limits,
			      struct worker_headroom *ret, char *error, size_t error_size);
