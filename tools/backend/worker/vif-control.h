/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control ring of an interface (netif.h, "Control ring"): a thread of its own that
 * sleeps until the frontend asks for something, which is rare.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/vif-queue.h"

struct vif_control;

/*
 * vif_control_new - map the ring and bind its event channel
 * @static_grants: mappings are offered
 * @evtchn_fd: taken over, also on failure
 * @ret_why: what was tried, on failure
 */
int vif_control_new(struct vif_common *common, uint32_t ref, uint32_t evtchn, bool static_grants,
		    int evtchn_fd, struct vif_control **ret, const char **ret_why);

/* Where the responses of the ring stand. */
uint32_t vif_control_index(const struct vif_control *c);

/*
 * vif_control_run - start the thread
 * @known: the state is that of this connection, so a request that took effect already
 *   is only answered
 *
 * Errors: -EPROTO (a request index that cannot be), those of pthread_create(3).
 */
int vif_control_run(struct vif_control *c, bool known, const char **ret_why);

/* Stop, join, unmap. Before the queues go. NULL is allowed. */
void vif_control_free(struct vif_control *c);

/*
 * vif_control_execute - carry out one request
 *
 * Of the state only the data changes; the caller commits. Answers whatever it is.
 */
void vif_control_execute(struct vif_common *common, bool static_grants,
			 const struct xen_netif_ctrl_request *req,
			 struct xen_netif_ctrl_response *ret);

/* Map again what the state says, after a crash. What cannot be mapped is forgotten: it is copied.
 */
void vif_control_remap(struct vif_common *common);
