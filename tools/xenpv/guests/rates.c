// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/guests/rates.h"

#include <string.h>

static double since(uint64_t before, uint64_t now)
{
	return (double)(now - before);
}

/* Is what was counted then part of what is counted now? */
static bool vbd_went_on(const struct vbd_counters *b, const struct vbd_counters *c)
{
	return b->reads <= c->reads && b->writes <= c->writes && b->flushes <= c->flushes &&
	       b->discards <= c->discards && b->read_bytes <= c->read_bytes &&
	       b->written_bytes <= c->written_bytes && b->busy_us <= c->busy_us &&
	       b->has_queue == c->has_queue;
}

static bool vif_went_on(const struct vif_counters *b, const struct vif_counters *c)
{
	return b->sent_bytes <= c->sent_bytes && b->received_bytes <= c->received_bytes &&
	       b->sent_packets <= c->sent_packets && b->received_packets <= c->received_packets;
}

void rates_of_vbd(const struct guest_view *before, const struct vbd_view *now, double seconds,
		  struct disk_rates *ret)
{
	static const struct vbd_counters none;
	const struct vbd_counters *c = &now->counters, *b = NULL;
	struct disk_rates r = { .latency_us = -1, .queue = -1 };

	if (now->counted && c->has_queue)
		r.queue = (double)c->in_flight;
	for (size_t i = 0; now->counted && before && i < before->n_vbds; i++)
		if (before->vbd[i].devid == now->devid && before->vbd[i].counted)
			b = &before->vbd[i].counters;
	if (b) {
		if (!vbd_went_on(b, c))
			b = &none;
		r.reads = since(b->reads, c->reads) / seconds;
		r.writes = since(b->writes, c->writes) / seconds;
		r.read_rate = since(b->read_bytes, c->read_bytes) / seconds;
		r.write_rate = since(b->written_bytes, c->written_bytes) / seconds;
	}
	if (b && c->has_queue) {
		r.requests = since(b->reads, c->reads) + since(b->writes, c->writes) +
			     since(b->flushes, c->flushes) + since(b->discards, c->discards);
		r.busy_us = since(b->busy_us, c->busy_us);
		if (r.requests > 0)
			r.latency_us = r.busy_us / r.requests;
	}
	*ret = r;
}

void rates_of_vif(const struct guest_view *before, const struct vif_view *now, double seconds,
		  struct vif_rates *ret)
{
	static const struct vif_counters none;
	const struct vif_counters *c = &now->counters, *b = NULL;

	*ret = (struct vif_rates){ 0 };
	for (size_t i = 0; now->counted && before && i < before->n_vifs; i++)
		if (before->vif[i].handle == now->handle && before->vif[i].counted)
			b = &before->vif[i].counters;
	if (!b)
		return;
	if (!vif_went_on(b, c))
		b = &none;
	ret->sent_packets = since(b->sent_packets, c->sent_packets) / seconds;
	ret->received_packets = since(b->received_packets, c->received_packets) / seconds;
	ret->sent_rate = since(b->sent_bytes, c->sent_bytes) / seconds;
	ret->received_rate = since(b->received_bytes, c->received_bytes) / seconds;
}

static void add_vbd(const struct vbd_view *v, const struct disk_rates *d, struct rates *r)
{
	const struct vbd_counters *c = &v->counters;

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
	if (d->queue >= 0)
		r->queue = (r->queue < 0 ? 0 : r->queue) + d->queue;
	r->reads += d->reads;
	r->writes += d->writes;
	r->read_rate += d->read_rate;
	r->write_rate += d->write_rate;
}

void rates_of(const struct guest_view *before, const struct guest_view *now, double seconds,
	      struct rates *ret)
{
	struct rates r = { .domid = now->hv.domid, .latency_us = -1, .queue = -1 };
	double requests = 0, busy = 0;

	if (before && before->hv.cpu_ns <= now->hv.cpu_ns)
		r.cpu = since(before->hv.cpu_ns, now->hv.cpu_ns) / 1e7 / seconds;
	for (size_t i = 0; i < now->n_vbds; i++) {
		struct disk_rates d;

		rates_of_vbd(before, &now->vbd[i], seconds, &d);
		add_vbd(&now->vbd[i], &d, &r);
		requests += d.requests;
		busy += d.busy_us;
	}
	if (requests > 0)
		r.latency_us = busy / requests;
	for (size_t i = 0; i < now->n_vifs; i++) {
		struct vif_rates v;

		if (!now->vif[i].counted)
			continue;
		rates_of_vif(before, &now->vif[i], seconds, &v);
		r.sent += now->vif[i].counters.sent_bytes;
		r.received += now->vif[i].counters.received_bytes;
		r.sent_rate += v.sent_rate;
		r.received_rate += v.received_rate;
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
