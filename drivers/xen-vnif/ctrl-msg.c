// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/minmax.h>

#include "ctrl-msg.h"

/**
 * xvif_ctrl_check - does a response belong to a request, and mean something?
 * @req: the only request in flight
 * @rsp: private copy of a response
 *
 * Return: NULL, or what is wrong.
 */
const char *xvif_ctrl_check(const struct xen_netif_ctrl_request *req,
			    const struct xen_netif_ctrl_response *rsp)
{
	if (rsp->id != req->id)
		return "a control response with a wrong id";
	if (rsp->type != req->type)
		return "a control response of another type";
	if (rsp->status > XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW)
		return "a control response with an unknown status";
	return NULL;
}

/**
 * xvif_ctrl_errno - a control status as an error number
 * @status: XEN_NETIF_CTRL_STATUS_*
 */
int xvif_ctrl_errno(u32 status)
{
	switch (status) {
	case XEN_NETIF_CTRL_STATUS_SUCCESS:
		return 0;
	case XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW:
		return -E2BIG;
	default:
		return -EINVAL;
	}
}

/**
 * xvif_hash_types - the kinds of hash to ask for
 * @offered: XEN_NETIF_CTRL_HASH_TYPE_* that the backend can calculate
 */
u32 xvif_hash_types(u32 offered)
{
	return offered & (XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |
			  XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
}

/**
 * xvif_hash_table_size - entries of the mapping table
 * @offered: most that the backend takes
 *
 * Return: a power of two, or 0 when the backend has no table.
 */
u32 xvif_hash_table_size(u32 offered)
{
	return offered ? rounddown_pow_of_two(min(offered, XVIF_HASH_TABLE)) : 0;
}

/**
 * xvif_hash_table_ok - does each entry name a queue there is?
 * @table: table
 * @n: entries
 * @queues: queues
 */
bool xvif_hash_table_ok(const u32 *table, u32 n, u32 queues)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (table[i] >= queues)
			return false;
	return true;
}

/**
 * xvif_hash_table_spread - spread a table over all queues evenly
 * @table: receives the entries
 * @n: entries
 * @queues: queues, at least 1
 */
void xvif_hash_table_spread(u32 *table, u32 n, u32 queues)
{
	u32 i;

	for (i = 0; i < n; i++)
		table[i] = i % queues;
}
