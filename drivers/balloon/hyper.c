// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/mm.h>
#include <xen/features.h>
#include <xen/interface/xen.h>
/* Needs the one above. */
#include <xen/interface/memory.h>
#include <xen/mem-reservation.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/hypervisor.h>

#include "hyper.h"

/** xbal_translated - Xen translates our frame numbers, and may use large pages for it */
bool xbal_translated(void)
{
	return xen_feature(XENFEAT_auto_translated_physmap);
}

/**
 * xbal_reservation - XENMEM_current_reservation
 *
 * Return: pages that Xen counts as ours, or a negative errno.
 */
long xbal_reservation(void)
{
	domid_t self = DOMID_SELF;

	return HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
}

/* One hypercall over a list of extents; counts it and bounds what it returns. */
static long reserve(struct xbal_calls *calls, unsigned int cmd, xen_pfn_t *frames, u32 nr,
		    u32 order)
{
	struct xen_memory_reservation op = {
		.nr_extents = nr,
		.extent_order = order,
		.domid = DOMID_SELF,
	};
	long rc;

	set_xen_guest_handle(op.extent_start, frames);
	rc = HYPERVISOR_memory_op(cmd, &op);
	if (rc > (long)nr)
		rc = nr;
	if (rc <= 0)
		calls->refused++;
	else if (rc < (long)nr)
		calls->partial++;
	return rc;
}

/**
 * xbal_decrease - hand extents to Xen
 * @calls: counters
 * @frames: guest frame of each, aligned to its size; on PV machine frames, @order 0
 * @nr: number of extents, at least 1
 * @order: log2 of the pages of each
 *
 * Xen does them in order. With @order above 0, the one after the last that is
 * done may be done in part: see xbal_released().
 *
 * Return: extents done, 0 to @nr, or a negative errno.
 */
long xbal_decrease(struct xbal_calls *calls, xen_pfn_t *frames, u32 nr, u32 order)
{
	long rc = reserve(calls, XENMEM_decrease_reservation, frames, nr, order);

	calls->decrease++;
	if (rc > 0) {
		calls->pages_out += (u64)rc << order;
		calls->blocks_out += order ? rc : 0;
	}
	return rc;
}

/**
 * xbal_populate - get memory for extents from Xen
 * @calls: counters
 * @frames: guest frame of each, aligned to its size, unpopulated; on PV overwritten
 *	with machine frames
 * @nr: number of extents, at least 1
 * @order: log2 of the pages of each
 *
 * Xen does them in order, and each wholly or not at all.
 *
 * Return: extents done, 0 to @nr, or a negative errno.
 */
long xbal_populate(struct xbal_calls *calls, xen_pfn_t *frames, u32 nr, u32 order)
{
	long rc = reserve(calls, XENMEM_populate_physmap, frames, nr, order);

	calls->populate++;
	if (rc > 0) {
		calls->pages_in += (u64)rc << order;
		calls->blocks_in += order ? rc : 0;
	}
	return rc;
}

/**
 * xbal_detach_page - let go of a page before Xen gets it
 * @page: a page that nobody uses
 *
 * A PV guest's own map of memory must not show it any more. xbal_detached()
 * has to follow the last page of a list.
 *
 * Return: the frame that Xen knows it by.
 */
xen_pfn_t xbal_detach_page(struct page *page)
{
	xen_pfn_t frame = xen_page_to_gfn(page);

	xenmem_reservation_va_mapping_reset(1, &page);
	return frame;
}

/**
 * xbal_attach_page - a page is there again
 * @page: page
 * @frame: what xbal_populate() made of its frame, or xbal_detach_page() returned
 */
void xbal_attach_page(struct page *page, xen_pfn_t frame)
{
	xenmem_reservation_va_mapping_update(1, &page, &frame);
}

/** xbal_detached - no CPU may have a detached page in its TLB after this */
void xbal_detached(void)
{
#ifdef CONFIG_XEN_HAVE_PVMMU
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_ALL };

	if (!xbal_translated() && HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF))
		pr_warn_once("xen-balloon: Xen refused to flush the TLBs\n");
#endif
}
