/* SPDX-License-Identifier: GPL-2.0-only */
/* What xen/io/netif.h has and the headers of the oldest kernels lack. Pure. */
#ifndef XVIF_WIRE_H
#define XVIF_WIRE_H

#include <linux/types.h>
#include <xen/interface/io/ring.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/io/netif.h>

/* A slot describes at most one frame of this size, whatever the page size. */
#define XVIF_FRAME		4096u

/* Data slots of a packet, either way. */
#define XVIF_MAX_SLOTS		XEN_NETIF_NR_SLOTS_MIN

#ifndef XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE
#define XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE	8
#define XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING		9
#define XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING		10

#define XEN_NETIF_CTRLF_GREF_readonly			1u

/**
 * struct xen_netif_gref - an entry of a list of references to be kept mapped
 * @ref: reference
 * @flags: XEN_NETIF_CTRLF_GREF_*
 * @status: XEN_NETIF_CTRL_STATUS_*, written by the backend on DEL
 */
struct xen_netif_gref {
	grant_ref_t ref;
	u16 flags;
	u16 status;
};
#endif

#endif /* XVIF_WIRE_H */
