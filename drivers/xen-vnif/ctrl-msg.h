/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of the control ring (netif.h, "Control Messages"). Pure. */
#ifndef XVIF_CTRL_MSG_H
#define XVIF_CTRL_MSG_H

#include "wire.h"

/* Keys and tables as Linux and Windows use them; backends take at least these. */
#define XVIF_HASH_KEY	40u
#define XVIF_HASH_TABLE	128u

/* References in a list, which is one page. */
#define XVIF_GREFS_MAX	(XVIF_FRAME / sizeof(struct xen_netif_gref))

const char *xvif_ctrl_check(const struct xen_netif_ctrl_request *req,
			    const struct xen_netif_ctrl_response *rsp);
int xvif_ctrl_errno(u32 status);
u32 xvif_hash_types(u32 offered);
u32 xvif_hash_table_size(u32 offered);
bool xvif_hash_table_ok(const u32 *table, u32 n, u32 queues);
void xvif_hash_table_spread(u32 *table, u32 n, u32 queues);

#endif /* XVIF_CTRL_MSG_H */
