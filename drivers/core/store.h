/* SPDX-License-Identifier: GPL-2.0-only */
/* Transactions of xenstore, one at a time for all devices of the guest. */
#ifndef XENPV_STORE_H
#define XENPV_STORE_H

#include <xen/xenbus.h>

int xenpv_store_change(int (*change)(struct xenbus_transaction xbt, void *arg), void *arg);
int xenpv_switch_state(struct xenbus_device *xdev, enum xenbus_state state);
void xenpv_frontend_closed(struct xenbus_device *xdev);

#endif /* XENPV_STORE_H */
