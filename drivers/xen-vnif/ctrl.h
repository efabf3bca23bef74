/* SPDX-License-Identifier: GPL-2.0-only */
/* The control ring: one request at a time, answered within a bound. */
#ifndef XVIF_CTRL_H
#define XVIF_CTRL_H

#include <linux/mutex.h>
#include <linux/wait.h>

#include "../core/ring.h"
#include "ctrl-msg.h"

struct xvif;

/**
 * struct xvif_ctrl - control ring of an interface
 * @lock: guards all else; held while a request is in flight. Inside rtnl and the link's mutex
 * @shared: memory, grant, event channel
 * @sring: @shared.addr, NULL without a ring
 * @nr_ents: slots
 * @prod: index after the last request
 * @cons: index of the next response
 * @id: of the last request
 * @faults: impossible answers of the present backend; read without the lock, too
 * @alive: requests are answered; read without the lock by a waiter
 * @fired: an interrupt came and is not ended yet; atomic
 * @wait: woken by the interrupt and by the end of the connection
 */
struct xvif_ctrl {
	struct mutex lock;	/* see above */
	struct xenpv_shring shared;
	struct xen_netif_ctrl_sring *sring;
	u32 nr_ents;
	u32 prod;
	u32 cons;
	u16 id;
	u16 faults;
	bool alive;
	unsigned long fired;
	wait_queue_head_t wait;
};

void xvif_ctrl_forgive(struct xvif *vif);
int xvif_ctrl_init(struct xvif *vif);
void xvif_ctrl_begin(struct xvif *vif);
void xvif_ctrl_stop(struct xvif *vif);
u32 xvif_ctrl_free(struct xvif *vif);
int xvif_ctrl_call(struct xvif *vif, u16 type, u32 a, u32 b, u32 c, u32 *data);
int xvif_ctrl_call_page(struct xvif *vif, u16 type, void *page, u32 size);
int xvif_ctrl_call_list(struct xvif *vif, u16 type, u32 queue, void *list, u32 nr);

#endif /* XVIF_CTRL_H */
