/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between the kernel versions the drivers build for. Nothing
 * outside this file and its parts, compat-*.h, looks at LINUX_VERSION_CODE.
 */
#ifndef XENPV_COMPAT_H
#define XENPV_COMPAT_H

#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>

#ifndef INVALID_GRANT_REF
#define INVALID_GRANT_REF ((grant_ref_t)-1)
#endif

/* Gone where the pages of any block have adjoining structs. */
#ifndef nth_page
#define nth_page(page, n)		pfn_to_page(page_to_pfn(page) + (n))
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define kmap_local_page(page)		kmap_atomic(page)
#define kunmap_local(addr)		kunmap_atomic(addr)
#endif

/* Macros, for stable kernels have got some of the functions since. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define irq_set_affinity_and_hint(irq, mask)	irq_set_affinity_hint(irq, mask)
#define irq_update_affinity_hint(irq, mask)	irq_set_affinity_hint(irq, mask)
#endif

/*
 * XENPV_REMOVE_OP - .remove of a xenbus driver, named <fn>_op
 * @fn: void (struct xenbus_device *)
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define XENPV_REMOVE_OP(fn)								\
static int fn##_op(struct xenbus_device *xdev)						\
{											\
	fn(xdev);									\
	return 0;									\
}
#else
#define XENPV_REMOVE_OP(fn)								\
static void fn##_op(struct xenbus_device *xdev)						\
{											\
	fn(xdev);									\
}
#endif

/**
 * xenpv_gnttab_revoke - try to end a peer's access to one reference
 * @ref: a granted reference that stays allocated to the caller
 *
 * Lock-free. Return: true when the grant is revoked, false when the peer
 * still has the page mapped (XSA-396: the page must not be reused then).
 */
static inline bool xenpv_gnttab_revoke(grant_ref_t ref)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
	return gnttab_end_foreign_access_ref(ref, 0);
#else
	return gnttab_end_foreign_access_ref(ref);
#endif
}

/**
 * xenpv_gnttab_retire - give a reference and its page back to the kernel
 * @ref: a granted reference; it is freed
 * @page: order-0 page; one page reference is consumed
 *
 * When the peer still maps the page, both stay on the kernel's deferred list
 * until it lets go.
 */
static inline void xenpv_gnttab_retire(grant_ref_t ref, struct page *page)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
	gnttab_end_foreign_access(ref, 0, (unsigned long)page_address(page));
#else
	gnttab_end_foreign_access(ref, page);
#endif
}

/** xenpv_read_state - state node under a device path; Unknown when unreadable */
static inline enum xenbus_state xenpv_read_state(struct xenbus_device *xdev, const char *path)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	return xenbus_read_driver_state(xdev, path);
#else
	return xenbus_read_driver_state(path);
#endif
}

#endif /* XENPV_COMPAT_H */
