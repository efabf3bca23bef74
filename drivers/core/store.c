// SPDX-License-Identifier: GPL-2.0-only
/*
 * xenstored lets a domain have ten transactions at a time (its option
 * --transaction), and a guest may well have more devices that connect at once.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "store.h"

/* Somebody else changed what a transaction looked at: it is made again, so often. */
#define CONFLICTS	100

/* Programs of the guest have transactions, too. */
#define BUSY_TRIES	50
#define BUSY_MS		20

/* The kernel has tried to close the device meanwhile, so there is little point in more. */
#define SWITCH_TRIES	3

/* One transaction, that of a state included. */
static DEFINE_MUTEX(store_lock);

static int begin(struct xenbus_transaction *xbt)
{
	int tries, err;

	for (tries = 0; tries < BUSY_TRIES; tries++) {
		err = xenbus_transaction_start(xbt);
		if (err != -ENOSPC)
			break;
		msleep(BUSY_MS);
	}
	return err;
}

/**
 * xenpv_store_change - change several nodes at once
 * @change: makes the changes, and is called again if there was a conflict; 0
 *	or a negative errno, with which nothing is changed
 * @arg: of it
 *
 * Process context; waits a second at most for a transaction to be had. Return:
 * 0 or a negative errno.
 */
int xenpv_store_change(int (*change)(struct xenbus_transaction xbt, void *arg), void *arg)
{
	struct xenbus_transaction xbt;
	int tries, err = -EAGAIN;

	mutex_lock(&store_lock);
	for (tries = 0; tries < CONFLICTS && err == -EAGAIN; tries++) {
		err = begin(&xbt);
		if (err)
			break;
		err = change(xbt, arg);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			break;
		}
		err = xenbus_transaction_end(xbt, 0);
	}
	mutex_unlock(&store_lock);
	return err;
}
EXPORT_SYMBOL_GPL(xenpv_store_change);

/**
 * xenpv_switch_state - tell the backend our state
 * @xdev: device
 * @state: new state
 *
 * xenbus_switch_state() makes a transaction, too, and says that it succeeded
 * when it got none. Process context. Return: 0, or -EBUSY.
 */
int xenpv_switch_state(struct xenbus_device *xdev, enum xenbus_state state)
{
	int tries;

	mutex_lock(&store_lock);
	for (tries = 0; tries < SWITCH_TRIES; tries++) {
		if (tries)
			msleep(BUSY_MS);
		xenbus_switch_state(xdev, state);
		if (xdev->state == state)
			break;
	}
	mutex_unlock(&store_lock);
	return tries < SWITCH_TRIES ? 0 : -EBUSY;
}
EXPORT_SYMBOL_GPL(xenpv_switch_state);

/**
 * xenpv_frontend_closed - tell the backend, and the bus, that the device is closed
 * @xdev: device
 */
void xenpv_frontend_closed(struct xenbus_device *xdev)
{
	mutex_lock(&store_lock);
	xenbus_frontend_closed(xdev);
	mutex_unlock(&store_lock);
}
EXPORT_SYMBOL_GPL(xenpv_frontend_closed);
