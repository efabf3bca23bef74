// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/mm.h>
#include <xen/events.h>
#include <xen/page.h>

#include "compat.h"
#include "ring.h"

/**
 * xenpv_shring_alloc - allocate and share the pages of a ring
 * @ring: zeroed ring
 * @domid: peer
 * @order: log2 of the number of pages, at most %XENPV_RING_MAX_ORDER
 *
 * May sleep but starts no I/O. Return: 0, -EINVAL, -ENOMEM or -ENOSPC (grant
 * table full). xenpv_shring_free() undoes it.
 */
int xenpv_shring_alloc(struct xenpv_shring *ring, domid_t domid, u32 order)
{
	u32 i, nr = 1u << order;
	int ref;

	if (order > XENPV_RING_MAX_ORDER)
		return -EINVAL;
	/* Split into order-0 pages, each of which can be held back alone (XSA-396). */
	ring->addr = alloc_pages_exact(nr * XEN_PAGE_SIZE, GFP_NOIO | __GFP_ZERO);
	if (!ring->addr)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		ring->refs[i] = INVALID_GRANT_REF;
	ring->nr_pages = nr;
	for (i = 0; i < nr; i++) {
		struct page *page = virt_to_page(ring->addr + i * XEN_PAGE_SIZE);

		ref = gnttab_grant_foreign_access(domid, xen_page_to_gfn(page), 0);
		if (ref < 0) {
			xenpv_shring_free(ring);
			return ref;
		}
		ring->refs[i] = ref;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(xenpv_shring_alloc);

/**
 * xenpv_shring_bind - open an event channel for the peer and take its interrupt
 * @ring: ring
 * @xdev: device whose backend may bind the channel
 * @handler: interrupt handler; it, or work it starts, owes one xen_irq_lateeoi()
 * @name: name in /proc/interrupts; must outlive the binding
 * @data: cookie for @handler
 *
 * Return: 0 or a negative errno. xenpv_shring_unbind() undoes it.
 */
int xenpv_shring_bind(struct xenpv_shring *ring, struct xenbus_device *xdev,
		      irq_handler_t handler, const char *name, void *data)
{
	int ret;

	ret = xenbus_alloc_evtchn(xdev, &ring->port);
	if (ret) {
		ring->port = 0;
		return ret;
	}
	ret = bind_evtchn_to_irqhandler_lateeoi(ring->port, handler, 0, name, data);
	if (ret <= 0) {
		xenbus_free_evtchn(xdev, ring->port);
		ring->port = 0;
		return ret ? ret : -ENXIO;
	}
	ring->irq = ret;
	ring->irq_data = data;
	return 0;
}
EXPORT_SYMBOL_GPL(xenpv_shring_bind);

/**
 * xenpv_shring_unbind - stop interrupts and close the event channel
 * @ring: ring, bound or not
 *
 * On return the handler neither runs nor will run. Sleeps.
 */
void xenpv_shring_unbind(struct xenpv_shring *ring)
{
	if (ring->irq)
		unbind_from_irqhandler(ring->irq, ring->irq_data);
	ring->irq = 0;
	ring->port = 0;
}
EXPORT_SYMBOL_GPL(xenpv_shring_unbind);

/**
 * xenpv_shring_free - revoke and free the pages of a ring
 * @ring: ring, unbound
 *
 * Return: pages that the peer still maps; those are freed when it lets go.
 */
u32 xenpv_shring_free(struct xenpv_shring *ring)
{
	u32 i, deferred = 0;

	for (i = 0; i < ring->nr_pages; i++) {
		struct page *page = virt_to_page(ring->addr + i * XEN_PAGE_SIZE);

		if (ring->refs[i] == INVALID_GRANT_REF) {
			put_page(page);
		} else if (gnttab_try_end_foreign_access(ring->refs[i])) {
			put_page(page);
		} else {
			xenpv_gnttab_retire(ring->refs[i], page);
			deferred++;
		}
		ring->refs[i] = INVALID_GRANT_REF;
	}
	ring->addr = NULL;
	ring->nr_pages = 0;
	return deferred;
}
EXPORT_SYMBOL_GPL(xenpv_shring_free);
