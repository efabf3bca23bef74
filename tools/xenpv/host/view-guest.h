/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of view.c and follow.c: what is read of one guest. */
#pragma once

#include "xenpv/host/view.h"

/* What the agent reports. Errors: those for which xsc_is_fatal() holds, -ENOMEM. */
int view_agent(struct xs_conn *xs, uint32_t domid, struct agent_view *ret);

/* Disks and interfaces that dom0 serves. @status: of xenpv-backendd, or NULL. Errors as above. */
int view_devices(struct xs_conn *xs, struct json_object *status, struct guest_view *g);

/* What the daemon says of its disks now; what it says nothing of stays. -ENOMEM. */
int view_status_guest(struct json_object *status, struct guest_view *g);

/* What has been counted of its devices. */
void view_count_guest(struct json_object *status, struct guest_view *g);

/* The status file, or NULL if there is none. The caller drops the reference. */
struct json_object *status_read(const char *path);

/* All domains, as an array. Errors: the loss of the hypervisor, as p says. */
int view_domains(const struct sources *s, struct hv_domain **ret, size_t *ret_n, struct problem *p);
/* Of one, whose .hv is set, what @parts says. view_clear_guest() it, also after an error. */
int view_gather_guest(const struct sources *s, unsigned int parts, struct json_object *status,
		      struct guest_view *g);
void view_clear_guest(struct guest_view *g);

/* Fill p; return @err. */
int view_no_hypervisor(struct problem *p, int err);
int view_no_xenstore(struct problem *p, int err);
