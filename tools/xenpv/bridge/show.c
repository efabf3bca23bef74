// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge show: bridges, and which guest is on which. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/domains.h"
#include "xenpv/bridge/persist.h"
#include "xenpv/bridge/record.h"
#include "xenpv/bridge/shape.h"
#include "xenpv/bridge/site.h"

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text && *text ? json_object_new_string(text) : NULL);
}

static void add_mac(struct json_object *o, const char *key, const struct mac *mac)
{
	char text[MAC_TEXT];

	add_text(o, key, mac_format(mac, text));
}

static struct json_object *uplink_json(const struct site *site, const struct record *record)
{
	const struct link *port = link_by_name(&site->links, record->port);
	const struct link *lower, *active;
	struct json_object *o;

	if (!port)
		return NULL;
	o = json_object_new_object();
	add_text(o, "interface", port->name);
	add_text(o, "netdev", record->netdev);
	add_text(o, "kind", port->kind[0] ? port->kind : "nic");
	json_object_object_add(o, "carrier", json_object_new_boolean(port->flags & IFF_RUNNING));
	lower = port->lower_is_local && port->vlan_id ? link_by_index(&site->links, port->lower)
						      : port;
	if (port->vlan_id) {
		json_object_object_add(o, "vlan", json_object_new_int(port->vlan_id));
		add_text(o, "lower", lower ? lower->name : NULL);
	}
	active = lower && lower->bond_active ? link_by_index(&site->links, lower->bond_active)
					     : NULL;
	if (active)
		add_text(o, "active", active->name);
	return o;
}

static struct json_object *guest_json(const struct domains *domains, const struct link *port,
				      uint32_t domid, uint32_t handle)
{
	struct json_object *o = json_object_new_object();
	_cleanup_free_ char *name = domains_name(domains, domid);
	struct mac mac;

	add_text(o, "interface", port->name);
	json_object_object_add(o, "domid", json_object_new_int64(domid));
	json_object_object_add(o, "handle", json_object_new_int64(handle));
	add_text(o, "domain", name);
	if (domains_mac(domains, domid, handle, &mac))
		add_mac(o, "mac", &mac);
	else
		json_object_object_add(o, "mac", NULL);
	return o;
}

static struct json_object *bridge_json(const struct site *site, const struct domains *domains,
				       const struct link *bridge)
{
	struct json_object *o = json_object_new_object(), *guests, *others, *dom0 = NULL;
	const struct link *dom0_link;
	struct record record;
	uint32_t number = 0, domid, handle;
	enum shape shape = shape_parse(bridge->name, &number);

	record_of(&site->links, bridge, &record);
	add_text(o, "name", bridge->name);
	json_object_object_add(o, "shape", shape ? json_object_new_int((int)shape) : NULL);
	json_object_object_add(o, "outside",
			       shape ? json_object_new_boolean(shape_outside(shape)) : NULL);
	json_object_object_add(o, "dom0",
			       shape ? json_object_new_boolean(shape_dom0(shape)) : NULL);
	json_object_object_add(o, "up", json_object_new_boolean(bridge->flags & IFF_UP));
	json_object_object_add(o, "persistent",
			       json_object_new_boolean(persist_exists(site, bridge->name)));
	json_object_object_add(o, "uplink", uplink_json(site, &record));
	dom0_link = shape_dom0(shape) ? record_dom0(&site->links, number) : NULL;
	if (dom0_link) {
		dom0 = json_object_new_object();
		add_text(dom0, "interface", dom0_link->name);
		add_mac(dom0, "mac", &dom0_link->mac);
	}
	json_object_object_add(o, "dom0_interface", dom0);
	guests = json_object_new_array();
	others = json_object_new_array();
	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *port = &site->links.item[i];

		if (port->master != bridge->index ||
		    (shape && record_owns_port(&record, number, port->name)))
			continue;
		if (port_of_guest(port, &domid, &handle))
			json_object_array_add(guests, guest_json(domains, port, domid, handle));
		else
			json_object_array_add(others, json_object_new_string(port->name));
	}
	json_object_object_add(o, "guests", guests);
	json_object_object_add(o, "other_ports", others);
	return o;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && v ? json_object_get_string(v) : "";
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

static void print_guest(struct json_object *guest)
{
	const char *name = text_of(guest, "domain");

	printf("  guest    %-12s %s%s%s%s\n", text_of(guest, "interface"), *name ? name : "domain ",
	       *name ? "" : text_of(guest, "domid"), *text_of(guest, "mac") ? "  " : "",
	       text_of(guest, "mac"));
}

static void print_bridge(struct json_object *b)
{
	struct json_object *uplink = member(b, "uplink"), *dom0 = member(b, "dom0_interface");
	struct json_object *guests = member(b, "guests"), *others = member(b, "other_ports");

	printf("%s  ", text_of(b, "name"));
	if (member(b, "shape"))
		printf("outside: %s  dom0: %s",
		       json_object_get_boolean(member(b, "outside")) ? "yes" : "no",
		       json_object_get_boolean(member(b, "dom0")) ? "yes" : "no");
	else
		printf("not one of the four shapes");
	printf("%s%s\n", json_object_get_boolean(member(b, "up")) ? "" : "  DOWN",
	       json_object_get_boolean(member(b, "persistent")) ? "  (persistent)" : "");
	if (uplink) {
		printf("  outside  %-12s", text_of(uplink, "interface"));
		if (strcmp(text_of(uplink, "interface"), text_of(uplink, "netdev")) != 0)
			printf(" was %s", text_of(uplink, "netdev"));
		if (*text_of(uplink, "active"))
			printf(" active: %s", text_of(uplink, "active"));
		printf("%s\n",
		       json_object_get_boolean(member(uplink, "carrier")) ? "" : " no link");
	}
	if (dom0)
		printf("  dom0     %-12s %s\n", text_of(dom0, "interface"), text_of(dom0, "mac"));
	for (size_t i = 0; i < json_object_array_length(guests); i++)
		print_guest(json_object_array_get_idx(guests, i));
	for (size_t i = 0; i < json_object_array_length(others); i++)
		printf("  port     %s\n",
		       json_object_get_string(json_object_array_get_idx(others, i)));
}

static int show(struct site *site, char **names, int n, bool json, struct problem *p)
{
	struct domains domains = { 0 };
	struct json_object *root, *list;
	int r = site_open(site, false, p);

	if (r < 0)
		return r;
	for (int i = 0; i < n; i++) {
		const struct link *link = link_by_name(&site->links, names[i]);

		if (!link || !link_is_bridge(link))
			return problem_set(p, EXIT_ABSENT, -ENODEV,
					   "%s: there is no such bridge; see \"xenpv bridge show\"",
					   names[i]);
	}
	domains_open(&domains);
	list = json_object_new_array();
	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *link = &site->links.item[i];
		bool wanted = n == 0;

		for (int k = 0; k < n; k++)
			wanted = wanted || !strcmp(link->name, names[k]);
		if (wanted && link_is_bridge(link))
			json_object_array_add(list, bridge_json(site, &domains, link));
	}
	domains_close(&domains);
	root = json_object_new_object();
	json_object_object_add(root, "bridges", list);
	if (json)
		return print_json(root, EXIT_DONE);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		print_bridge(json_object_array_get_idx(list, i));
	json_object_put(root);
	return EXIT_DONE;
}

int cmd_bridge_show(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv bridge show",
		.words = "[BRIDGE...]",
		.summary = "Show bridges, their interfaces and the guests on them.",
		.json = json,
	};
	struct site site = SITE_INIT;
	const struct opt opts[] = { SITE_OPTIONS(&site), { 0 } };
	struct problem p = { 0 };
	int status, r;

	if (!parse_options(&call, opts, 0, -1, &argc, &argv, &status))
		return status;
	r = show(&site, argv, argc, call.json, &p);
	return site_end(&site, r, &p);
}
