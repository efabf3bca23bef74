/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the broker writes to xenstore about a device, and the states it reads. */
#pragma once

#include "control/device.h"
#include "control/frontend.h"

/* Read states, online and hotplug status into dev->hs. Errors: of xenstore, but for -ENOENT. */
int nodes_refresh(struct device *dev);

/*
 * The toolstack writes our state, too. So each of these writes only if it is
 * what it was when the decision was made, and returns -ESTALE otherwise.
 */
int nodes_offer(struct device *dev);   /* from dev->hs.ours to InitWait */
int nodes_connect(struct device *dev); /* from InitWait to Connected */
int nodes_set_state(struct device *dev, enum xenbus_state state); /* from dev->hs.ours */

/* New size, with the state Connected again, which makes frontends read it. */
int nodes_resize(struct device *dev);

/* What an earlier instance offered, for a frontend that connected to that. */
int nodes_read_offer(struct device *dev, struct frontend_limits *ret);

/*
 * nodes_tell_refusal - make the attach fail soon, with dev->error as its reason
 *
 * libxl only looks at our state and at the script's exit status. The stock
 * script takes params that are neither file nor device for another script's
 * business: it exits with 1, and leaves hotplug-error alone, which libxl then
 * prints. So params is made such. In a driver domain dom0's libxl runs no script;
 * there the device's own nodes go, which libxl takes for a failure at once.
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
