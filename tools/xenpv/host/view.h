/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests as the host sees them at one moment: from the hypervisor, xenstore, the status file of
 * xenpv-backendd, dom0's kernel, and what the agent in the guest reports.
 *
 * What a guest wrote is text of any kind; text_fit() has been applied to all text here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "xenpv/host/hypervisor.h"
#include "xenpv/host/kernel.h"

struct xs_conn;
struct json_object;
struct problem;

#define STATUS_PATH "/run/xenpv-backend/status.json"
/* No guest has more devices than this, whatever xenstore says. */
#define VIEW_DEVICES_MAX 128

struct vbd_view {
	uint32_t devid;
	char *vdev, *path;   /* NULL: not known */
	const char *backend; /* "xenpv-backendd", "kernel", "qemu", or "none" */
	bool readonly, cdrom;
	uint32_t state, frontend_state; /* of xenbus, 0: none */
	char *error;                    /* NULL: none */
	/* from xenpv-backendd; 0 if it is not known */
	uint64_t size; /* bytes */
	uint32_t rings, ring_pages;
	bool persistent;
	bool counted;
	struct vbd_counters counters;
};

struct vif_view {
	uint32_t handle;
	char *mac, *bridge, *address; /* NULL: not known. address: the first the agent reports */
	uint32_t state;
	bool counted;
	struct vif_counters counters;
};

/* All text may be NULL: not reported. */
struct agent_view {
	bool present, ours;
	char *version, *os, *host_name, *drivers, *address;
	char *time_source, *time_offset; /* seconds, signed */
	int synchronised;                /* 1, 0, or -1: not known */
	char *stop_state, *stop_unit;    /* data/xenpv/shutdown */
	bool can_freeze;
	char *freeze_state;
	/* Of vbd and vif: why the guest took the kernel's own driver instead of ours. */
	struct fallback_view {
		char *reason, *driver; /* NULL: it did not */
		bool loaded;           /* that driver; or that failed, too */
	} fallback[2];
};

/* Of what .fallback[i] is. */
extern const char *const fallback_kinds[2];

struct guest_view {
	struct hv_domain hv;
	char *name; /* never NULL; "?" if xenstore has none */
	struct agent_view agent;
	struct vbd_view *vbd;
	size_t n_vbds;
	struct vif_view *vif;
	size_t n_vifs;
};

struct view {
	struct hv_host host;
	struct guest_view *guest; /* by domid, dom0 first */
	size_t n;
};

struct sources {
	struct hypervisor hv;
	struct xs_conn *xs;
	const char *status_path; /* NULL for STATUS_PATH */
};

/* The options of these; part of the command's own table. */
#define SOURCES_OPTIONS(s)                                                                         \
	{                                                                                          \
		"status", 0, OPT_TEXT, &(s)->status_path, "FILE",                                  \
			"read FILE instead of " STATUS_PATH                                        \
	}

/* @event: NULL if there is nothing to be awaited */
int sources_open(struct sources *s, sd_event *event, struct problem *p);
void sources_close(struct sources *s);

/* Parts of a view. */
enum {
	VIEW_AGENT = 1,
	VIEW_DEVICES = 2, /* with what is counted of them */
};

/*
 * view_gather - look at all guests, or one
 * @only: domid of that one, or NULL
 *
 * A guest that vanishes meanwhile is left out. Errors: -ENOENT (@only does not exist, p says so);
 * else the loss of xenstore or the hypervisor.
 */
int view_gather(const struct sources *s, unsigned int parts, const uint32_t *only, struct view *ret,
		struct problem *p);
void view_clear(struct view *view);

/* What @view has counted, without names and other text. -ENOMEM; view_clear() it. */
int view_snapshot(const struct view *view, struct view *ret);

/*
 * view_find - the domain of this name, number or UUID
 *
 * Errors: -ENOENT (EXIT_ABSENT), and as view_gather().
 */
int view_find(const struct sources *s, const char *guest, struct hv_domain *ret, char **ret_name,
	      struct problem *p);

/* A node of a guest's home, fit to be printed; NULL if there is none. */
char *view_read(const struct sources *s, uint32_t domid, const char *key);

/* One guest as JSON, with the parts that were gathered. */
struct json_object *view_json(const struct guest_view *g, unsigned int parts);
