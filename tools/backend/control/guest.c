// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/status.h"
#include "lib/cleanup.h"
#include "lib/parse.h"

/*
 * A worker that lived this long did not die of its start, nor of a request that
 * the journal keeps handing to its successors: another is started at once.
 */
#define HEALTHY_US        UINT64_C(200000)
#define RESTART_DELAY_US  UINT64_C(20000)
#define RESTART_DELAY_MAX UINT64_C(2000000)

static uint64_t now(struct broker *b)
{
	uint64_t t = 0;

	sd_event_now(b->event, CLOCK_MONOTONIC, &t);
	return t;
}

struct guest *guest_find(struct broker *b, uint32_t domid)
{
	struct guest *g;

	LIST_FOREACH (g, &b->guests[domid % BROKER_GUEST_BUCKETS], link)
		if (g->domid == domid)
			return g;
	return NULL;
}

struct device *guest_find_device(struct guest *g, enum device_kind kind, uint32_t devid)
{
	struct device *dev;

	LIST_FOREACH (dev, &g->devices, in_guest)
		if (dev->devid == devid && dev->kind == kind)
			return dev;
	return NULL;
}

/*
 * One watch for all frontends of a guest: in a driver domain watches are
 * rationed. It also fires for keys other than `state`, which are ignored here.
 */
static void on_frontend(void *userdata, const char *path)
{
	struct guest *g = userdata;
	size_t n = strlen(g->frontend_dir);
	struct device *dev;
	uint32_t devid = 0;
	bool all = strlen(path) <= n;

	if (!all) {
		const char *p = path + n + 1;

		if (parse_component(&p, &devid) < 0 || (*p && strcmp(p, "state")))
			return;
	}
	LIST_FOREACH (dev, &g->devices, in_guest)
		if (all || dev->devid == devid)
			device_kick(dev);
}

int guest_get(struct broker *b, uint32_t domid, struct guest **ret)
{
	struct guest *g = guest_find(b, domid);
	int r;

	if (g) {
		*ret = g;
		return 0;
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->broker = b;
	g->domid = domid;
	LIST_INIT(&g->devices);
	snprintf(g->frontend_dir, sizeof(g->frontend_dir), "/local/domain/%u/device/vbd", domid);
	r = xsc_watch(b->xs, g->frontend_dir, on_frontend, g, &g->watch);
	if (r < 0) {
		free(g);
		return r;
	}
	LIST_INSERT_HEAD(&b->guests[domid % BROKER_GUEST_BUCKETS], g, link);
	b->n_guests++;
	*ret = g;
	return 0;
}

void guest_release(struct guest *g)
{
	if (!LIST_EMPTY(&g->devices))
		return;
	workerproc_free(g->worker);
	xsc_unwatch(g->watch);
	LIST_REMOVE(g, link);
	g->broker->n_guests--;
	free(g);
}

static void on_ring_error(void *userdata, uint32_t devid, const struct worker_ring_error *error)
{
	struct guest *g = userdata;
	struct device *dev;

	LIST_FOREACH (dev, &g->devices, in_guest)
		if (dev->devid == devid) {
			device_ring_error(dev, error);
			return;
		}
}

static void on_died(void *userdata, const char *why)
{
	struct guest *g = userdata;
	uint64_t t = now(g->broker), delay = 0;
	pid_t pid = workerproc_pid(g->worker);
	struct device *dev;

	workerproc_free(g->worker);
	g->worker = NULL;
	g->restarts++;
	g->deaths = t - g->started >= HEALTHY_US ? 1 : g->deaths + 1;
	/* The first time at once, then each time twice as long. */
	if (g->deaths > 1) {
		unsigned int shift = g->deaths - 2 < 10 ? g->deaths - 2 : 10;

		delay = RESTART_DELAY_US << shift;
		if (delay > RESTART_DELAY_MAX)
			delay = RESTART_DELAY_MAX;
	}
	g->not_before = t + delay;
	log_error(0, "worker %d of domain %u ended: %s; starting another in %u ms", pid, g->domid,
		  why, (unsigned int)(delay / 1000));
	LIST_FOREACH (dev, &g->devices, in_guest)
		device_worker_died(dev);
	status_changed(g->broker);
}

int guest_worker(struct guest *g, struct workerproc **ret, uint64_t *ret_delay_us)
{
	static const struct workerproc_events events = { on_ring_error, on_died };
	struct broker *b = g->broker;
	const struct options *o = &b->options;
	const struct workerproc_settings settings = {
		.path = b->worker_path,
		.user = o->worker_user,
		.answer_timeout_s = o->drain_timeout,
		.hello = {
			.version = WORKER_PROTO_VERSION,
			.domid = g->domid,
			.poll_us = o->poll_us,
			.copy_max = o->copy_max,
			.persistent_max = o->persistent_max,
		},
	};
	uint64_t t = now(b);
	int r;

	if (!g->worker) {
		if (t < g->not_before) {
			*ret_delay_us = g->not_before - t;
			return -EAGAIN;
		}
		r = workerproc_start(b->event, &settings, &events, g, &g->worker);
		if (r < 0)
			return r;
		g->started = t;
		log_info("worker %d serves domain %u", workerproc_pid(g->worker), g->domid);
		status_changed(b);
	}
	*ret = g->worker;
	return 0;
}
