/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interface of the guest: its tap queues, its state file and, while connected, its
 * queues and control ring. Used by the control thread only.
 *
 * Nothing is ever in flight longer than a pass, so a disconnect is over when it returns.
 */
#pragma once

#include "worker/device.h"
#include "worker/vif-control.h"
#include "worker/vif-queue.h"

struct vif {
	const struct device_env *env;
	struct vif *next;
	uint32_t devid;
	struct worker_attach_vif attach;
	int state_fd;
	int counters_fd;
	struct counters counters;       /* once it was connected; written by the queues */
	int tap[WORKER_MAX_VIF_QUEUES]; /* attach.queues of them */
	bool connected;
	struct vif_common common;
	struct vif_control *control; /* NULL: none */
};

/*
 * vif_new - an interface that nothing is connected to yet
 * @fds: state file, attach->queues taps, counters file; taken over, also on failure
 */
int vif_new(const struct device_env *env, uint32_t devid, const struct worker_attach_vif *attach,
	    const int *fds, struct vif **ret, char error[WORKER_ERROR_SIZE]);

/* Only while not connected. */
void vif_free(struct vif *v);

/*
 * vif_connect - serve the rings of @connect
 * @fds: an event channel descriptor per queue, and one for the control ring if there is
 *   one; taken over, also on failure
 *
 * After a failure nothing of the guest is held.
 */
int vif_connect(struct vif *v, const struct worker_connect_vif *connect, const int *fds,
		char error[WORKER_ERROR_SIZE]);

/* End all queues after their pass, and give everything back. */
void vif_disconnect(struct vif *v);

/* What a connected frontend has changed its mind about. */
int vif_adjust(struct vif *v, const struct worker_headroom *wish, char error[WORKER_ERROR_SIZE]);

void vif_stats(struct vif *v, struct vif_counts *ret);
