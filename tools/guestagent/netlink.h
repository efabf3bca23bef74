/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces and addresses from the kernel (rtnetlink), and the news that they changed.
 */
#pragma once

#include <systemd/sd-event.h>

#include "nettable.h"

/*
 * netlink_read - fill @table with all links and addresses of the network namespace
 * @root: "" for the running system; "<root>/sys" tells which link is which vif
 * @table: an empty one
 *
 * A dump that the kernel marks as interrupted is taken again, a few times. Addresses that
 * nobody may use yet (tentative, duplicate) and those of the loopback scope are left out.
 * Errors: negative errno of the socket, -EAGAIN (changes never ended), -ENOMEM.
 */
int netlink_read(const char *root, struct net_table *table);

/*
 * netlink_device_vif - N if the interface @name is device/vif/N, else -1
 *
 * By the node that its driver names in sysfs, so that renamed interfaces are found too.
 */
int64_t netlink_device_vif(const char *root, const char *name);

/*
 * netlink_watch - call @changed when links or addresses changed
 * @ret: to be unreferenced by the caller
 *
 * What exactly changed is not told; a burst is one call. Events that the kernel had to
 * drop also count as a change. Errors: negative errno.
 */
int netlink_watch(sd_event *event, void (*changed)(void *userdata), void *userdata,
		  sd_event_source **ret);
