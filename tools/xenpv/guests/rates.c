// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/guests/rates.h"

#include <string.h>

static double since(uint64_t before, uint64_t now)
{
	return (double)(now < before ? now : now - before);
}

static const struct vbd_view *find_vbd(const struct guest_view *g, uint32_t devid)
{
	for (size_t i = 0; g && i < g->n_vbds; i++)
		if (g->vbd[i].devid == devid && g->vbd[i].counted)
			return &g->vbd[i];
	return NULL;
}

static void add_vbd(const struct vbd_view *before, const struct vbd_view *v, double seconds,
		    struct rates *r, double *requests, double *busy)
{
	const struct vbd_counters *c = &v->counters, *b = before ? &before->counters : NULL;
	double reads, writes, others;

	r->rings += v->rings;
	if (!v->counted)
		return;
	r->n_reads += c->reads;
	r->n_writes += c->writes;
	r->others += c->others;
	if (c->has_errors) {
		r->has_errors = true;
		r->errors += c->errors;
	}
	if (c->has_queue)
		r->queue = (r->queue < 0 ? 0 : r->queue) + (double)c->in_flight;
	if (!b)
		return;
	reads = since(b->reads, c->reads);
	writes = since(b->writes, c->writes);
	r->reads += reads / seconds;
	r->writes += writes / seconds;
	r->read_rate += since(b->read_bytes, c->read_bytes) / seconds;
	r->write_rate += since(b->written_bytes, c->written_bytes) / seconds;
	if (!c->has_queue || !b->has_queue)
		return;
	others = since(b->flushes + b->discards, c->flushes + c->discards);
	*requests += reads + writes + others;
	*busy += since(b->busy_us, c->busy_us);
}

void rates_of(const struct guest_view *before, const struct guest_view *now, double seconds,
	      struct rates *ret)
{
	struct rates r = { .domid = now->hv.domid, .latency_us = -1, .queue = -1 };
	double requests = 0, busy = 0;

	if (before)
		r.cpu = since(before->hv.cpu_ns, now->hv.cpu_ns) / 1e7 / seconds;
	for (size_t i = 0; i < now->n_vbds; i++)
		add_vbd(find_vbd(before, now->vbd[i].devid), &now->vbd[i], seconds, &r, &requests,
			&busy);
	if (requests > 0)
		r.latency_us = busy / requests;
	for (size_t i = 0; i < now->n_vifs; i++) {
		if (!now->vif[i].counted)
			continue;
		r.sent += now->vif[i].counters.sent_bytes;
		r.received += now->vif[i].counters.received_bytes;
	}
	*ret = r;
}

const struct guest_view *rates_before(const struct view *before, const struct guest_view *now)
{
	for (size_t i = 0; before && i < before->n; i++)
		if (before->guest[i].hv.domid == now->hv.domid &&
		    !strcmp(before->guest[i].hv.uuid, now->hv.uuid))
			return &before->guest[i];
	return NULL;
}
