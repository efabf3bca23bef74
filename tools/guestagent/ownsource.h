/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources of the event loop that own their descriptor and their data. */
#pragma once

#include <stdint.h>

#include <systemd/sd-event.h>

/*
 * ownsource_add - have @handler called for events on a descriptor
 * @fd: closed with the source
 * @events: EPOLLIN, EPOLLPRI
 * @userdata: from malloc(); freed with the source
 *
 * Both are taken over, also when it fails. Errors: negative errno.
 */
int ownsource_add(sd_event *event, int fd, uint32_t events, sd_event_io_handler_t handler,
		  void *userdata, sd_event_source **ret);
