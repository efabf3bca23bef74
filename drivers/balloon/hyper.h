/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypercalls of the balloon: XENMEM_* of xen/memory.h, for DOMID_SELF. */
#ifndef XBAL_HYPER_H
#define XBAL_HYPER_H

#include <linux/types.h>
#include <xen/interface/xen.h>

struct page;

/**
 * struct xbal_calls - what was asked of Xen; guarded by the lock of the engine
 * @decrease: hypercalls that hand memory over
 * @populate: hypercalls that get memory back
 * @pages_out: pages handed over
 * @pages_in: pages got back
 * @blocks_out: of @pages_out, in extents of 2 MiB, counted in extents
 * @blocks_in: of @pages_in, likewise
 * @partial: hypercalls that did a part of their list
 * @refused: hypercalls that did nothing of it
 */
struct xbal_calls {
	u64 decrease;
	u64 populate;
	u64 pages_out;
	u64 pages_in;
	u64 blocks_out;
	u64 blocks_in;
	u64 partial;
	u64 refused;
};

bool xbal_translated(void);
long xbal_reservation(void);
long xbal_decrease(struct xbal_calls *calls, xen_pfn_t *frames, u32 nr, u32 order);
long xbal_populate(struct xbal_calls *calls, xen_pfn_t *frames, u32 nr, u32 order);
xen_pfn_t xbal_detach_page(struct page *page);
void xbal_attach_page(struct page *page, xen_pfn_t frame);
void xbal_detached(void);

#endif /* XBAL_HYPER_H */
