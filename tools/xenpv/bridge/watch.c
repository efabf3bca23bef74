// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenpv bridge watch: what has to happen when interfaces change.
 *
 * It sleeps until the kernel tells of a change of an interface, and then
 *  - closes bridges of the four shapes and their ports to dom0's network stack, see
 *    watch-guard.h;
 *  - announces the guests when a bond changes to another port, or a NIC's link comes back.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "xenpv/bridge/announce.h"
#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/domains.h"
#include "xenpv/bridge/record.h"
#include "xenpv/bridge/shape.h"
#include "xenpv/bridge/site.h"
#include "xenpv/bridge/watch-guard.h"

/* A frame may be lost while ports change: announced again after these, in microseconds. */
static const uint64_t rounds[] = { 0, 200000, 1000000 };

/* What is remembered of an interface that guests are reached through. */
struct way {
	int index;
	int active;   /* bond: index of the active port; else 1 with a link, 0 without */
	size_t round; /* the next announcement, ELEMENTSOF(rounds) for none */
	sd_event_source *timer;
	struct watch *watch;
};

struct watch {
	struct site site;
	struct rtnl *events;
	sd_event *event;
	struct guards *guards;
	struct way **way;
	size_t n;
};

static void way_free(struct way *way)
{
	sd_event_source_unref(way->timer);
	free(way);
}

/* announcements */

/* Is @port how guests on its bridge reach the outside? */
static const struct link *bridge_of_uplink(const struct watch *w, const struct link *port)
{
	const struct link *bridge = link_by_index(&w->site.links, port->master);
	uint32_t number, domid, handle;

	if (!bridge || !link_is_bridge(bridge) || port_parse(port->name, &domid, &handle) ||
	    port_of_guest(port, &domid, &handle) ||
	    !shape_outside(shape_parse(bridge->name, &number)))
		return NULL;
	return bridge;
}

static void add_known(const struct watch *w, const struct domains *domains, int bridge,
		      struct macs *macs)
{
	uint32_t domid, handle;
	struct mac mac;

	for (size_t i = 0; i < w->site.links.n; i++) {
		const struct link *port = &w->site.links.item[i];

		if (port->master == bridge && port_of_guest(port, &domid, &handle) &&
		    domains_mac(domains, domid, handle, &mac))
			macs_add(macs, &mac);
	}
}

static void announce_port(struct watch *w, const struct domains *domains, const struct link *port)
{
	const struct link *bridge = bridge_of_uplink(w, port);
	_cleanup_free_ struct macs *macs = NULL;
	size_t sent = 0;
	int r;

	if (!bridge)
		return;
	macs = calloc(1, sizeof(*macs));
	r = macs ? announce_learn(w->site.rt, bridge->index, port->index, macs) : -ENOMEM;
	if (r < 0) {
		log_error(r, "%s: cannot list who is on it: %m", bridge->name);
		return;
	}
	add_known(w, domains, bridge->index, macs);
	r = announce_send(port->index, macs, &sent);
	if (r < 0)
		log_warning(r, "%s: %zu of %zu addresses were announced through %s: %m",
			    bridge->name, sent, macs->n, port->name);
	else
		log_info("%s: announced %zu addresses through %s", bridge->name, sent, port->name);
}

/* Through the interface itself, and the VLANs on it. */
static void announce(struct watch *w, int index)
{
	struct domains domains = { 0 };

	domains_open(&domains);
	for (size_t i = 0; i < w->site.links.n; i++) {
		const struct link *port = &w->site.links.item[i];

		if (port->index == index ||
		    (port->vlan_id && port->lower_is_local && port->lower == index))
			announce_port(w, &domains, port);
	}
	domains_close(&domains);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct way *way = userdata;
	int r = 0;

	announce(way->watch, way->index);
	if (++way->round == ELEMENTSOF(rounds))
		return 0;
	r = sd_event_source_set_time(source, usec + rounds[way->round] - rounds[way->round - 1]);
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error(r, "cannot set a timer: %m");
	return 0;
}

static void begin_announcing(struct way *way)
{
	struct watch *w = way->watch;
	uint64_t now;
	int r;

	way->round = 0;
	r = sd_event_now(w->event, CLOCK_MONOTONIC, &now);
	if (r >= 0 && !way->timer) {
		r = sd_event_add_time(w->event, &way->timer, CLOCK_MONOTONIC, now, 1, on_timer,
				      way);
	} else if (r >= 0) {
		r = sd_event_source_set_time(way->timer, now);
		if (r >= 0)
			r = sd_event_source_set_enabled(way->timer, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		log_error(r, "cannot set a timer: %m");
}

static int active_of(const struct link *link)
{
	if (!strcmp(link->kind, "bond"))
		return link->bond_active;
	return (link->flags & IFF_RUNNING) != 0;
}

/* Does @link, or a VLAN on it, lead outside? */
static bool is_way(const struct watch *w, const struct link *link)
{
	if (bridge_of_uplink(w, link))
		return true;
	for (size_t i = 0; i < w->site.links.n; i++) {
		const struct link *vlan = &w->site.links.item[i];

		if (vlan->vlan_id && vlan->lower_is_local && vlan->lower == link->index &&
		    bridge_of_uplink(w, vlan))
			return true;
	}
	return false;
}

/* A VLAN's own link follows that of the interface below, which is the way. */
static void follow_way(struct watch *w, const struct link *link)
{
	struct way *way = NULL, **list;
	int active = active_of(link);
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->way[i]->index == link->index)
			way = w->way[i];
	if (!way) {
		way = calloc(1, sizeof(*way));
		list = reallocarray(w->way, w->n + 1, sizeof(*list));
		if (list)
			w->way = list;
		if (!way || !list) {
			free(way);
			log_error(-ENOMEM, "%s: %m", link->name);
			return;
		}
		*way = (struct way){ .index = link->index,
				     .active = active,
				     .round = ELEMENTSOF(rounds),
				     .watch = w };
		list[w->n++] = way;
		return;
	}
	if (way->active == active)
		return;
	way->active = active;
	if (active && !link->vlan_id && is_way(w, link)) {
		log_info("%s: %s", link->name,
			 strcmp(link->kind, "bond") ? "has a link again"
						    : "has another active port");
		begin_announcing(way);
	}
}

static void forget_way(struct watch *w, int index)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->way[i]->index != index)
			continue;
		way_free(w->way[i]);
		w->way[i] = w->way[--w->n];
		return;
	}
}

/* events */

static int changed(struct watch *w, const struct link *link, const struct link *old)
{
	bool other = !old || old->master != link->master || strcmp(old->name, link->name) != 0;

	follow_way(w, link);
	return other && (link->master || link_is_bridge(link)) ? guards_add(w->guards, link->index)
							       : 0;
}

static int on_message(const struct nlmsghdr *nlh, void *userdata)
{
	struct watch *w = userdata;
	struct links *links = &w->site.links;
	struct link link, *item, old;
	size_t i;

	if (link_parse(nlh, &link) < 0)
		return 0;
	for (i = 0; i < links->n && links->item[i].index != link.index; i++)
		;
	if (nlh->nlmsg_type == RTM_DELLINK) {
		if (i < links->n)
			links->item[i] = links->item[--links->n];
		forget_way(w, link.index);
		return 0;
	}
	if (i < links->n) {
		old = links->item[i];
		links->item[i] = link;
		return changed(w, &link, &old);
	}
	item = reallocarray(links->item, links->n + 1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	links->item = item;
	item[links->n++] = link;
	return changed(w, &link, NULL);
}

/* Look at everything: at the start, on SIGHUP, and after events were lost. */
static int look(struct watch *w)
{
	int r = links_load(w->site.rt, &w->site.links);

	if (r < 0) {
		log_error(r, "cannot list network interfaces: %m");
		return r;
	}
	for (size_t i = w->n; i-- > 0;)
		if (!link_by_index(&w->site.links, w->way[i]->index))
			forget_way(w, w->way[i]->index);
	for (size_t i = 0; i < w->site.links.n && r >= 0; i++)
		r = changed(w, &w->site.links.item[i], NULL);
	return r;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct watch *w = userdata;
	int r;

	(void)source;
	(void)fd;
	(void)revents;
	do
		r = rtnl_receive(w->events, on_message, w);
	while (r >= 0);
	if (r == -EAGAIN || r == -EINTR)
		return 0;
	if (r == -ENOBUFS) {
		log_notice("events were lost; looking at all interfaces");
		r = look(w);
	}
	if (r < 0) {
		log_error(r, "cannot follow network interfaces: %m");
		return sd_event_exit(w->event, r);
	}
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct watch *w = userdata;

	(void)source;
	(void)si;
	return look(w) < 0 ? sd_event_exit(w->event, -EIO) : 0;
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static void ready(void)
{
	sd_notify(false, "READY=1\nSTATUS=Watching network interfaces");
}

static int start(struct watch *w)
{
	static const unsigned int groups[] = { RTNLGRP_LINK };
	int r = block_signals();

	if (r >= 0)
		r = sd_event_new(&w->event);
	if (r >= 0)
		r = sd_event_add_signal(w->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(w->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(w->event, NULL, SIGHUP, on_reload, w);
	/* before the look, so that nothing happens in between */
	if (r >= 0)
		r = rtnl_open_events(groups, ELEMENTSOF(groups), &w->events);
	if (r >= 0)
		r = sd_event_add_io(w->event, NULL, rtnl_fd(w->events), EPOLLIN, on_events, w);
	if (r >= 0)
		r = guards_new(w->event, &w->site, ready, &w->guards);
	if (r >= 0)
		r = sd_event_set_watchdog(w->event, true);
	return r;
}

static int watch(struct watch *w, struct problem *p)
{
	int r = site_open(&w->site, false, p);

	if (r >= 0)
		r = site_open_lock(&w->site, p);
	if (r < 0)
		return r;
	r = start(w);
	if (r >= 0)
		r = look(w);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "cannot watch network interfaces: %m");
	r = sd_event_loop(w->event);
	sd_notify(false, "STOPPING=1");
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "cannot watch network interfaces: %m");
	return 0;
}

int cmd_bridge_watch(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv bridge watch",
		.words = "",
		.summary = "Guard bridges and ports, and announce guests after a failover.",
		.more = "Runs until it gets SIGTERM; usually as xenpv-bridge-watch.service.",
		.json = json,
	};
	struct watch w = { .site = SITE_INIT };
	const struct opt opts[] = { SITE_OPTIONS(&w.site), { 0 } };
	struct problem p = { 0 };
	int status, r;

	if (!parse_options(&call, opts, 0, 0, &argc, &argv, &status))
		return status;
	log_open("xenpv-bridge-watch", LOG_INFO);
	r = watch(&w, &p);
	if (r < 0)
		problem_print(&p);
	for (size_t i = 0; i < w.n; i++)
		way_free(w.way[i]);
	free(w.way);
	rtnl_close(w.events);
	guards_free(w.guards);
	sd_event_unref(w.event);
	site_close(&w.site);
	return r < 0 ? p.status : EXIT_DONE;
}
