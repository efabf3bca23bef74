// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/host/view-guest.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/counters-json.h"
#include "lib/parse.h"
#include "lib/xs.h"
#include "lib/text.h"
#include "xenpv/bridge/files.h"
#include "xenpv/host/words.h"

#define TEXT_MAX    256
#define DRIVERS_MAX 16
#define VIFS_MAX    16
#define STATUS_MAX  (16u << 20)

static const char *const kinds[] = { "vbd", "vbd3", "qdisk" };

/* What there is: NULL for a missing node, an error only if the connection is gone. */
static int read_text(struct xs_conn *xs, const char *dir, const char *key, char **ret)
{
	char *text;
	int r = xsc_read(xs, XBT_NULL, dir, key, &text);

	if (r < 0)
		return xsc_is_fatal(r) ? r : 0;
	text_fit(text, TEXT_MAX);
	free(*ret);
	*ret = text;
	return 1;
}

static int read_u32(struct xs_conn *xs, const char *dir, const char *key, uint32_t *ret)
{
	int r = xsc_read_u32(xs, XBT_NULL, dir, key, 0, UINT32_MAX, ret);

	return r < 0 && xsc_is_fatal(r) ? r : 0;
}

/* The children of a directory that are numbers, at most VIEW_DEVICES_MAX. */
static int list_numbers(struct xs_conn *xs, const char *dir, uint32_t ret[VIEW_DEVICES_MAX],
			size_t *ret_n)
{
	_cleanup_free_ char **names = NULL;
	unsigned int n = 0;
	int r = xsc_list(xs, XBT_NULL, dir, &names, &n);

	*ret_n = 0;
	if (r < 0)
		return xsc_is_fatal(r) ? r : 0;
	for (unsigned int i = 0; i < n && *ret_n < VIEW_DEVICES_MAX; i++)
		if (parse_u32(names[i], 0, UINT32_MAX, &ret[*ret_n]) == 0)
			++*ret_n;
	return 0;
}

/* Agent. */

static int append(char **text, const char *more)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", *text ?: "", *text ? ", " : "", more) < 0)
		return -ENOMEM;
	free(*text);
	*text = joined;
	return 0;
}

static int read_drivers(struct xs_conn *xs, const char *home, char **ret)
{
	for (int i = 0; i < DRIVERS_MAX; i++) {
		_cleanup_free_ char *text = NULL;
		char key[32];
		int r;

		snprintf(key, sizeof(key), "drivers/%d", i);
		r = read_text(xs, home, key, &text);
		if (r <= 0)
			return r;
		r = append(ret, text);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_version(struct xs_conn *xs, const char *home, struct agent_view *a)
{
	static const char *const keys[] = { "attr/PVAddons/MajorVersion",
					    "attr/PVAddons/MinorVersion",
					    "attr/PVAddons/MicroVersion" };
	char *part[3] = { NULL };
	int r = 0;

	for (size_t i = 0; i < 3 && r >= 0; i++)
		r = read_text(xs, home, keys[i], &part[i]);
	if (r >= 0 && part[0]) {
		a->present = true;
		r = asprintf(&a->version, "%s.%s.%s", part[0], part[1] ?: "0", part[2] ?: "0");
		if (r < 0) {
			a->version = NULL;
			r = -ENOMEM;
		}
	}
	for (size_t i = 0; i < 3; i++)
		free(part[i]);
	return r;
}

static int read_address(struct xs_conn *xs, const char *home, uint32_t vif, char **ret)
{
	static const char *const forms[] = { "attr/vif/%u/ipv4/0", "attr/vif/%u/ipv6/0" };
	char key[64];
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		snprintf(key, sizeof(key), forms[i], vif);
		r = read_text(xs, home, key, ret);
	}
	return r;
}

const char *const fallback_kinds[2] = { "vbd", "vif" };

/* The value of "key=value" among words; NULL if there is none, or without memory. */
static char *word_of(const char *text, const char *key)
{
	size_t length = strlen(key);

	while (text) {
		if (strncmp(text, key, length) == 0 && text[length] == '=')
			return strndup(text + length + 1, strcspn(text + length + 1, " "));
		text = strchr(text, ' ');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

static int read_fallback(struct xs_conn *xs, const char *home, const char *kind,
			 struct fallback_view *ret)
{
	_cleanup_free_ char *words = NULL, *result = NULL;
	char key[64];
	int r;

	snprintf(key, sizeof(key), "data/xenpv/device/fallback/%s", kind);
	r = read_text(xs, home, key, &words);
	if (r <= 0)
		return r;
	snprintf(key, sizeof(key), "data/xenpv/device/fallback/%s/reason", kind);
	r = read_text(xs, home, key, &ret->reason);
	if (r < 0)
		return r;
	result = word_of(words, "result");
	ret->driver = word_of(words, "driver");
	ret->loaded = result && !strcmp(result, "loaded");
	/* All of it is the guest's to write, or to leave out. */
	if (!ret->driver && !(ret->driver = strdup("?")))
		return -ENOMEM;
	if (!ret->reason && !(ret->reason = strdup("?")))
		return -ENOMEM;
	return 0;
}

int view_agent(struct xs_conn *xs, uint32_t domid, struct agent_view *ret)
{
	_cleanup_free_ char *synchronised = NULL, *freeze = NULL, *none = NULL;
	struct agent_view a = { .synchronised = -1 };
	struct {
		const char *key;
		char **value;
	} texts[] = {
		{ "data/os_name", &a.os },
		{ "data/host_name_dns", &a.host_name },
		{ "data/xenpv/time/source", &a.time_source },
		{ "data/xenpv/time/offset", &a.time_offset },
		{ "data/xenpv/time/synchronised", &synchronised },
		{ "data/xenpv/shutdown/state", &a.stop_state },
		{ "data/xenpv/shutdown/unit", &a.stop_unit },
		{ "data/xenpv/feature-freeze", &freeze },
		{ "data/xenpv/freeze/state", &a.freeze_state },
		{ "data/xenpv", &none },
	};
	char home[32];
	int r;

	snprintf(home, sizeof(home), "/local/domain/%u", domid);
	r = read_version(xs, home, &a);
	for (size_t i = 0; i < ELEMENTSOF(texts) && r >= 0; i++)
		r = read_text(xs, home, texts[i].key, texts[i].value);
	if (r >= 0)
		r = read_drivers(xs, home, &a.drivers);
	for (size_t i = 0; i < ELEMENTSOF(a.fallback) && r >= 0; i++)
		r = read_fallback(xs, home, fallback_kinds[i], &a.fallback[i]);
	for (uint32_t vif = 0; vif < VIFS_MAX && r >= 0 && !a.address; vif++)
		r = read_address(xs, home, vif, &a.address);
	a.ours = none || a.stop_state;
	a.present = a.present || a.ours;
	a.can_freeze = freeze && !strcmp(freeze, "1");
	if (synchronised)
		a.synchronised = !strcmp(synchronised, "1");
	*ret = a;
	return r < 0 ? r : 0;
}

/* Devices. */

static void take_driver(const char *kind, struct vbd_view *v)
{
	v->backend = !strcmp(kind, "qdisk") ? "qemu" : "none";
}

static int read_vbd(struct xs_conn *xs, uint32_t domid, const char *kind, struct vbd_view *v)
{
	_cleanup_free_ char *mode = NULL, *type = NULL, *error = NULL;
	char dir[64], front[64];
	int r;

	take_driver(kind, v);
	snprintf(dir, sizeof(dir), "/local/domain/0/backend/%s/%u/%u", kind, domid, v->devid);
	snprintf(front, sizeof(front), "/local/domain/%u/device/vbd/%u", domid, v->devid);
	r = read_text(xs, dir, "dev", &v->vdev);
	if (r >= 0)
		r = read_text(xs, dir, "params", &v->path);
	if (r >= 0)
		r = read_text(xs, dir, "mode", &mode);
	if (r >= 0)
		r = read_text(xs, dir, "device-type", &type);
	if (r >= 0)
		r = read_u32(xs, dir, "state", &v->state);
	if (r >= 0)
		r = read_u32(xs, front, "state", &v->frontend_state);
	if (r >= 0)
		r = read_text(xs, dir, "hotplug-error", &error);
	v->readonly = mode && mode[0] == 'r';
	v->cdrom = type && !strcmp(type, "cdrom");
	if (error && *error)
		v->error = TAKE_PTR(error);
	return r;
}

static int read_vif(struct xs_conn *xs, uint32_t domid, struct vif_view *v)
{
	char dir[64], home[32];
	int r;

	snprintf(dir, sizeof(dir), "/local/domain/0/backend/vif/%u/%u", domid, v->handle);
	snprintf(home, sizeof(home), "/local/domain/%u", domid);
	r = read_text(xs, dir, "mac", &v->mac);
	if (r >= 0)
		r = read_text(xs, dir, "bridge", &v->bridge);
	if (r >= 0)
		r = read_u32(xs, dir, "state", &v->state);
	if (r >= 0)
		r = read_address(xs, home, v->handle, &v->address);
	return r;
}

static int read_vbds(struct xs_conn *xs, struct guest_view *g)
{
	uint32_t numbers[VIEW_DEVICES_MAX];
	size_t n;
	int r = 0;

	g->vbd = calloc(ELEMENTSOF(kinds) * VIEW_DEVICES_MAX, sizeof(*g->vbd));
	if (!g->vbd)
		return -ENOMEM;
	for (size_t k = 0; k < ELEMENTSOF(kinds) && r >= 0; k++) {
		char dir[64];

		snprintf(dir, sizeof(dir), "/local/domain/0/backend/%s/%u", kinds[k], g->hv.domid);
		r = list_numbers(xs, dir, numbers, &n);
		for (size_t i = 0; i < n && r >= 0; i++) {
			struct vbd_view *v = &g->vbd[g->n_vbds++];

			v->devid = numbers[i];
			r = read_vbd(xs, g->hv.domid, kinds[k], v);
		}
	}
	return r;
}

static uint64_t number_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value) : 0;
}

static const char *string_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : NULL;
}

/* What the daemon says of a guest's devices, or NULL. */
static struct json_object *devices_of(struct json_object *status, uint32_t domid)
{
	struct json_object *guests, *devices, *o;

	if (!status || !json_object_object_get_ex(status, "guests", &guests) ||
	    !json_object_is_type(guests, json_type_array))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(guests); i++) {
		struct json_object *guest = json_object_array_get_idx(guests, i);

		if (json_object_object_get_ex(guest, "domid", &o) &&
		    json_object_get_int64(o) == domid &&
		    json_object_object_get_ex(guest, "devices", &devices) &&
		    json_object_is_type(devices, json_type_array))
			return devices;
	}
	return NULL;
}

/* Numbers of disks and interfaces overlap. */
static struct json_object *find_device(struct json_object *devices, bool vif, uint32_t devid)
{
	struct json_object *o;

	for (size_t i = 0; devices && i < json_object_array_length(devices); i++) {
		struct json_object *d = json_object_array_get_idx(devices, i);
		const char *kind = string_of(d, "kind");

		if (json_object_object_get_ex(d, "devid", &o) &&
		    json_object_get_int64(o) == devid && (kind && strcmp(kind, "vif") == 0) == vif)
			return d;
	}
	return NULL;
}

static int replace(char **text, const char *value)
{
	char *copy;

	if (!value || !*value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	text_fit(copy, TEXT_MAX);
	free(*text);
	*text = copy;
	return 0;
}

/* What the daemon says of a disk that it serves. */
static int take_status(struct json_object *d, struct vbd_view *v)
{
	const char *driver = string_of(d, "driver");
	int r = replace(&v->path, string_of(d, "path"));

	if (r >= 0)
		r = replace(&v->error, string_of(d, "error"));
	v->backend = driver && !strcmp(driver, "kernel") ? "kernel" : "xenpv-backendd";
	v->size = number_of(d, "size");
	v->rings = (uint32_t)number_of(d, "rings");
	v->ring_pages = (uint32_t)number_of(d, "ring_pages");
	v->persistent = number_of(d, "persistent") != 0;
	return r;
}

int view_status_guest(struct json_object *status, struct guest_view *g)
{
	struct json_object *devices = devices_of(status, g->hv.domid);
	int r = 0;

	for (size_t i = 0; i < g->n_vbds && r >= 0; i++) {
		struct json_object *d = find_device(devices, false, g->vbd[i].devid);

		if (d)
			r = take_status(d, &g->vbd[i]);
	}
	return r;
}

int view_devices(struct xs_conn *xs, struct json_object *status, struct guest_view *g)
{
	uint32_t numbers[VIEW_DEVICES_MAX];
	char dir[64];
	size_t n = 0;
	int r = read_vbds(xs, g);

	if (r >= 0)
		r = view_status_guest(status, g);
	if (r < 0)
		return r;
	snprintf(dir, sizeof(dir), "/local/domain/0/backend/vif/%u", g->hv.domid);
	r = list_numbers(xs, dir, numbers, &n);
	g->vif = calloc(n + 1, sizeof(*g->vif));
	if (!g->vif)
		return -ENOMEM;
	for (size_t i = 0; i < n && r >= 0; i++) {
		g->vif[g->n_vifs].handle = numbers[i];
		r = read_vif(xs, g->hv.domid, &g->vif[g->n_vifs++]);
	}
	return r < 0 ? r : 0;
}

/* "io" of the status file: what xenpv-backendd has done, see docs/host-command.md. */
static struct json_object *io_of(struct json_object *d)
{
	struct json_object *io;

	return d && json_object_object_get_ex(d, "io", &io) &&
			       json_object_is_type(io, json_type_object)
		       ? io
		       : NULL;
}

static bool take_vif_io(struct json_object *d, struct vif_counters *ret)
{
	struct json_object *io = io_of(d);

	if (!io)
		return false;
	*ret = (struct vif_counters){
		.sent_bytes = number_of(io, "tx_bytes"),
		.received_bytes = number_of(io, "rx_bytes"),
		.sent_packets = number_of(io, "tx_packets"),
		.received_packets = number_of(io, "rx_packets"),
		.errors = number_of(io, "tx_errors"),
		.dropped = number_of(io, "tx_dropped") + number_of(io, "rx_dropped"),
		.has_stalls = true,
		.stalls = number_of(io, "rx_stalls"),
		.stalled = number_of(io, "rx_stalled"),
	};
	return true;
}

static bool take_io(struct json_object *d, struct vbd_counters *ret)
{
	struct json_object *io = io_of(d);

	if (!io)
		return false;
	*ret = (struct vbd_counters){
		.reads = number_of(io, "reads"),
		.writes = number_of(io, "writes"),
		.flushes = number_of(io, "flushes"),
		.discards = number_of(io, "discards"),
		.read_bytes = number_of(io, "read_bytes"),
		.written_bytes = number_of(io, "written_bytes"),
		.errors = number_of(io, "errors"),
		.has_errors = true,
		.has_queue = true,
		.in_flight = number_of(io, "in_flight"),
		.busy_us = number_of(io, "busy_us"),
	};
	ret->others = ret->flushes + ret->discards;
	return true;
}

void view_count_guest(struct json_object *status, struct guest_view *g)
{
	struct json_object *devices = devices_of(status, g->hv.domid);

	for (size_t i = 0; i < g->n_vbds; i++) {
		struct vbd_view *v = &g->vbd[i];

		v->counted = kernel_vbd(g->hv.domid, v->devid, &v->counters) == 0;
		if (v->counted)
			v->backend = "kernel";
		else
			v->counted = take_io(find_device(devices, false, v->devid), &v->counters);
	}
	for (size_t i = 0; i < g->n_vifs; i++) {
		struct vif_view *v = &g->vif[i];

		/* the daemon also knows what never reached the tap, whatever its name is */
		v->counted = take_vif_io(find_device(devices, true, v->handle), &v->counters) ||
			     kernel_vif(g->hv.domid, v->handle, &v->counters) == 0;
	}
}

struct json_object *status_read(const char *path)
{
	_cleanup_free_ char *text = NULL, *dir = NULL;
	struct json_object *status;
	const char *slash;

	if (file_read(path, STATUS_MAX, &text) < 0)
		return NULL;
	status = json_tokener_parse(text);
	slash = strrchr(path, '/');
	dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (status && dir)
		counters_add_json(status, dir);
	return status;
}

void view_clear_guest(struct guest_view *g)
{
	struct agent_view *a = &g->agent;
	char *texts[] = { a->version,   a->os,          a->host_name,   a->drivers,
			  a->address,   a->time_source, a->time_offset, a->stop_state,
			  a->stop_unit, a->freeze_state };

	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < ELEMENTSOF(a->fallback); i++) {
		free(a->fallback[i].reason);
		free(a->fallback[i].driver);
	}
	for (size_t i = 0; i < g->n_vbds; i++) {
		free(g->vbd[i].vdev);
		free(g->vbd[i].path);
		free(g->vbd[i].error);
	}
	for (size_t i = 0; i < g->n_vifs; i++) {
		free(g->vif[i].mac);
		free(g->vif[i].bridge);
		free(g->vif[i].address);
	}
	free(g->vbd);
	free(g->vif);
	free(g->name);
	*g = (struct guest_view){ 0 };
}
