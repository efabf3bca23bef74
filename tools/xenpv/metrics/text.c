// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/metrics/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/host/view.h"
#include "xenpv/host/words.h"

/* Between the quotes of a label. Control characters are gone already. */
static void put_label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (const char *c = value ?: ""; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', f);
		fputc(*c, f);
	}
	fputc('"', f);
}

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP xenpv_%s %s\n# TYPE xenpv_%s %s\n", name, help, name, type);
}

static void put_guest(FILE *f, const struct guest_view *g)
{
	put_label(f, "guest", g->name);
	fprintf(f, ",domid=\"%u\"", g->hv.domid);
}

static void one(FILE *f, const char *name, const char *type, const char *help, double value)
{
	head(f, name, type, help);
	fprintf(f, "xenpv_%s %.17g\n", name, value);
}

/* Figures of a guest: NAN leaves the guest out. */
typedef double (*guest_fn)(const struct guest_view *g);

static double cpu_seconds(const struct guest_view *g)
{
	return (double)g->hv.cpu_ns / 1e9;
}

static double memory(const struct guest_view *g)
{
	return (double)g->hv.memory_kib * 1024;
}

static double memory_max(const struct guest_view *g)
{
	return g->hv.max_kib == HV_NO_LIMIT ? NAN : (double)g->hv.max_kib * 1024;
}

static double vcpus(const struct guest_view *g)
{
	return g->hv.vcpus;
}

static double agent(const struct guest_view *g)
{
	return g->hv.domid ? g->agent.present : NAN;
}

static double synchronised(const struct guest_view *g)
{
	return g->agent.synchronised < 0 || !g->agent.present ? NAN : g->agent.synchronised;
}

static double offset(const struct guest_view *g)
{
	double value;

	return g->agent.time_offset && parse_real(g->agent.time_offset, &value) == 0 ? value : NAN;
}

static double stopping(const struct guest_view *g)
{
	const char *state = g->agent.stop_state;

	return state ? state[0] == 's' : NAN; /* "stopping", "stopped" */
}

static const struct {
	const char *name, *type, *help;
	guest_fn fn;
} guest_figures[] = {
	{ "guest_cpu_seconds_total", "counter", "CPU time of all vCPUs.", cpu_seconds },
	{ "guest_memory_bytes", "gauge", "Memory that the guest has.", memory },
	{ "guest_memory_max_bytes", "gauge", "Memory that the guest may have.", memory_max },
	{ "guest_vcpus", "gauge", "vCPUs online.", vcpus },
	{ "guest_agent", "gauge", "1 if an agent reports from the guest.", agent },
	{ "guest_time_synchronised", "gauge", "1 if the guest's clock follows a source.",
	  synchronised },
	{ "guest_time_offset_seconds", "gauge", "How far the guest's clock is ahead of its source.",
	  offset },
	{ "guest_stopping", "gauge", "1 while the guest shuts down.", stopping },
};

static void put_guests(FILE *f, const struct view *view)
{
	head(f, "guest_info", "gauge", "What there is; always 1.");
	for (size_t i = 0; i < view->n; i++) {
		const struct guest_view *g = &view->guest[i];

		fprintf(f, "xenpv_guest_info{");
		put_guest(f, g);
		fprintf(f, ",uuid=\"%s\",type=\"%s\",", g->hv.uuid, hv_type_name(g->hv.type));
		put_label(f, "os", g->agent.os);
		fputc(',', f);
		put_label(f, "agent", g->agent.version);
		fputc(',', f);
		put_label(f, "drivers", g->agent.drivers);
		fprintf(f, "} 1\n");
	}
	head(f, "guest_state", "gauge", "1 for the state that the guest is in.");
	for (size_t i = 0; i < view->n; i++) {
		fprintf(f, "xenpv_guest_state{");
		put_guest(f, &view->guest[i]);
		fprintf(f, ",state=\"%s\"} 1\n", guest_state_name(guest_state(&view->guest[i].hv)));
	}
	for (size_t k = 0; k < ELEMENTSOF(guest_figures); k++) {
		head(f, guest_figures[k].name, guest_figures[k].type, guest_figures[k].help);
		for (size_t i = 0; i < view->n; i++) {
			double value = guest_figures[k].fn(&view->guest[i]);

			if (isnan(value))
				continue;
			fprintf(f, "xenpv_%s{", guest_figures[k].name);
			put_guest(f, &view->guest[i]);
			fprintf(f, "} %.17g\n", value);
		}
	}
}

enum vbd_needs {
	NEEDS_COUNT,
	NEEDS_ERRORS,
	NEEDS_QUEUE,
};

static const struct {
	const char *name, *type, *help;
	size_t offset; /* in struct vbd_counters */
	enum vbd_needs needs;
	double scale;
} vbd_figures[] = {
	{ "vbd_reads_total", "counter", "Read requests.", offsetof(struct vbd_counters, reads),
	  NEEDS_COUNT, 1 },
	{ "vbd_writes_total", "counter", "Write requests.", offsetof(struct vbd_counters, writes),
	  NEEDS_COUNT, 1 },
	{ "vbd_flushes_total", "counter", "Flush requests.", offsetof(struct vbd_counters, flushes),
	  NEEDS_COUNT, 1 },
	{ "vbd_discards_total", "counter", "Discard requests.",
	  offsetof(struct vbd_counters, discards), NEEDS_COUNT, 1 },
	{ "vbd_read_bytes_total", "counter", "Bytes read.",
	  offsetof(struct vbd_counters, read_bytes), NEEDS_COUNT, 1 },
	{ "vbd_written_bytes_total", "counter", "Bytes written.",
	  offsetof(struct vbd_counters, written_bytes), NEEDS_COUNT, 1 },
	{ "vbd_errors_total", "counter", "Requests that failed.",
	  offsetof(struct vbd_counters, errors), NEEDS_ERRORS, 1 },
	{ "vbd_in_flight", "gauge", "Requests in flight.", offsetof(struct vbd_counters, in_flight),
	  NEEDS_QUEUE, 1 },
	{ "vbd_busy_seconds_total", "counter", "Sum of the times that requests took.",
	  offsetof(struct vbd_counters, busy_us), NEEDS_QUEUE, 1e-6 },
};

static bool has(const struct vbd_view *v, enum vbd_needs needs)
{
	return v->counted && (needs != NEEDS_ERRORS || v->counters.has_errors) &&
	       (needs != NEEDS_QUEUE || v->counters.has_queue);
}

static void put_vbd(FILE *f, const struct guest_view *g, const struct vbd_view *v)
{
	put_guest(f, g);
	fprintf(f, ",devid=\"%u\",", v->devid);
	put_label(f, "vdev", v->vdev);
}

static void put_vbds(FILE *f, const struct view *view)
{
	head(f, "vbd_connected", "gauge", "1 if both ends of the disk are connected.");
	for (size_t i = 0; i < view->n; i++)
		for (size_t k = 0; k < view->guest[i].n_vbds; k++) {
			const struct vbd_view *v = &view->guest[i].vbd[k];

			fprintf(f, "xenpv_vbd_connected{");
			put_vbd(f, &view->guest[i], v);
			fprintf(f, ",backend=\"%s\"} %d\n", v->backend,
				v->state == 4 && v->frontend_state == 4);
		}
	for (size_t n = 0; n < ELEMENTSOF(vbd_figures); n++) {
		head(f, vbd_figures[n].name, vbd_figures[n].type, vbd_figures[n].help);
		for (size_t i = 0; i < view->n; i++)
			for (size_t k = 0; k < view->guest[i].n_vbds; k++) {
				const struct vbd_view *v = &view->guest[i].vbd[k];
				const char *at = (const char *)&v->counters + vbd_figures[n].offset;

				if (!has(v, vbd_figures[n].needs))
					continue;
				fprintf(f, "xenpv_%s{", vbd_figures[n].name);
				put_vbd(f, &view->guest[i], v);
				fprintf(f, "} %.17g\n",
					(double)*(const uint64_t *)at * vbd_figures[n].scale);
			}
	}
}

static const struct {
	const char *name, *type, *help;
	size_t offset; /* in struct vif_counters */
	bool ours;     /* only xenpv-backendd counts it */
} vif_figures[] = {
	{ "vif_sent_bytes_total", "counter", "Bytes that the guest sent.",
	  offsetof(struct vif_counters, sent_bytes), false },
	{ "vif_received_bytes_total", "counter", "Bytes that the guest received.",
	  offsetof(struct vif_counters, received_bytes), false },
	{ "vif_sent_packets_total", "counter", "Packets that the guest sent.",
	  offsetof(struct vif_counters, sent_packets), false },
	{ "vif_received_packets_total", "counter", "Packets that the guest received.",
	  offsetof(struct vif_counters, received_packets), false },
	{ "vif_errors_total", "counter", "Packets with errors, both ways.",
	  offsetof(struct vif_counters, errors), false },
	{ "vif_dropped_total", "counter", "Packets dropped, both ways.",
	  offsetof(struct vif_counters, dropped), false },
	{ "vif_stalls_total", "counter", "Times that the guest took no packets for long.",
	  offsetof(struct vif_counters, stalls), true },
	{ "vif_stalled_queues", "gauge", "Queues of which the guest takes no packets now.",
	  offsetof(struct vif_counters, stalled), true },
};

static void put_vifs(FILE *f, const struct view *view)
{
	for (size_t n = 0; n < ELEMENTSOF(vif_figures); n++) {
		head(f, vif_figures[n].name, vif_figures[n].type, vif_figures[n].help);
		for (size_t i = 0; i < view->n; i++)
			for (size_t k = 0; k < view->guest[i].n_vifs; k++) {
				const struct vif_view *v = &view->guest[i].vif[k];
				const char *at = (const char *)&v->counters + vif_figures[n].offset;

				if (!v->counted || (vif_figures[n].ours && !v->counters.has_stalls))
					continue;
				fprintf(f, "xenpv_%s{", vif_figures[n].name);
				put_guest(f, &view->guest[i]);
				fprintf(f, ",handle=\"%u\",", v->handle);
				put_label(f, "bridge", v->bridge);
				fprintf(f, "} %" PRIu64 "\n", *(const uint64_t *)at);
			}
	}
}

int metrics_text(const struct view *view, char **ret, size_t *ret_size)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	bool failed;

	if (!f)
		return -ENOMEM;
	one(f, "host_cpus", "gauge", "Physical CPUs.", view->host.cpus);
	one(f, "host_memory_bytes", "gauge", "Memory installed.",
	    (double)view->host.memory_kib * 1024);
	one(f, "host_memory_free_bytes", "gauge", "Memory that no domain has.",
	    (double)view->host.free_kib * 1024);
	put_guests(f, view);
	put_vbds(f, view);
	put_vifs(f, view);
	failed = ferror(f);
	if (fclose(f) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	*ret_size = size;
	return 0;
}
