// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/watch-guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "xenpv/bridge/guard.h"
#include "xenpv/bridge/shape.h"
#include "xenpv/bridge/sysctl.h"

/* Between two looks at the lock, and how long a command may have it, in microseconds. */
#define LOCK_INTERVAL 10000
#define LOCK_PATIENCE 10000000

struct guards {
	struct site *site;
	sd_event *event;
	sd_event_source *timer;
	void (*first)(void);
	int *pending; /* indices of interfaces */
	size_t n;
	uint64_t since; /* when the first of them came, CLOCK_MONOTONIC in microseconds */
};

static void close_link(struct guards *g, const struct link *link, enum guard kind)
{
	struct rtnl *rt = g->site->rt;
	int r = guard_qdisc(rt, link->index);

	if (r >= 0 || r == -EEXIST)
		r = guard_filter(rt, link->index, kind);
	if (r >= 0)
		log_info("%s: closed to dom0", link->name);
	else if (r != -EEXIST && r != -ENODEV)
		log_error(r,
			  "%s: cannot be closed to dom0: %m; does the kernel have sch_ingress and "
			  "cls_bpf?",
			  link->name);
}

static void silence(const struct link *port)
{
	char value[SYSCTL_VALUE];
	int r = sysctl_read("ipv6", port->name, "disable_ipv6", value);

	if (r >= 0 && strcmp(value, "1") != 0)
		r = sysctl_write("ipv6", port->name, "disable_ipv6", "1");
	if (r < 0 && r != -ENOENT)
		log_error(r, "%s: IPv6 cannot be disabled: %m", port->name);
}

/* -ENODEV if it or its bridge has gone away. */
static int guard_link(struct guards *g, int index)
{
	struct link link, master;
	enum shape shape;
	uint32_t number;
	int r = link_load(g->site->rt, index, &link);

	if (r < 0)
		return r;
	if (link_is_bridge(&link) && shape_parse(link.name, &number) != SHAPE_NONE) {
		silence(&link);
		close_link(g, &link, GUARD_BRIDGE);
	}
	if (!link.master)
		return 0;
	r = link_load(g->site->rt, link.master, &master);
	if (r < 0)
		return r;
	if (!link_is_bridge(&master))
		return 0;
	shape = shape_parse(master.name, &number);
	if (shape == SHAPE_NONE)
		return 0;
	silence(&link);
	if (!shape_dom0(shape))
		close_link(g, &link, GUARD_PORT);
	return 0;
}

static int wait_until(struct guards *g, uint64_t usec)
{
	int r = sd_event_source_set_time(g->timer, usec);

	return r < 0 ? r : sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct guards *g = userdata;
	uint64_t now;
	int r, locked = site_try_lock(g->site);

	(void)source;
	(void)usec;
	r = sd_event_now(g->event, CLOCK_MONOTONIC, &now);
	if (r >= 0 && locked < 0 && now - g->since < LOCK_PATIENCE) {
		r = wait_until(g, now + LOCK_INTERVAL);
		if (r >= 0)
			return 0;
	}
	/* That guests stay away from dom0 is worth more than order among commands. */
	if (locked < 0)
		log_warning(locked,
			    "not waiting any longer for a command that changes bridges: %m");
	for (size_t i = 0; i < g->n; i++) {
		r = guard_link(g, g->pending[i]);
		if (r < 0 && r != -ENODEV)
			log_error(r, "interface %d cannot be looked at: %m", g->pending[i]);
	}
	g->n = 0;
	if (locked >= 0)
		site_unlock(g->site);
	if (g->first) {
		g->first();
		g->first = NULL;
	}
	return 0;
}

int guards_add(struct guards *g, int index)
{
	int *pending, r;

	for (size_t i = 0; i < g->n; i++)
		if (g->pending[i] == index)
			return 0;
	pending = reallocarray(g->pending, g->n + 1, sizeof(*pending));
	if (!pending)
		return -ENOMEM;
	g->pending = pending;
	pending[g->n++] = index;
	if (g->n > 1)
		return 0;
	r = sd_event_now(g->event, CLOCK_MONOTONIC, &g->since);
	return r < 0 ? r : wait_until(g, g->since);
}

int guards_new(sd_event *event, struct site *site, void (*first)(void), struct guards **ret)
{
	struct guards *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	*g = (struct guards){ .site = site, .event = sd_event_ref(event), .first = first };
	r = sd_event_now(event, CLOCK_MONOTONIC, &g->since);
	/* it is called once also if there is nothing to look at */
	if (r >= 0)
		r = sd_event_add_time(event, &g->timer, CLOCK_MONOTONIC, g->since, 1, on_timer, g);
	if (r < 0) {
		guards_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void guards_free(struct guards *g)
{
	if (!g)
		return;
	sd_event_source_disable_unref(g->timer);
	sd_event_unref(g->event);
	free(g->pending);
	free(g);
}
