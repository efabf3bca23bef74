/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a frontend has set up and takes for granted as long as it is connected: hash,
 * static grants, multicast list, and which control request was carried out last. It
 * lives in a file that outlives the worker, so that the next one knows it too.
 *
 * It also has what the responses of the data rings overwrite (struct ring_undo).
 *
 * The file has a head and two copies. A commit writes the copy that does not count
 * and then, with one store, makes it count: whenever the worker dies, one copy is
 * whole. What is read is checked as if a guest had written it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <xen/io/netif.h>

#include "worker/proto.h"
#include "worker/ring.h"
#include "worker/vif-grants.h"
#include "worker/vif-hash.h"
#include "worker/vif-mcast.h"

#define VIF_STATE_MAX_GRANTS (WORKER_MAX_VIF_QUEUES * VIF_GRANTS_MAX)

struct vif_state_grant {
	uint32_t ref;
	uint16_t queue;
	uint16_t readonly;
};

struct vif_state_data {
	/* control requests before this index took effect; the last one was answered so */
	uint32_t control_done;
	uint32_t nr_grants;
	struct xen_netif_ctrl_response last;
	struct vif_hash_config hash;
	uint64_t mcast[VIF_MCAST_MAX]; /* as struct vif_mcast has it */
	struct vif_state_grant grant[VIF_STATE_MAX_GRANTS];
};

/* What a connection is recognized by. */
struct vif_state_identity {
	uint32_t domid;
	uint32_t devid;
	uint32_t queues;
	uint32_t control_ref, control_evtchn; /* 0: no control ring */
	struct worker_vif_queue queue[WORKER_MAX_VIF_QUEUES];
};

struct vif_state {
	void *map;            /* of the file; NULL: none */
	int fd;               /* of the file, not owned; -1: only in memory */
	uint32_t room;        /* static grants that the file has room for */
	pthread_mutex_t lock; /* orders commits, and changes of the multicast list */
	/*
	 * Ours, ahead of the file until committed; changed by the thread of the control ring.
	 * Of mcast only what was opened.
	 */
	struct vif_state_data *data;
};

/* -ENOMEM */
int vif_state_init(struct vif_state *s);
void vif_state_free(struct vif_state *s);

/*
 * vif_state_create - begin a connection without anything set up
 * @fd: not taken over, but used as long as the connection; -1: nothing outlives us
 *
 * Errors: those of posix_fallocate(3) and mmap(2); there is nothing to go on with in the file then.
 */
int vif_state_create(struct vif_state *s, int fd, const struct vif_state_identity *id);

/*
 * vif_state_open - go on with what a connection has set up
 * @fd: as above
 * @ret_why: completes the sentence "the state ..."
 *
 * Errors: -ENODATA (the file is empty), -EBADMSG (it says what cannot be, or is about
 * another connection), those of posix_fallocate(3) and mmap(2). Nothing is changed then.
 */
int vif_state_open(struct vif_state *s, int fd, const struct vif_state_identity *id,
		   const char **ret_why);

/* The connection has ended in order: there is nothing to go on with. */
void vif_state_wipe(struct vif_state *s);

/*
 * The multicast list is not what the frontend has set up, because some worker had to go on
 * without a file: no packet may be filtered by it. Kept until the frontend lets go of the
 * list. While a connection is created, which sets true, or opened.
 */
void vif_state_set_list_lost(struct vif_state *s, bool lost);
bool vif_state_list_lost(const struct vif_state *s);

/* For the rings of a queue; while a connection is created or opened. */
struct vif_state_rings {
	struct ring_undo tx, rx;
};

struct vif_state_rings *vif_state_rings(struct vif_state *s, uint32_t queue);

/*
 * Have room for @grants static grants in all, before they are in s->data. Errors: those of
 * posix_fallocate(3).
 */
int vif_state_reserve(struct vif_state *s, uint32_t grants);

/* Commit s->data but for the multicast list. By the thread that changes it. */
void vif_state_commit(struct vif_state *s);

/* Change the multicast list between the two, from any thread; the rest stays as committed. */
void vif_state_begin_mcast(struct vif_state *s);
void vif_state_commit_mcast(struct vif_state *s, const struct vif_mcast *m);
