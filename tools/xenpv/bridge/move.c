// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge move: put a guest's interface on another bridge while the guest uses it. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/announce.h"
#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/domains.h"
#include "xenpv/bridge/plan.h"
#include "xenpv/bridge/record.h"
#include "xenpv/bridge/shape.h"
#include "xenpv/bridge/site.h"

struct wish {
	const char *vif, *bridge;
	bool force, dry_run;
};

struct move {
	const struct link *port, *from, *to; /* @from: NULL if it is on no bridge */
	uint32_t domid, handle;
};

/* What is found by name, and has to be what it is taken for. */
static int find(const struct site *site, const struct wish *w, struct move *m, struct problem *p)
{
	const struct link *master;

	m->port = link_by_name(&site->links, w->vif);
	if (!m->port)
		return problem_set(p, EXIT_ABSENT, -ENODEV,
				   "%s: there is no such interface; see \"xenpv bridge show\"",
				   w->vif);
	if (!port_of_guest(m->port, &m->domid, &m->handle))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: is no interface of a guest; see \"xenpv bridge show\"",
				   w->vif);
	m->to = link_by_name(&site->links, w->bridge);
	if (!m->to)
		return problem_set(p, EXIT_ABSENT, -ENODEV,
				   "%s: there is no such bridge; create it with \"xenpv bridge "
				   "create\", or name another",
				   w->bridge);
	if (!link_is_bridge(m->to))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: is an interface, but no bridge; name another", w->bridge);
	master = m->port->master ? link_by_index(&site->links, m->port->master) : NULL;
	if (m->port->master && (!master || !link_is_bridge(master)))
		return problem_set(p, EXIT_REFUSED, -EBUSY,
				   "%s: is used by %s, which is no bridge; take it from there "
				   "first",
				   w->vif, master ? master->name : "an interface that is not here");
	m->from = master;
	return 0;
}

/* What "xenpv bridge check" asks of configurations has to be true afterwards, too. */
static int check_guests(const struct site *site, const struct move *m, struct problem *p)
{
	size_t n = 0;

	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *other = &site->links.item[i];
		uint32_t domid, handle, d, h;
		bool twin = false;

		if (other->master != m->to->index || !port_of_guest(other, &domid, &handle))
			continue;
		if (domid == m->domid && handle == m->handle)
			continue;
		if (domid == m->domid)
			return problem_set(p, EXIT_REFUSED, -EEXIST,
					   "%s: %s has %s of the same guest already; put each on a "
					   "bridge of its own",
					   m->port->name, m->to->name, other->name);
		/* An interface and its emulated twin are one. */
		for (size_t k = 0; k < i && !twin; k++)
			twin = site->links.item[k].master == m->to->index &&
			       port_of_guest(&site->links.item[k], &d, &h) && d == domid &&
			       h == handle;
		n += !twin;
	}
	if (n >= BRIDGE_VNIFS_MAX)
		return problem_set(p, EXIT_REFUSED, -ENOSPC,
				   "%s: %s has %zu interfaces of guests, and no more than %d may "
				   "be; use another bridge",
				   m->port->name, m->to->name, n, BRIDGE_VNIFS_MAX);
	return 0;
}

static int check(const struct site *site, const struct wish *w, const struct move *m,
		 struct problem *p)
{
	int r = check_guests(site, m, p);

	if (r < 0)
		return r;
	/*
	 * The guest is told of its MTU once, when it connects. A bridge with a smaller one would
	 * drop its packets, and one with a larger would take that of its new port.
	 */
	if (m->port->mtu != m->to->mtu && !w->force)
		return problem_set(p, EXIT_REFUSED, -EMSGSIZE,
				   "%s: its MTU is %u and that of %s is %u, which the guest would "
				   "not learn; give both the same, or use --force",
				   w->vif, m->port->mtu, w->bridge, m->to->mtu);
	return 0;
}

/* Is a bridge, by its shape, apart from dom0? */
static bool is_apart(const struct link *bridge)
{
	uint32_t number;
	enum shape shape = bridge ? shape_parse(bridge->name, &number) : SHAPE_NONE;

	return shape != SHAPE_NONE && !shape_dom0(shape);
}

/* Closed to dom0 before it is on the bridge, as the watch would do it a moment later. */
static int plan_close(const struct site *site, const struct move *m, const struct link *port,
		      struct plan *plan, struct problem *p)
{
	char value[SYSCTL_VALUE];
	uint32_t number;
	int r;

	if (shape_parse(m->to->name, &number) == SHAPE_NONE)
		return 0;
	if (sysctl_read("ipv6", port->name, "disable_ipv6", value) == 0 && strcmp(value, "1") != 0)
		plan_sysctl(plan, "ipv6", port->name, "disable_ipv6", "1", value);
	if (!is_apart(m->to) || is_apart(m->from))
		return 0;
	r = guard_has_qdisc(site->rt, port->index);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%s: cannot list its filters: %m",
				   port->name);
	if (r == 0)
		plan_qdisc(plan, port->name, true);
	plan_guard(plan, port->name, GUARD_PORT, true);
	return 0;
}

/* The emulated twin of an HVM guest's interface goes with it. */
static int make_plan(const struct site *site, const struct move *m, struct plan *plan,
		     struct problem *p)
{
	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *port = &site->links.item[i];
		uint32_t domid, handle;
		int r;

		if (port != m->port && (!m->from || port->master != m->from->index ||
					!port_of_guest(port, &domid, &handle) ||
					domid != m->domid || handle != m->handle))
			continue;
		r = plan_close(site, m, port, plan, p);
		if (r < 0)
			return r;
		/* Two steps: the kernel leaves it on none if the new bridge does not take it. */
		if (m->from)
			plan_master(plan, port->name, NULL, m->from->name);
		plan_master(plan, port->name, m->to->name, NULL);
		if (is_apart(m->from) && !is_apart(m->to))
			plan_guard(plan, port->name, GUARD_PORT, false);
	}
	return 0;
}

/* A switch outside that has seen the guest elsewhere would go on sending there. */
static int announce_outside(const struct site *site, const struct move *m, const struct mac *mac)
{
	_cleanup_free_ struct macs *macs = NULL;
	const struct link *uplink;
	struct record record;
	uint32_t number;
	size_t sent;

	if (!shape_outside(shape_parse(m->to->name, &number)))
		return 0;
	record_of(&site->links, m->to, &record);
	uplink = link_by_name(&site->links, record.port);
	if (!uplink)
		return 0;
	macs = calloc(1, sizeof(*macs));
	if (!macs)
		return -ENOMEM;
	macs_add(macs, mac);
	return announce_send(uplink->index, macs, &sent);
}

/*
 * Where the guest is now, before it says so itself. The bridge may have heard of it from outside,
 * when it was on another one, and would drop what comes from there for it.
 */
static void announce(const struct site *site, const struct move *m, const struct domains *domains)
{
	struct mac mac;
	int r;

	if (!domains_mac(domains, m->domid, m->handle, &mac))
		return;
	r = announce_place(site->rt, m->port->index, &mac);
	if (r >= 0)
		r = announce_outside(site, m, &mac);
	if (r < 0) {
		errno = -r;
		complain("%s: could not be announced: %m; it is found when the guest sends",
			 m->port->name);
	}
}

/* What follows the move, and does not make it undone. */
static void follow(const struct site *site, const struct move *m)
{
	struct domains domains = { 0 };
	int r;

	domains_open(&domains);
	r = domains_set_bridge(&domains, m->domid, m->handle, m->to->name);
	if (r < 0) {
		errno = -r;
		complain("%s: xenstore still has another bridge of it: %m", m->port->name);
	}
	announce(site, m, &domains);
	domains_close(&domains);
}

static int move(struct site *site, const struct wish *w, bool json, struct problem *p)
{
	_cleanup_(plan_clear) struct plan plan = { 0 };
	struct json_object *o;
	struct move m = { 0 };
	bool done;
	int r;

	r = site_open(site, !w->dry_run, p);
	if (r < 0)
		return r;
	r = find(site, w, &m, p);
	if (r < 0)
		return r;
	done = m.from == m.to;
	if (!done) {
		r = check(site, w, &m, p);
		if (r >= 0)
			r = make_plan(site, &m, &plan, p);
		if (r >= 0 && !w->dry_run)
			r = plan_run(&plan, site->rt, w->vif, p);
		if (r < 0)
			return r;
		if (!w->dry_run)
			follow(site, &m);
	}
	if (!json) {
		if (done)
			printf("%s is on %s already, as asked for\n", w->vif, w->bridge);
		else if (w->dry_run)
			plan_print(&plan);
		return EXIT_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "interface", json_object_new_string(w->vif));
	json_object_object_add(o, "from", m.from ? json_object_new_string(m.from->name) : NULL);
	json_object_object_add(o, "bridge", json_object_new_string(w->bridge));
	json_object_object_add(o, "changed", json_object_new_boolean(!done && !w->dry_run));
	json_object_object_add(o, "changes", plan_to_json(&plan));
	return print_json(o, EXIT_DONE);
}

int cmd_bridge_move(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv bridge move",
		.words = "VIF BRIDGE",
		.summary = "Put a guest's interface on another bridge; the guest goes on.",
		.more = "VIF is its name on this host, such as vif5.0; see \"xenpv bridge show\".\n"
			"Its configuration keeps the old bridge: change bridge= there, too.",
		.json = json,
	};
	struct wish w = { 0 };
	struct site site = SITE_INIT;
	const struct opt opts[] = {
		{ "force", 'f', OPT_FLAG, &w.force, NULL, "even if the MTUs differ" },
		{ "dry-run", 0, OPT_FLAG, &w.dry_run, NULL,
		  "check, print what would be done, change nothing" },
		SITE_OPTIONS(&site),
		{ 0 },
	};
	struct problem p = { 0 };
	int status, r;

	if (!parse_options(&call, opts, 2, 2, &argc, &argv, &status))
		return status;
	w.vif = argv[0];
	w.bridge = argv[1];
	r = move(&site, &w, call.json, &p);
	return site_end(&site, r, &p);
}
