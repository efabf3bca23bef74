/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory, grants and event channel of a shared ring. */
#ifndef XENPV_RING_H
#define XENPV_RING_H

#include <linux/interrupt.h>
#include <xen/grant_table.h>
#include <xen/interface/event_channel.h>

struct xenbus_device;

#define XENPV_RING_MAX_ORDER 4
#define XENPV_RING_MAX_PAGES 16u

/**
 * struct xenpv_shring - a ring shared with the peer
 * @addr: virtually and physically contiguous, zeroed; NULL when not set up
 * @nr_pages: pages shared
 * @refs: their references
 * @port: event channel, 0 when none
 * @irq: bound interrupt, 0 when none
 * @irq_data: cookie of the handler
 */
struct xenpv_shring {
	void *addr;
	u32 nr_pages;
	grant_ref_t refs[XENPV_RING_MAX_PAGES];
	evtchn_port_t port;
	int irq;
	void *irq_data;
};

int xenpv_shring_alloc(struct xenpv_shring *ring, domid_t domid, u32 order);
int xenpv_shring_bind(struct xenpv_shring *ring, struct xenbus_device *xdev,
		      irq_handler_t handler, const char *name, void *data);
void xenpv_shring_unbind(struct xenpv_shring *ring);
u32 xenpv_shring_free(struct xenpv_shring *ring);

#endif /* XENPV_RING_H */
