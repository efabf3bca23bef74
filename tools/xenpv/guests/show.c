// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv show: all that is known of one guest. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/xs.h"
#include "lib/text.h"
#include "xenpv/command.h"
#include "xenpv/host/view.h"
#include "xenpv/host/words.h"

/* How much of what the agent reports is shown. */
#define REPORT_DEPTH 4
#define REPORT_NODES 400

static const char *const bus_states[] = { "none",        "initialising",  "waiting",
					  "initialised", "connected",     "closing",
					  "closed",      "reconfiguring", "reconfigured" };

static const char *bus_state(uint32_t state)
{
	return state < ELEMENTSOF(bus_states) ? bus_states[state] : "unknown";
}

static void print_text(const char *what, const char *text)
{
	if (text && *text)
		printf("  %-14s %s\n", what, text);
}

static void print_fallback(const struct agent_view *a)
{
	for (size_t i = 0; i < ELEMENTSOF(a->fallback); i++)
		if (a->fallback[i].driver)
			printf("  %-14s %s: %s; %s %s\n", "fallback", fallback_kinds[i],
			       a->fallback[i].reason, a->fallback[i].driver,
			       a->fallback[i].loaded ? "was loaded" : "could not be loaded either");
}

/* Of all that was ever done. */
static double mean_us(const struct vbd_counters *c)
{
	double n = (double)c->reads + (double)c->writes + (double)c->flushes + (double)c->discards;

	return n > 0 ? (double)c->busy_us / n : 0;
}

static void print_vbd(const struct vbd_view *v)
{
	const struct vbd_counters *c = &v->counters;

	printf("  vbd %-10s %s%s, %s, %s", v->vdev ?: "?", v->readonly ? "read-only" : "writable",
	       v->cdrom ? " CD" : "", v->backend, bus_state(v->state));
	if (v->state != v->frontend_state)
		printf(" (guest: %s)", bus_state(v->frontend_state));
	putchar('\n');
	if (v->path)
		printf("      %s", v->path);
	if (v->size)
		printf(", %llu MiB", (unsigned long long)(v->size >> 20));
	if (v->rings)
		printf(", %u rings of %u pages%s", v->rings, v->ring_pages,
		       v->persistent ? ", persistent grants" : "");
	if (v->path || v->size || v->rings)
		putchar('\n');
	if (v->counted)
		printf("      %llu reads (%llu KiB), %llu writes (%llu KiB), %llu flushes, %llu "
		       "discards\n",
		       (unsigned long long)c->reads, (unsigned long long)(c->read_bytes >> 10),
		       (unsigned long long)c->writes, (unsigned long long)(c->written_bytes >> 10),
		       (unsigned long long)c->flushes, (unsigned long long)c->discards);
	if (v->counted && c->has_queue)
		printf("      %llu errors, %llu in flight, %.0f us a request\n",
		       (unsigned long long)c->errors, (unsigned long long)c->in_flight, mean_us(c));
	if (v->error)
		printf("      error: %s\n", v->error);
}

static void print_vif(const struct vif_view *v)
{
	const struct vif_counters *c = &v->counters;

	printf("  vif %-10u %s on %s, %s\n", v->handle, v->mac ?: "?", v->bridge ?: "no bridge",
	       bus_state(v->state));
	if (v->address)
		printf("      %s\n", v->address);
	if (v->counted)
		printf("      sent %llu KiB (%llu packets), received %llu KiB (%llu packets), "
		       "%llu errors, %llu dropped\n",
		       (unsigned long long)(c->sent_bytes >> 10),
		       (unsigned long long)c->sent_packets,
		       (unsigned long long)(c->received_bytes >> 10),
		       (unsigned long long)c->received_packets, (unsigned long long)c->errors,
		       (unsigned long long)c->dropped);
	if (v->counted && c->stalls)
		printf("      the guest took no packets for long %llu times%s\n",
		       (unsigned long long)c->stalls, c->stalled ? ", and takes none now" : "");
}

static void print_guest(const struct guest_view *g)
{
	const struct agent_view *a = &g->agent;
	enum guest_state state = guest_state(&g->hv);
	char xm[XM_STATE];

	guest_state_xm(&g->hv, xm);
	printf("%s\n", g->name);
	printf("  %-14s %u\n", "domain", g->hv.domid);
	print_text("uuid", g->hv.uuid);
	print_text("type", hv_type_name(g->hv.type));
	printf("  %-14s %s (virsh: %s, xm: %s)\n", "state", guest_state_name(state),
	       guest_state_virsh(state), xm);
	printf("  %-14s %u, %.1f s\n", "vcpus", g->hv.vcpus, (double)g->hv.cpu_ns / 1e9);
	printf("  %-14s %llu KiB", "memory", (unsigned long long)g->hv.memory_kib);
	if (g->hv.max_kib != HV_NO_LIMIT)
		printf(" of at most %llu KiB", (unsigned long long)g->hv.max_kib);
	putchar('\n');
	if (g->hv.domid == 0)
		return;
	print_text("agent", a->present ? (a->version ?: "unknown version") : "none");
	print_text("system", a->os);
	print_text("host name", a->host_name);
	print_text("drivers", a->drivers);
	print_fallback(a);
	print_text("address", a->address);
	if (a->synchronised >= 0)
		printf("  %-14s %s, %s%s%s\n", "time",
		       a->synchronised ? "synchronised" : "not synchronised",
		       a->time_source ?: "no source", a->time_offset ? ", offset " : "",
		       a->time_offset ?: "");
	if (a->stop_state && strcmp(a->stop_state, "running") != 0)
		printf("  %-14s %s%s%s\n", "shutdown", a->stop_state,
		       a->stop_unit ? ", held up by " : "", a->stop_unit ?: "");
	print_text("freeze", a->freeze_state);
	for (size_t i = 0; i < g->n_vbds; i++)
		print_vbd(&g->vbd[i]);
	for (size_t i = 0; i < g->n_vifs; i++)
		print_vif(&g->vif[i]);
}

/* What the agent reports below a node, flat: path from @base on to value. Bounded. */
static void add_report(struct xs_conn *xs, const char *path, size_t base, unsigned int depth,
		       struct json_object *o)
{
	_cleanup_free_ char **names = NULL, *text = NULL;
	unsigned int n = 0;

	if (json_object_object_length(o) >= REPORT_NODES)
		return;
	if (xsc_read(xs, XBT_NULL, path, "", &text) >= 0 && *text) {
		text_fit(text, 1024);
		json_object_object_add(o, path + base, json_object_new_string(text));
	}
	if (depth == 0 || xsc_list(xs, XBT_NULL, path, &names, &n) < 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		_cleanup_free_ char *child = NULL;

		if (asprintf(&child, "%s/%s", path, names[i]) < 0) {
			child = NULL;
			return;
		}
		add_report(xs, child, base, depth - 1, o);
	}
}

static struct json_object *report_json(const struct sources *s, uint32_t domid)
{
	struct json_object *o = json_object_new_object();
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u/data/xenpv", domid);
	add_report(s->xs, path, strlen(path) + 1, REPORT_DEPTH, o);
	return o;
}

static void print_report(struct json_object *report)
{
	struct json_object_iterator it = json_object_iter_begin(report);
	struct json_object_iterator end = json_object_iter_end(report);

	if (json_object_object_length(report) > 0)
		printf("  agent's report\n");
	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
		printf("      %-24s %s\n", json_object_iter_peek_name(&it),
		       json_object_get_string(json_object_iter_peek_value(&it)));
}

static int show(const struct sources *s, const struct guest_view *g, bool json)
{
	struct json_object *report = report_json(s, g->hv.domid), *o;

	if (json) {
		o = view_json(g, VIEW_AGENT | VIEW_DEVICES);
		json_object_object_add(o, "report", report);
		return print_json(o, EXIT_DONE);
	}
	print_guest(g);
	print_report(report);
	json_object_put(report);
	return EXIT_DONE;
}

int cmd_show(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv show",
		.words = "GUEST",
		.summary = "Show all that is known of a guest: a name, a domain id or a UUID.",
		.json = json,
	};
	struct sources s = { 0 };
	const struct opt opts[] = { SOURCES_OPTIONS(&s), { 0 } };
	struct problem p = { 0 };
	struct view view = { 0 };
	struct hv_domain d;
	int status, r;

	if (!parse_options(&call, opts, 1, 1, &argc, &argv, &status))
		return status;
	r = sources_open(&s, NULL, &p);
	if (r >= 0)
		r = view_find(&s, argv[0], &d, NULL, &p);
	if (r >= 0)
		r = view_gather(&s, VIEW_AGENT | VIEW_DEVICES, &d.domid, &view, &p);
	if (r < 0) {
		problem_print(&p);
		status = p.status;
	} else {
		status = show(&s, &view.guest[0], call.json);
	}
	view_clear(&view);
	sources_close(&s);
	return status;
}
