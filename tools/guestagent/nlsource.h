/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink sockets that tell that something has changed, as sources of the event loop. */
#pragma once

#include <stdint.h>

#include <systemd/sd-event.h>

/*
 * nlsource_add - join multicast groups and have @handler called for what comes
 * @protocol: NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT
 * @groups: a bit for each group up to 32, the first being bit 0
 * @userdata: from malloc(); freed with the source, or at once if there will be none
 *
 * The socket does not block, and is closed with the source. Errors: negative errno.
 */
int nlsource_add(sd_event *event, int protocol, uint32_t groups, sd_event_io_handler_t handler,
		 void *userdata, sd_event_source **ret);
