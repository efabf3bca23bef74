/* SPDX-License-Identifier: GPL-2.0-only */
/* One frontend's connection to its backend, driven by the table of state.c. */
#ifndef XENPV_LINK_H
#define XENPV_LINK_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <xen/xenbus.h>

#include "state.h"

struct xenpv_link;

/**
 * struct xenpv_link_ops - what a driver does when its connection moves
 * @offered: state written once the rings are published: Initialised, or
 *	Connected for a backend that waits for that (netif.h has no Initialised)
 * @setup: make rings and publish them in xenstore; 0 or -errno
 * @connect: read the backend's features and prepare for I/O; 0 or -errno
 * @start: let I/O flow; the node says Connected
 * @reread: the backend may have changed size, mode or features
 * @kick: consume responses and notify the backend
 * @quiesce: stop I/O and interrupts; keep what is in flight. Idempotent
 * @release: free rings and grants; take back what is in flight. Called
 *	quiesced. Idempotent
 * @fail: end all I/O, kept and new, with an error. Called released. Idempotent
 * @drain: refuse new I/O, give what is in flight a bounded time to finish
 *
 * All run in process context under the link's mutex, one at a time. None may
 * wait for I/O without a bound: recovery of that I/O would run here too.
 */
struct xenpv_link_ops {
	enum xenbus_state offered;
	int (*setup)(struct xenpv_link *link);
	int (*connect)(struct xenpv_link *link);
	void (*start)(struct xenpv_link *link);
	void (*reread)(struct xenpv_link *link);
	void (*kick)(struct xenpv_link *link);
	void (*quiesce)(struct xenpv_link *link);
	void (*release)(struct xenpv_link *link);
	void (*fail)(struct xenpv_link *link);
	void (*drain)(struct xenpv_link *link);
};

/**
 * struct xenpv_link_params - bounds of a connection
 * @close_wait: jiffies to wait for each step of the backend's closing
 * @connect_wait: jiffies from our Initialised to the backend's Connected; at first
 *	the toolstack may have slow scripts to run before
 * @reconnect_wait: the same for a backend that has served the device before
 * @outage_wait: jiffies without a working connection until I/O fails
 * @backoff: jiffies to wait before setting up again after a second fault within
 *	@window, doubled each time up to @close_wait; 0 for none
 * @max_recoveries: faults survived within @window
 * @window: jiffies
 */
struct xenpv_link_params {
	unsigned long close_wait;
	unsigned long connect_wait;
	unsigned long reconnect_wait;
	unsigned long outage_wait;
	unsigned long backoff;
	u32 max_recoveries;
	unsigned long window;
};

#define XENPV_FAULT_LEN 160

/**
 * struct xenpv_link - a connection
 * @xdev: device
 * @ops: the driver's part
 * @params: bounds
 * @lock: held while an event is handled; guards the fields after it
 * @state: see &enum xenpv_state
 * @backend: the backend's path; a copy, because resume replaces the bus's own
 * @backend_id: the backend's domain
 * @budget: faults of late
 * @deadline: when the present wait expires; valid if @deadline_set
 * @outage_end: when to give up; valid if @outage
 * @setup_at: not to set up again before; valid if @held
 * @held: the backend waits for us, and we wait after a fault
 * @deadline_set: the state has a deadline
 * @outage: no working connection since some time
 * @served: the present backend has been connected
 * @recoveries: reconnects so far
 * @ev_lock: guards the fields after it; taken in any context
 * @pending: bit per &enum xenpv_event; the backend's bits are kept as one
 * @stopped: no event is accepted, not yet or not any more
 * @fault: what was found wrong, reported when the fault is handled
 * @work: handles events
 */
struct xenpv_link {
	struct xenbus_device *xdev;
	const struct xenpv_link_ops *ops;
	struct xenpv_link_params params;

	struct mutex lock;	/* see above */
	enum xenpv_state state;
	char *backend;
	domid_t backend_id;
	struct xenpv_budget budget;
	unsigned long deadline;
	unsigned long outage_end;
	unsigned long setup_at;
	bool held;
	bool deadline_set;
	bool outage;
	bool served;
	u32 recoveries;

	spinlock_t ev_lock;	/* see above */
	unsigned long pending;
	bool stopped;
	char fault[XENPV_FAULT_LEN];
	struct delayed_work work;
};

int xenpv_link_init(struct xenpv_link *link, struct xenbus_device *xdev,
		    const struct xenpv_link_ops *ops, const struct xenpv_link_params *params);
void xenpv_link_begin(struct xenpv_link *link);
void xenpv_link_event(struct xenpv_link *link, enum xenpv_event event);
void xenpv_link_backend_changed(struct xenpv_link *link);
__printf(2, 3) void xenpv_link_fault(struct xenpv_link *link, const char *fmt, ...);
int xenpv_link_resume(struct xenpv_link *link);
void xenpv_link_stop(struct xenpv_link *link);
void xenpv_link_detach(struct xenpv_link *link, unsigned int bound_ms);
void xenpv_link_destroy(struct xenpv_link *link);

int xenpv_links_init(void);
void xenpv_links_exit(void);

#endif /* XENPV_LINK_H */
