/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of view.c: what is read of one guest. */
#pragma once

#include "xenpv/host/view.h"

/* What the agent reports. Errors: those for which xsc_is_fatal() holds, -ENOMEM. */
int view_agent(struct xs_conn *xs, uint32_t domid, struct agent_view *ret);

/* Disks and interfaces that dom0 serves. @status: of xenpv-backendd, or NULL. Errors as above. */
int view_devices(struct xs_conn *xs, struct json_object *status, struct guest_view *g);

/* What has been counted of its devices. */
void view_count_guest(struct json_object *status, struct guest_view *g);

/* The status file, or NULL if there is none. The caller drops the reference. */
struct json_object *status_read(const char *path);

void view_clear_guest(struct guest_view *g);
