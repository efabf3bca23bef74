// SPDX-License-Identifier: GPL-2.0-or-later
#include <json-c/json.h>

#include "lib/cleanup.h"
#include "xenpv/host/view.h"
#include "xenpv/host/words.h"

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_uint64(n));
}

static void add_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

/* By kind of device; NULL if all have our drivers, or nobody says so. */
static struct json_object *fallback_json(const struct agent_view *a)
{
	struct json_object *all = NULL;

	for (size_t i = 0; i < ELEMENTSOF(a->fallback); i++) {
		struct json_object *o;

		if (!a->fallback[i].driver)
			continue;
		all = all ?: json_object_new_object();
		o = json_object_new_object();
		add_text(o, "driver", a->fallback[i].driver);
		add_bool(o, "loaded", a->fallback[i].loaded);
		add_text(o, "reason", a->fallback[i].reason);
		json_object_object_add(all, fallback_kinds[i], o);
	}
	return all;
}

static struct json_object *agent_json(const struct agent_view *a)
{
	struct json_object *o = json_object_new_object(), *time = json_object_new_object();

	add_text(o, "version", a->version);
	add_bool(o, "xenpv", a->ours);
	add_text(o, "os", a->os);
	add_text(o, "host_name", a->host_name);
	add_text(o, "drivers", a->drivers);
	add_text(o, "address", a->address);
	add_text(o, "shutdown", a->stop_state);
	add_text(o, "shutdown_unit", a->stop_unit);
	add_bool(o, "can_freeze", a->can_freeze);
	add_text(o, "freeze", a->freeze_state);
	json_object_object_add(o, "fallback", fallback_json(a));
	add_text(time, "source", a->time_source);
	add_text(time, "offset", a->time_offset);
	json_object_object_add(time, "synchronised",
			       a->synchronised < 0 ? NULL
						   : json_object_new_boolean(a->synchronised));
	json_object_object_add(o, "time", time);
	return o;
}

static struct json_object *vbd_io(const struct vbd_counters *c)
{
	struct json_object *o = json_object_new_object();

	add_number(o, "reads", c->reads);
	add_number(o, "writes", c->writes);
	add_number(o, "others", c->others);
	add_number(o, "flushes", c->flushes);
	add_number(o, "discards", c->discards);
	add_number(o, "read_bytes", c->read_bytes);
	add_number(o, "written_bytes", c->written_bytes);
	if (c->has_errors)
		add_number(o, "errors", c->errors);
	if (c->has_queue) {
		add_number(o, "in_flight", c->in_flight);
		add_number(o, "busy_us", c->busy_us);
	}
	return o;
}

static struct json_object *vbd_json(const struct vbd_view *v)
{
	struct json_object *o = json_object_new_object();

	add_number(o, "devid", v->devid);
	add_text(o, "vdev", v->vdev);
	add_text(o, "path", v->path);
	add_text(o, "backend", v->backend);
	add_bool(o, "readonly", v->readonly);
	add_bool(o, "cdrom", v->cdrom);
	add_number(o, "state", v->state);
	add_number(o, "frontend_state", v->frontend_state);
	if (v->size)
		add_number(o, "size", v->size);
	if (v->rings) {
		add_number(o, "rings", v->rings);
		add_number(o, "ring_pages", v->ring_pages);
		add_bool(o, "persistent", v->persistent);
	}
	add_text(o, "error", v->error);
	json_object_object_add(o, "io", v->counted ? vbd_io(&v->counters) : NULL);
	return o;
}

static struct json_object *vif_json(const struct vif_view *v)
{
	struct json_object *o = json_object_new_object(), *io = NULL;

	add_number(o, "handle", v->handle);
	add_text(o, "mac", v->mac);
	add_text(o, "bridge", v->bridge);
	add_text(o, "address", v->address);
	add_number(o, "state", v->state);
	if (v->counted) {
		io = json_object_new_object();
		add_number(io, "sent_bytes", v->counters.sent_bytes);
		add_number(io, "received_bytes", v->counters.received_bytes);
		add_number(io, "sent_packets", v->counters.sent_packets);
		add_number(io, "received_packets", v->counters.received_packets);
		add_number(io, "errors", v->counters.errors);
		add_number(io, "dropped", v->counters.dropped);
		if (v->counters.has_stalls) {
			add_number(io, "stalls", v->counters.stalls);
			add_number(io, "stalled", v->counters.stalled);
		}
	}
	json_object_object_add(o, "io", io);
	return o;
}

struct json_object *view_json(const struct guest_view *g, unsigned int parts)
{
	struct json_object *o = json_object_new_object();
	enum guest_state state = guest_state(&g->hv);
	char xm[XM_STATE];

	guest_state_xm(&g->hv, xm);
	add_text(o, "name", g->name);
	add_number(o, "domid", g->hv.domid);
	add_text(o, "uuid", g->hv.uuid);
	add_text(o, "type", hv_type_name(g->hv.type));
	add_text(o, "state", guest_state_name(state));
	add_text(o, "state_virsh", guest_state_virsh(state));
	add_text(o, "state_xm", xm);
	add_number(o, "vcpus", g->hv.vcpus);
	json_object_object_add(o, "cpu_seconds",
			       json_object_new_double((double)g->hv.cpu_ns / 1e9));
	add_number(o, "memory_kib", g->hv.memory_kib);
	json_object_object_add(
		o, "memory_max_kib",
		g->hv.max_kib == HV_NO_LIMIT ? NULL : json_object_new_uint64(g->hv.max_kib));
	if (parts & VIEW_AGENT)
		json_object_object_add(o, "agent", g->agent.present ? agent_json(&g->agent) : NULL);
	if (parts & VIEW_DEVICES) {
		struct json_object *vbds = json_object_new_array(), *vifs = json_object_new_array();

		for (size_t i = 0; i < g->n_vbds; i++)
			json_object_array_add(vbds, vbd_json(&g->vbd[i]));
		for (size_t i = 0; i < g->n_vifs; i++)
			json_object_array_add(vifs, vif_json(&g->vif[i]));
		json_object_object_add(o, "vbds", vbds);
		json_object_object_add(o, "vifs", vifs);
	}
	return o;
}
