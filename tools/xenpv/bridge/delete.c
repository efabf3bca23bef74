// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge delete: leave the host as it was without the bridge. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/build.h"
#include "xenpv/bridge/persist.h"

struct wish {
	const char *name;
	bool force, dry_run;
};

struct removal {
	const struct site *site;
	const char *name;
	bool force;
	struct problem *problem;
	int result;
};

static void remove_files(struct plan *plan, void *userdata)
{
	struct removal *removal = userdata;

	removal->result = persist_remove_plan(removal->site, removal->name, removal->force, plan,
					      removal->problem);
}

/* Ports of guests, and of whoever else put an interface on the bridge. */
static int plan_guests(const struct site *site, const struct demolition *d, bool force,
		       struct plan *plan, struct problem *p)
{
	char names[256] = "";
	size_t n = 0, len = 0;

	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *port = &site->links.item[i];

		if (port->master != d->bridge->index ||
		    record_owns_port(&d->record, d->number, port->name))
			continue;
		n++;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", port->name);
		plan_master(plan, port->name, NULL, d->bridge->name);
	}
	if (n > 0 && !force)
		return problem_set(p, EXIT_REFUSED, -EBUSY,
				   "%s: is used by %s%s; shut these guests down, or cut them off "
				   "with --force",
				   d->bridge->name, names, len < sizeof(names) ? "" : "...");
	return 0;
}

static int delete (struct site *site, const struct wish *w, bool json, struct problem *p)
{
	_cleanup_(demolition_clear) struct demolition d = { 0 };
	_cleanup_(plan_clear) struct plan plan = { 0 };
	struct removal removal = {
		.site = site,
		.name = w->name,
		.force = w->force,
		.problem = p,
	};
	struct json_object *o;
	int r;

	r = site_open(site, !w->dry_run, p);
	if (r < 0)
		return r;
	r = site_bridge(site, w->name, &d.bridge, &d.record, p);
	if (r < 0)
		return r;
	d.shape = shape_parse(w->name, &d.number);
	d.force = w->force;
	r = plan_guests(site, &d, w->force, &plan, p);
	if (r >= 0)
		r = demolish_plan(site, &d, &plan, remove_files, &removal, p);
	if (r >= 0)
		r = removal.result;
	if (r >= 0 && !w->dry_run)
		r = plan_run(&plan, site->rt, w->name, p);
	if (r < 0)
		return r;
	if (!json) {
		if (w->dry_run)
			plan_print(&plan);
		return EXIT_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "bridge", json_object_new_string(w->name));
	json_object_object_add(o, "changed", json_object_new_boolean(!w->dry_run));
	json_object_object_add(o, "changes", plan_to_json(&plan));
	return print_json(o, EXIT_DONE);
}

int cmd_bridge_delete(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv bridge delete",
		.words = "BRIDGE",
		.summary = "Delete a virtual bridge; dom0 and its NIC are as without it.",
		.json = json,
	};
	struct wish w = { 0 };
	struct site site = SITE_INIT;
	const struct opt opts[] = {
		{ "force", 'f', OPT_FLAG, &w.force, NULL,
		  "even if guests are on it, its NIC is gone, or files of another "
		  "bridge need its own" },
		{ "dry-run", 0, OPT_FLAG, &w.dry_run, NULL,
		  "check, print what would be done, change nothing" },
		SITE_OPTIONS(&site),
		{ 0 },
	};
	struct problem p = { 0 };
	int status, r;

	if (!parse_options(&call, opts, 1, 1, &argc, &argv, &status))
		return status;
	w.name = argv[0];
	r = delete (&site, &w, call.json, &p);
	return site_end(&site, r, &p);
}
