/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the broker writes to xenstore about a device, and the states it reads. */
#pragma once

#include "control/device.h"

/* Read states, online, hotplug status and the class's own into dev->hs. Errors: of xenstore, but
 * for -ENOENT. */
int nodes_refresh(struct device *dev);

/*
 * The toolstack writes our state, too. So each of these writes only if it is
 * what it was when the decision was made, and returns -ESTALE otherwise.
 */
int nodes_offer(struct device *dev);   /* from dev->hs.ours to InitWait */
int nodes_connect(struct device *dev); /* from InitWait to Connected */
int nodes_set_state(struct device *dev, enum xenbus_state state); /* from dev->hs.ours */

/*
 * nodes_tell_refusal - make the attach fail soon, with dev->error as its reason
 *
 * libxl only looks at our state and at the script's exit status, so the script is
 * made to fail, in a way of each class that leaves hotplug-error alone, which libxl
 * then prints. In a driver domain dom0's libxl runs no script; there the device's
 * own nodes go, which libxl takes for a failure at once.
 */
int nodes_tell_refusal(struct device *dev);

/* Write dev->error where the toolstack and the administrator look. */
int nodes_tell_error(struct device *dev);
/* And remove it. */
void nodes_clear_error(struct device *dev);

/* The device's own nodes are gone: remove those that stand elsewhere. */
void nodes_forget(struct device *dev);

/* The device is detached: remove what others wait for to vanish. */
void nodes_release(struct device *dev);

/*
 * nodes_remove_own - remove the nodes of a device that is released, in a driver domain
 *
 * There dom0's libxl waits for our state 6, and then for the nodes to go. With scripts "xl devd"
 * removes them, after the one that it runs. Errors: -ESTALE, others of xenstore.
 */
int nodes_remove_own(struct device *dev);

/* For the classes, in the bodies of transactions. */
struct node_pair {
	const char *key;
	uint64_t value;
};
int nodes_put(const struct device *dev, xs_transaction_t t, const char *key, uint64_t value);
int nodes_put_all(const struct device *dev, xs_transaction_t t, const struct node_pair *pairs,
		  size_t n);
/* -ESTALE if our state is not @expected any more. */
int nodes_check_state(const struct device *dev, xs_transaction_t t, enum xenbus_state expected);
