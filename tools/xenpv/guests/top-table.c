// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/guests/top-table.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenpv/host/words.h"

static const char *const sorts[_TOP_SORT_MAX] = {
	[TOP_BY_DOMID] = "domid", [TOP_BY_CPU] = "cpu",   [TOP_BY_MEMORY] = "memory",
	[TOP_BY_IOPS] = "iops",   [TOP_BY_NAME] = "name",
};

const char *top_sort_name(enum top_sort sort)
{
	return sorts[sort];
}

int top_sort_parse(const char *text, enum top_sort *ret)
{
	for (int i = 0; i < _TOP_SORT_MAX; i++) {
		if (strcmp(sorts[i], text) != 0)
			continue;
		*ret = (enum top_sort)i;
		return 0;
	}
	return -EINVAL;
}

static int falling(double a, double b)
{
	return a > b ? -1 : a < b;
}

static int compare(const void *pa, const void *pb, void *userdata)
{
	const struct top_row *a = pa, *b = pb;
	int d = 0;

	switch (*(const enum top_sort *)userdata) {
	case TOP_BY_CPU:
		d = falling(a->rates.cpu, b->rates.cpu);
		break;
	case TOP_BY_MEMORY:
		d = falling((double)a->guest->hv.memory_kib, (double)b->guest->hv.memory_kib);
		break;
	case TOP_BY_IOPS:
		d = falling(a->rates.reads + a->rates.writes, b->rates.reads + b->rates.writes);
		break;
	case TOP_BY_NAME:
		d = strcmp(a->guest->name, b->guest->name);
		break;
	default:
		break;
	}
	if (d)
		return d;
	return a->guest->hv.domid < b->guest->hv.domid ? -1
						       : a->guest->hv.domid > b->guest->hv.domid;
}

int top_table_make(const struct view *view, const struct view *before, double seconds,
		   enum top_sort sort, struct top_table *ret)
{
	struct top_table t = { .view = view, .n = view->n };

	t.row = calloc(view->n + 1, sizeof(*t.row));
	if (!t.row)
		return -ENOMEM;
	for (size_t i = 0; i < view->n; i++) {
		const struct guest_view *g = &view->guest[i];

		t.row[i].guest = g;
		t.row[i].before = rates_before(before, g);
		t.row[i].seconds = seconds;
		rates_of(t.row[i].before, g, seconds, &t.row[i].rates);
	}
	qsort_r(t.row, t.n, sizeof(*t.row), compare, &sort);
	*ret = t;
	return 0;
}

void top_table_clear(struct top_table *t)
{
	free(t->row);
	*t = (struct top_table){ 0 };
}

void top_head(const struct view *view, const char *clock, char ret[TOP_HEAD][TOP_LINE])
{
	unsigned int running = 0, blocked = 0, paused = 0, crashed = 0, dying = 0, shutdown = 0;
	const struct hv_host *h = &view->host;

	for (size_t i = 0; i < view->n; i++) {
		switch (guest_state(&view->guest[i].hv)) {
		case GUEST_RUNNING:
		case GUEST_TRANSITION:
			running++;
			break;
		case GUEST_IDLE:
			blocked++;
			break;
		case GUEST_PAUSED:
			paused++;
			break;
		case GUEST_CRASHED:
			crashed++;
			break;
		case GUEST_DYING:
			dying++;
			break;
		case GUEST_HALTED:
		case GUEST_SUSPENDED:
			shutdown++;
			break;
		default:
			break;
		}
	}
	snprintf(ret[0], TOP_LINE, "xenpv top - %s   Xen %s", clock, h->version);
	snprintf(
		ret[1], TOP_LINE,
		"%zu domains: %u running, %u blocked, %u paused, %u crashed, %u dying, %u shutdown",
		view->n, running, blocked, paused, crashed, dying, shutdown);
	snprintf(ret[2], TOP_LINE, "Mem: %lluk total, %lluk used, %lluk free    CPUs: %u @ %uMHz",
		 (unsigned long long)h->memory_kib,
		 (unsigned long long)(h->memory_kib - h->free_kib), (unsigned long long)h->free_kib,
		 h->cpus, h->mhz);
}

void top_columns(char ret[TOP_LINE])
{
	snprintf(ret, TOP_LINE,
		 "%-16s %6s %10s %6s %10s %6s %10s %9s %5s %4s %9s %9s %4s %8s %9s %9s %4s %5s "
		 "%8s %7s %7s %5s %5s",
		 "NAME", "STATE", "CPU(sec)", "CPU(%)", "MEM(k)", "MEM(%)", "MAXMEM(k)",
		 "MAXMEM(%)", "VCPUS", "NETS", "NETTX(k)", "NETRX(k)", "VBDS", "VBD_OO", "VBD_RD",
		 "VBD_WR", "SSID", "RINGS", "IOPS", "MB/s", "LAT(us)", "QD", "ERR");
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* A value that may not be known. */
static const char *maybe(double value, bool known, char ret[24])
{
	if (known)
		snprintf(ret, 24, "%.0f", value);
	else
		strcpy(ret, "n/a");
	return ret;
}

void top_line(const struct top_table *t, const struct top_row *row, char ret[TOP_LINE])
{
	const struct guest_view *g = row->guest;
	const struct rates *r = &row->rates;
	char state[XM_STATE], most[24] = "no limit", most_share[24] = "n/a";
	char latency[24], queue[24], errors[24];

	guest_state_xentop(&g->hv, state);
	if (g->hv.max_kib != HV_NO_LIMIT) {
		snprintf(most, sizeof(most), "%llu", (unsigned long long)g->hv.max_kib);
		snprintf(most_share, sizeof(most_share), "%.1f",
			 share(g->hv.max_kib, t->view->host.memory_kib));
	}
	snprintf(ret, TOP_LINE,
		 "%-16.16s %6s %10llu %6.1f %10llu %6.1f %10s %9s %5u %4zu %9llu %9llu %4zu %8llu "
		 "%9llu %9llu %4u %5u %8.0f %7.1f %7s %5s %5s",
		 g->name, state, (unsigned long long)(g->hv.cpu_ns / 1000000000), r->cpu,
		 (unsigned long long)g->hv.memory_kib,
		 share(g->hv.memory_kib, t->view->host.memory_kib), most, most_share, g->hv.vcpus,
		 g->n_vifs, (unsigned long long)(r->sent >> 10),
		 (unsigned long long)(r->received >> 10), g->n_vbds, (unsigned long long)r->others,
		 (unsigned long long)r->n_reads, (unsigned long long)r->n_writes, g->hv.ssid,
		 r->rings, r->reads + r->writes, (r->read_rate + r->write_rate) / 1e6,
		 maybe(r->latency_us, r->latency_us >= 0, latency),
		 maybe(r->queue, r->queue >= 0, queue),
		 maybe((double)r->errors, r->has_errors, errors));
}

static void vbd_line(const struct top_row *row, const struct vbd_view *v, char ret[TOP_LINE])
{
	const struct vbd_counters *c = &v->counters;
	char latency[24], queue[24], errors[24];
	struct disk_rates r;

	rates_of_vbd(row->before, v, row->seconds, &r);
	snprintf(
		ret, TOP_LINE,
		"  vbd %-8.8s %-15s reads %llu writes %llu rings %u IOPS %.0f MB/s %.1f LAT(us) %s "
		"QD %s ERR %s %.200s",
		v->vdev ?: "?", v->backend, (unsigned long long)c->reads,
		(unsigned long long)c->writes, v->rings, r.reads + r.writes,
		(r.read_rate + r.write_rate) / 1e6, maybe(r.latency_us, r.latency_us >= 0, latency),
		maybe(r.queue, r.queue >= 0, queue),
		maybe((double)c->errors, v->counted && c->has_errors, errors), v->path ?: "");
}

static void vif_line(const struct top_row *row, const struct vif_view *v, char ret[TOP_LINE])
{
	const struct vif_counters *c = &v->counters;
	struct vif_rates r;

	rates_of_vif(row->before, v, row->seconds, &r);
	snprintf(ret, TOP_LINE,
		 "  vif %-8u %-15.15s sent %lluk received %lluk dropped %llu errors %llu "
		 "packets/s %.0f out %.0f in MB/s %.1f out %.1f in%s %.40s",
		 v->handle, v->bridge ?: "-", (unsigned long long)(c->sent_bytes >> 10),
		 (unsigned long long)(c->received_bytes >> 10), (unsigned long long)c->dropped,
		 (unsigned long long)c->errors, r.sent_packets, r.received_packets,
		 r.sent_rate / 1e6, r.received_rate / 1e6, c->stalled ? " STALLED" : "",
		 v->address ?: "");
}

bool top_device(const struct top_row *row, size_t n, char ret[TOP_LINE])
{
	const struct guest_view *g = row->guest;

	if (n < g->n_vbds) {
		vbd_line(row, &g->vbd[n], ret);
		return true;
	}
	n -= g->n_vbds;
	if (n >= g->n_vifs)
		return false;
	vif_line(row, &g->vif[n], ret);
	return true;
}

static void add_double(struct json_object *o, const char *key, double value)
{
	json_object_object_add(o, key, json_object_new_double(value));
}

static void add_maybe(struct json_object *o, const char *key, double value)
{
	json_object_object_add(o, key, value < 0 ? NULL : json_object_new_double(value));
}

static struct json_object *vbd_rates_json(const struct top_row *row, const struct vbd_view *v)
{
	struct json_object *o = json_object_new_object();
	struct disk_rates r;

	rates_of_vbd(row->before, v, row->seconds, &r);
	add_double(o, "reads_per_second", r.reads);
	add_double(o, "writes_per_second", r.writes);
	add_double(o, "read_bytes_per_second", r.read_rate);
	add_double(o, "written_bytes_per_second", r.write_rate);
	add_maybe(o, "latency_us", r.latency_us);
	return o;
}

static struct json_object *vif_rates_json(const struct top_row *row, const struct vif_view *v)
{
	struct json_object *o = json_object_new_object();
	struct vif_rates r;

	rates_of_vif(row->before, v, row->seconds, &r);
	add_double(o, "sent_packets_per_second", r.sent_packets);
	add_double(o, "received_packets_per_second", r.received_packets);
	add_double(o, "sent_bytes_per_second", r.sent_rate);
	add_double(o, "received_bytes_per_second", r.received_rate);
	return o;
}

/* Each device gets an object "rates". */
static void add_device_rates(struct json_object *o, const struct top_row *row)
{
	struct json_object *vbds = json_object_object_get(o, "vbds");
	struct json_object *vifs = json_object_object_get(o, "vifs");

	for (size_t i = 0; i < row->guest->n_vbds; i++)
		json_object_object_add(json_object_array_get_idx(vbds, i), "rates",
				       vbd_rates_json(row, &row->guest->vbd[i]));
	for (size_t i = 0; i < row->guest->n_vifs; i++)
		json_object_object_add(json_object_array_get_idx(vifs, i), "rates",
				       vif_rates_json(row, &row->guest->vif[i]));
}

static struct json_object *row_json(const struct top_row *row)
{
	struct json_object *o = view_json(row->guest, VIEW_DEVICES);
	const struct rates *r = &row->rates;

	add_double(o, "cpu_percent", r->cpu);
	add_double(o, "reads_per_second", r->reads);
	add_double(o, "writes_per_second", r->writes);
	add_double(o, "read_bytes_per_second", r->read_rate);
	add_double(o, "written_bytes_per_second", r->write_rate);
	add_double(o, "sent_bytes_per_second", r->sent_rate);
	add_double(o, "received_bytes_per_second", r->received_rate);
	add_maybe(o, "latency_us", r->latency_us);
	add_maybe(o, "in_flight", r->queue);
	json_object_object_add(o, "errors",
			       r->has_errors ? json_object_new_uint64(r->errors) : NULL);
	json_object_object_add(o, "rings", json_object_new_int64(r->rings));
	add_device_rates(o, row);
	return o;
}

struct json_object *top_json(const struct top_table *t, const char *clock, double seconds)
{
	struct json_object *o = json_object_new_object(), *host = json_object_new_object();
	struct json_object *guests = json_object_new_array();
	const struct hv_host *h = &t->view->host;

	json_object_object_add(o, "time", json_object_new_string(clock));
	add_double(o, "seconds", seconds);
	json_object_object_add(host, "version", json_object_new_string(h->version));
	json_object_object_add(host, "cpus", json_object_new_int64(h->cpus));
	json_object_object_add(host, "mhz", json_object_new_int64(h->mhz));
	json_object_object_add(host, "memory_kib", json_object_new_uint64(h->memory_kib));
	json_object_object_add(host, "free_kib", json_object_new_uint64(h->free_kib));
	json_object_object_add(o, "host", host);
	for (size_t i = 0; i < t->n; i++)
		json_object_array_add(guests, row_json(&t->row[i]));
	json_object_object_add(o, "guests", guests);
	return o;
}
