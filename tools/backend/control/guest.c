// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/host-labels.h"
#include "control/status.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/parse.h"

/*
 * Starts of workers are paid for with time: a burst is free, so that a guest
 * waits as little as can be, and what goes on for ever, be it a worker that cannot
 * start or a request that kills whoever takes it up, is slow.
 */
#define START_COST_US  UINT64_C(250000)
#define START_BURST_US (20 * START_COST_US)

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

/* Is the frontend's key one that a device of this class acts on? */
static bool key_matters(const struct device_class *class, const char *key)
{
	if (!*key || !strcmp(key, "state"))
		return true;
	for (const char *const *ask = class->asks; *ask; ask++)
		if (!strcmp(*ask, key))
			return true;
	return false;
}

/*
 * One watch for all frontends of a class: in a driver domain watches are
 * rationed. It also fires for keys that nobody acts on, which are ignored here.
 */
static void on_frontend(void *userdata, const char *path)
{
	struct guest_frontends *f = userdata;
	size_t n = strlen(f->dir);
	const char *key = "";
	struct device *dev;
	uint32_t devid = 0;
	bool all = strlen(path) <= n;

	if (!all) {
		key = path + n + 1;
		if (parse_component(&key, &devid) < 0)
			return;
	}
	LIST_FOREACH (dev, &f->guest->devices, in_guest)
		if (&f->guest->frontends[dev->class->worker] == f &&
		    (all || (dev->devid == devid && key_matters(dev->class, key))))
			device_kick(dev);
}

int guest_watch(struct guest *g, const struct device_class *class, const char **ret_dir)
{
	struct guest_frontends *f = &g->frontends[class->worker];
	int r;

	if (!f->watch) {
		f->guest = g;
		snprintf(f->dir, sizeof(f->dir), "/local/domain/%u/device/%s", g->domid,
			 class->frontends);
		r = xsc_watch(g->broker->xs, f->dir, on_frontend, f, &f->watch);
		if (r < 0)
			return r;
	}
	*ret_dir = f->dir;
	return 0;
}

struct told {
	char home[32]; /* of the guest */
	const char *labels;
};

static int write_labels(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	const struct told *told = userdata;

	/* A guest that is gone must not get a home again. */
	if (!xsc_exists(xs, t, told->home, ""))
		return -ENOENT;
	return xsc_write(xs, t, told->home, "vm-data/xenpv/host-labels", told->labels);
}

/*
 * Tell a guest which labels the host's file systems have, so that xenpv-setup in it finds those
 * that its own have, too. Nothing of a guest's disks depends on it: a failure is only logged.
 */
static void tell_labels(struct guest *g)
{
	const struct broker *b = g->broker;
	char labels[HOST_LABELS_BYTES];
	struct told told = { .labels = labels };
	int r;

	r = host_labels_read(b->options.host_root, labels);
	if (r < 0) {
		log_warning(r, "labels of the host are not told to domain %u: %m", g->domid);
		return;
	}
	if (r > 0)
		log_notice("the host has more labels than domain %u can be told: the rest is left "
			   "out",
			   g->domid);
	snprintf(told.home, sizeof(told.home), "/local/domain/%u", g->domid);
	r = xsc_transaction(b->xs, write_labels, &told);
	/* A driver domain may not write there. */
	if (r < 0)
		log_warning(r,
			    "%s/vm-data/xenpv/host-labels: %m; tell-labels = no spares the attempt",
			    told.home);
}

int guest_get(struct broker *b, uint32_t domid, struct guest **ret)
{
	struct guest *g = guest_find(b, domid);

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
	g->allowance = START_BURST_US;
	g->allowance_at = now(b);
	LIST_INSERT_HEAD(&b->guests[domid % BROKER_GUEST_BUCKETS], g, link);
	b->n_guests++;
	if (b->options.tell_labels)
		tell_labels(g);
	*ret = g;
	return 0;
}

void guest_release(struct guest *g)
{
	if (!LIST_EMPTY(&g->devices))
		return;
	workerproc_free(g->worker);
	for (size_t i = 0; i < ELEMENTSOF(g->frontends); i++)
		xsc_unwatch(g->frontends[i].watch);
	LIST_REMOVE(g, link);
	g->broker->n_guests--;
	free(g);
}

static void on_ring_error(void *userdata, enum worker_class class, uint32_t devid,
			  const struct worker_ring_error *error)
{
	struct guest *g = userdata;
	struct device *dev;

	LIST_FOREACH (dev, &g->devices, in_guest)
		if (dev->devid == devid && dev->class->worker == class) {
			device_ring_error(dev, error);
			return;
		}
}

static void on_died(void *userdata, const char *why)
{
	struct guest *g = userdata;
	pid_t pid = workerproc_pid(g->worker);
	struct device *dev;

	workerproc_free(g->worker);
	g->worker = NULL;
	g->restarts++;
	log_error(0, "worker %d of domain %u ended: %s", pid, g->domid, why);
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
		g->allowance += t - g->allowance_at;
		g->allowance_at = t;
		if (g->allowance > START_BURST_US)
			g->allowance = START_BURST_US;
		if (g->allowance < START_COST_US) {
			*ret_delay_us = START_COST_US - g->allowance;
			return -EAGAIN;
		}
		r = workerproc_start(b->event, &settings, &events, g, &g->worker);
		if (r < 0)
			return r;
		g->allowance -= START_COST_US;
		log_info("worker %d serves domain %u", workerproc_pid(g->worker), g->domid);
		status_changed(b);
	}
	*ret = g->worker;
	return 0;
}
