// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv list: every guest on a line. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "lib/text.h"
#include "xenpv/bridge/files.h"
#include "xenpv/command.h"
#include "xenpv/config/configs.h"
#include "xenpv/config/xlconf.h"
#include "xenpv/host/view.h"
#include "xenpv/host/words.h"

static const char *or_dash(const char *text)
{
	return text && *text ? text : "-";
}

static void print_head(void)
{
	printf("%-20s %5s %-10s %-11s %-6s %-9s %-8s %-10s %-15s %s\n", "GUEST", "ID", "STATE",
	       "VIRSH", "XM", "TYPE", "AGENT", "TIME", "ADDRESS", "DRIVERS");
}

/* "+0.2 ms", "no sync", "-" */
static void time_text(const struct agent_view *a, char *ret, size_t size)
{
	double offset;

	if (a->synchronised < 0)
		snprintf(ret, size, "-");
	else if (!a->synchronised)
		snprintf(ret, size, "no sync");
	else if (a->time_offset && parse_real(a->time_offset, &offset) == 0)
		snprintf(ret, size, "%+.1f ms", offset * 1000);
	else
		snprintf(ret, size, "yes");
}

static void print_guest(const struct guest_view *g)
{
	enum guest_state state = guest_state(&g->hv);
	const struct agent_view *a = &g->agent;
	const char *name = guest_state_name(state);
	char xm[XM_STATE], time[32];

	guest_state_xm(&g->hv, xm);
	time_text(a, time, sizeof(time));
	/* what the guest itself says comes first while it is up */
	if (a->stop_state && !strcmp(a->stop_state, "stopping") && state <= GUEST_TRANSITION)
		name = "stopping";
	printf("%-20s %5u %-10s %-11s %-6s %-9s %-8s %-10s %-15s %s", g->name, g->hv.domid, name,
	       guest_state_virsh(state), xm, hv_type_name(g->hv.type),
	       g->hv.domid ? or_dash(a->version) : "-", time, or_dash(a->address),
	       or_dash(a->drivers));
	for (size_t i = 0; i < ELEMENTSOF(a->fallback); i++)
		if (a->fallback[i].driver)
			printf(" (fallback of %s)", fallback_kinds[i]);
	putchar('\n');
}

static bool runs(const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->n; i++)
		if (!strcmp(view->guest[i].name, name))
			return true;
	return false;
}

/* The name in a configuration, or NULL. */
static char *name_in(const char *path)
{
	_cleanup_free_ char *text = NULL;
	const struct xlconf_value *v;
	struct xlconf conf = { 0 };
	unsigned int line;
	char *name = NULL, why[256];

	if (file_read(path, XLCONF_SIZE_MAX, &text) < 0 ||
	    xlconf_parse(text, &conf, &line, why, sizeof(why)) < 0)
		return NULL;
	v = xlconf_get(&conf, "name");
	if (v && v->type == XLCONF_STRING) {
		name = strdup(v->text);
		if (name)
			text_fit(name, 64);
	}
	xlconf_clear(&conf);
	return name;
}

static void list_one(const char *name, const char *path, struct json_object *list)
{
	struct json_object *o;

	if (!list) {
		printf("%-20s %5s %-10s %-11s %-6s %-9s %-8s %-10s %-15s %s\n", name, "-",
		       guest_state_name(GUEST_STOPPED), guest_state_virsh(GUEST_STOPPED), "-", "-",
		       "-", "-", "-", "-");
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "domid", NULL);
	json_object_object_add(o, "state", json_object_new_string("stopped"));
	json_object_object_add(o, "configuration", json_object_new_string(path));
	json_object_array_add(list, o);
}

/* Guests that have a configuration and do not run. */
static int list_stopped(const struct view *view, struct json_object *list)
{
	struct configs found;
	int r = configs_find(CONFIGURATIONS, &found);

	for (size_t i = 0; i < found.n; i++) {
		_cleanup_free_ char *name = name_in(found.path[i]);

		if (name && !runs(view, name))
			list_one(name, found.path[i], list);
	}
	configs_clear(&found);
	return r;
}

int cmd_list(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv list",
		.words = "",
		.summary = "List the guests: state, agent, time, address, drivers.",
		.json = json,
	};
	struct sources s = { 0 };
	bool all = false;
	const struct opt opts[] = {
		{ "all", 'a', OPT_FLAG, &all, NULL, "also those that are stopped" },
		SOURCES_OPTIONS(&s),
		{ 0 },
	};
	struct json_object *list = NULL;
	struct problem p = { 0 };
	struct view view = { 0 };
	int status, r;

	if (!parse_options(&call, opts, 0, 0, &argc, &argv, &status))
		return status;
	r = sources_open(&s, NULL, &p);
	if (r >= 0)
		r = view_gather(&s, VIEW_AGENT, NULL, &view, &p);
	if (r < 0) {
		problem_print(&p);
		sources_close(&s);
		return p.status;
	}
	if (call.json)
		list = json_object_new_array();
	else
		print_head();
	for (size_t i = 0; i < view.n; i++) {
		if (call.json)
			json_object_array_add(list, view_json(&view.guest[i], VIEW_AGENT));
		else
			print_guest(&view.guest[i]);
	}
	r = all ? list_stopped(&view, list) : 0;
	view_clear(&view);
	sources_close(&s);
	if (r < 0) {
		problem_set(&p, EXIT_FAILED, r, CONFIGURATIONS ": %m");
		problem_print(&p);
		json_object_put(list);
		return p.status;
	}
	return call.json ? print_json(list, EXIT_DONE) : EXIT_DONE;
}
