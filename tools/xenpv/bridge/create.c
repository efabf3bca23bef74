// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge create: check everything, then change it as one. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/build.h"
#include "xenpv/bridge/ip.h"
#include "xenpv/bridge/persist.h"
#include "xenpv/bridge/uplink.h"

struct wish {
	const char *name, *netdev, *vlan, *lodev, *mac;
	struct opt_list ip;
	bool flush, force, persist, dry_run;
};

/* Options that belong to other shapes are mistakes, and missing ones are, too. */
static int check_words(const struct wish *w, enum shape shape, struct problem *p)
{
	const struct {
		const char *name;
		bool given, wanted, required;
	} rules[] = {
		{ "--netdev", w->netdev, shape_outside(shape), true },
		{ "--vlan", w->vlan, shape == SHAPE_GEXTBR, false },
		{ "--flush", w->flush, shape == SHAPE_GEXTBR, false },
		{ "--lodev", w->lodev, shape == SHAPE_INTBR, true },
		{ "--mac", w->mac, shape == SHAPE_INTBR, true },
		{ "--ip", w->ip.n, shape == SHAPE_INTBR, true },
	};

	for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
		if (rules[i].given && !rules[i].wanted)
			return problem_set(p, EXIT_USAGE, -EINVAL,
					   "%s: a bridge of the shape %s takes no %s", w->name,
					   shape_prefix(shape), rules[i].name);
		if (!rules[i].given && rules[i].wanted && rules[i].required)
			return problem_set(p, EXIT_USAGE, -EINVAL,
					   "%s: a bridge of the shape %s needs %s", w->name,
					   shape_prefix(shape), rules[i].name);
	}
	return 0;
}

static int check_name(const struct site *site, const struct blueprint *b, struct problem *p)
{
	unsigned int n = 0;
	uint32_t number;
	char port[IFNAMSIZ];

	if (link_by_name(&site->links, b->name))
		return problem_set(p, EXIT_REFUSED, -EEXIST,
				   "%s: exists already; delete it first, or choose another number",
				   b->name);
	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *link = &site->links.item[i];

		if (shape_parse(link->name, &number) == SHAPE_NONE || !link_is_bridge(link))
			continue;
		n++;
		if (number == b->number)
			return problem_set(p, EXIT_REFUSED, -EEXIST,
					   "%s: %s has the number %u already; choose another",
					   b->name, link->name, number);
	}
	if (n >= BRIDGES_MAX)
		return problem_set(p, EXIT_REFUSED, -EMFILE,
				   "%s: there are %u bridges, and no more may be; delete one",
				   b->name, n);
	port_of_dom0(b->number, port);
	if (shape_dom0(b->shape) && link_by_name(&site->links, port))
		return problem_set(p, EXIT_REFUSED, -EEXIST,
				   "%s: %s exists already, which is to be dom0's port; delete it",
				   b->name, port);
	return 0;
}

/* VLANs and the like on a NIC that is to be renamed go down with it and lose their routes. */
static int check_uppers(const struct site *site, const struct blueprint *b, struct problem *p)
{
	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *upper = &site->links.item[i];
		struct addressing a = { 0 };
		bool used;
		int r;

		if (upper->lower != b->nic->index || !upper->lower_is_local ||
		    upper->index == b->nic->index || !strcmp(upper->kind, "veth"))
			continue;
		r = addressing_load(site->rt, upper->index, upper->name, &a, p);
		used = addressing_is_used(&a);
		addressing_clear(&a);
		if (r < 0)
			return r;
		if (used)
			return problem_set(
				p, EXIT_REFUSED, -EBUSY,
				"%s: %s on %s has addresses, and %s has to be down for a "
				"moment; remove %s and make it anew on p%s",
				b->name, upper->name, b->nic->name, b->nic->name, upper->name,
				b->nic->name);
	}
	return 0;
}

static int check_xenbr(const struct site *site, const struct wish *w, struct blueprint *b,
		       struct problem *p)
{
	char port[IFNAMSIZ + 1];
	int r = uplink_check(&site->links, b->nic, w->name, &site->settings, w->force, p);

	if (r >= 0)
		r = uplink_check_mac(b->nic, w->name, p);
	if (r < 0)
		return r;
	snprintf(port, sizeof(port), "p%s", b->nic->name);
	if (!link_name_ok(port))
		return problem_set(p, EXIT_REFUSED, -ENAMETOOLONG,
				   "%s: the NIC is to be named %s, which is longer than %d bytes; "
				   "rename %s first",
				   w->name, port, IFNAMSIZ - 1, b->nic->name);
	if (link_by_name(&site->links, port))
		return problem_set(p, EXIT_REFUSED, -EEXIST,
				   "%s: the NIC is to be named %s, which exists already; rename it",
				   w->name, port);
	r = check_uppers(site, b, p);
	if (r < 0)
		return r;
	return addressing_load(site->rt, b->nic->index, b->nic->name, &b->addressing, p);
}

static int check_vlan(const struct site *site, const struct wish *w, struct blueprint *b,
		      struct problem *p)
{
	char name[IFNAMSIZ + 8];
	uint32_t id;
	int r;

	/* 0 and 4095 are reserved, IEEE 802.1Q table 9-2 */
	if (parse_u32(w->vlan, 1, 4094, &id) < 0)
		return problem_set(p, EXIT_USAGE, -EINVAL,
				   "%s: --vlan %s is no VLAN; these are 1 to 4094", w->name,
				   w->vlan);
	r = uplink_check_parent(&site->links, b->nic, w->name, &site->settings, w->force, p);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%s.%u", b->nic->name, id);
	if (!link_name_ok(name) || strlen(b->nic->name) > 10)
		return problem_set(p, EXIT_REFUSED, -ENAMETOOLONG,
				   "%s: the name %s is too long for an interface; make the VLAN "
				   "yourself and give it with --netdev",
				   w->name, name);
	if (link_by_name(&site->links, name))
		return problem_set(p, EXIT_REFUSED, -EEXIST,
				   "%s: %s exists already; use it with --netdev %s, or delete it",
				   w->name, name, name);
	for (size_t i = 0; i < site->links.n; i++)
		if (site->links.item[i].lower == b->nic->index && site->links.item[i].vlan_id == id)
			return problem_set(
				p, EXIT_REFUSED, -EEXIST,
				"%s: VLAN %u of %s is %s already; use it with --netdev %s", w->name,
				id, b->nic->name, site->links.item[i].name,
				site->links.item[i].name);
	b->vlan = (uint16_t)id;
	return 0;
}

static int check_gextbr(const struct site *site, const struct wish *w, struct blueprint *b,
			struct problem *p)
{
	int r;

	if (w->vlan)
		return check_vlan(site, w, b, p);
	r = uplink_check(&site->links, b->nic, w->name, &site->settings, w->force, p);
	if (r < 0)
		return r;
	r = addressing_load(site->rt, b->nic->index, b->nic->name, &b->addressing, p);
	if (r < 0)
		return r;
	b->flush = addressing_is_used(&b->addressing);
	if (b->flush && !w->flush)
		return problem_set(
			p, EXIT_REFUSED, -EBUSY,
			"%s: %s has addresses of dom0, which would lose them; name another "
			"NIC, or let --flush remove them until the bridge is deleted",
			w->name, b->nic->name);
	if (addressing_has_default_route(&b->addressing) && !w->force)
		return problem_set(p, EXIT_REFUSED, -EBUSY,
				   "%s: dom0's default route goes through %s; name another NIC, or "
				   "use --force",
				   w->name, b->nic->name);
	return 0;
}

/* The rules for a network name no bridge: two would share them, and lose them with the first. */
static int check_network(const struct site *site, const struct wish *w, const struct ip *ip,
			 struct problem *p)
{
	const struct ip network = ip_network(ip);

	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *bridge = &site->links.item[i];
		struct record record;
		uint32_t number;

		if (!link_is_bridge(bridge) || shape_parse(bridge->name, &number) != SHAPE_INTBR)
			continue;
		site_record(site, bridge, &record);
		for (unsigned int k = 0; k < record.n_ip; k++) {
			struct ip other;

			if (ip_parse(record.ip[k], &other) < 0)
				continue;
			other = ip_network(&other);
			if (memcmp(&other, &network, sizeof(other)) == 0)
				return problem_set(p, EXIT_REFUSED, -EEXIST,
						   "%s: %s has an address in the same network, %s; "
						   "give one in another network, or delete %s",
						   w->name, bridge->name, record.ip[k],
						   bridge->name);
		}
	}
	return 0;
}

static int check_intbr(const struct site *site, const struct wish *w, struct blueprint *b,
		       struct problem *p)
{
	uint32_t domid, handle;
	char mac[MAC_TEXT];
	int r;

	b->lodev = w->lodev;
	if (!link_name_ok(w->lodev) || port_parse(w->lodev, &domid, &handle))
		return problem_set(
			p, EXIT_USAGE, -EINVAL,
			"%s: --lodev %s is no name for dom0's interface; choose one like "
			"eth2",
			w->name, w->lodev);
	if (link_by_name(&site->links, w->lodev))
		return problem_set(p, EXIT_REFUSED, -EEXIST,
				   "%s: --lodev %s exists already; choose another name", w->name,
				   w->lodev);
	if (mac_parse(w->mac, &b->mac) < 0)
		return problem_set(
			p, EXIT_USAGE, -EINVAL,
			"%s: --mac %s is no address; write for example 02:17:42:2F:00:01", w->name,
			w->mac);
	if (mac_is_multicast(&b->mac) || mac_is_zero(&b->mac))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: --mac %s is %s; give the address of one station", w->name,
				   w->mac, mac_is_zero(&b->mac) ? "zero" : "a group's");
	if (!mac_has_prefix(&b->mac, &site->settings.prefix, site->settings.prefix_len))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: --mac %s does not begin with %s; take another, or change "
				   "mac-prefix in bridge.conf",
				   w->name, w->mac, site->settings.mac_prefix);
	for (size_t i = 0; i < site->links.n; i++)
		if (mac_equal(&site->links.item[i].mac, &b->mac))
			return problem_set(p, EXIT_REFUSED, -EEXIST,
					   "%s: --mac %s is the address of %s; take another",
					   w->name, mac_format(&b->mac, mac),
					   site->links.item[i].name);
	if (w->ip.n > RECORD_IPS)
		return problem_set(p, EXIT_USAGE, -EINVAL, "%s: --ip is given more than %d times",
				   w->name, RECORD_IPS);
	for (size_t i = 0; i < w->ip.n; i++) {
		struct ip ip;

		if (ip_parse(w->ip.item[i], &ip) < 0)
			return problem_set(
				p, EXIT_USAGE, -EINVAL,
				"%s: --ip %s is no address with prefix length; write for "
				"example 192.168.1.10/24",
				w->name, w->ip.item[i]);
		r = check_network(site, w, &ip, p);
		if (r < 0)
			return r;
		/* not as it was written: leading zeros have no end */
		ip_format(&ip, b->record.ip[i]);
	}
	b->record.n_ip = (unsigned int)w->ip.n;
	return 0;
}

/* Is it there already, as asked for? Then there is nothing to do. */
static bool is_done(const struct site *site, const struct wish *w, enum shape shape)
{
	const struct link *bridge = link_by_name(&site->links, w->name), *port;
	struct record record;
	struct mac mac;
	char vlan[IFNAMSIZ + 8];

	if (!bridge || !link_is_bridge(bridge) || !(bridge->flags & IFF_UP) ||
	    !record_of(&site->links, bridge, &record))
		return false;
	if (shape == SHAPE_INTBR) {
		const struct link *dom0 = link_by_name(&site->links, w->lodev);

		if (!dom0 || strcmp(record.dom0, w->lodev) != 0 || mac_parse(w->mac, &mac) < 0 ||
		    !mac_equal(&mac, &dom0->mac) || record.n_ip != w->ip.n)
			return false;
		for (size_t i = 0; i < w->ip.n; i++) {
			struct ip is, wanted;

			if (ip_parse(record.ip[i], &is) < 0 ||
			    ip_parse(w->ip.item[i], &wanted) < 0 ||
			    memcmp(&is, &wanted, sizeof(is)) != 0)
				return false;
		}
		return true;
	}
	if (!shape_outside(shape))
		return true;
	snprintf(vlan, sizeof(vlan), "%s.%s", w->netdev, w->vlan ?: "");
	port = link_by_name(&site->links, record.port);
	return port && port->master == bridge->index && !strcmp(record.netdev, w->netdev) &&
	       record.made_vlan == (w->vlan != NULL) && (!w->vlan || !strcmp(record.port, vlan));
}

static int check(const struct site *site, const struct wish *w, struct blueprint *b,
		 struct problem *p)
{
	int r = check_name(site, b, p);

	if (r < 0)
		return r;
	if (w->netdev) {
		b->nic = link_by_name(&site->links, w->netdev);
		if (!b->nic)
			return problem_set(p, EXIT_ABSENT, -ENODEV,
					   "%s: there is no interface %s; see \"ip link\"", w->name,
					   w->netdev);
	}
	switch (b->shape) {
	case SHAPE_XENBR:
		return check_xenbr(site, w, b, p);
	case SHAPE_GEXTBR:
		return check_gextbr(site, w, b, p);
	case SHAPE_INTBR:
		return check_intbr(site, w, b, p);
	default:
		return 0;
	}
}

static int report(const struct wish *w, const struct plan *plan, bool json, bool changed)
{
	struct json_object *o;

	if (!json) {
		if (w->dry_run)
			plan_print(plan);
		return EXIT_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "bridge", json_object_new_string(w->name));
	json_object_object_add(o, "changed", json_object_new_boolean(changed));
	json_object_object_add(o, "changes", plan_to_json(plan));
	return print_json(o, EXIT_DONE);
}

static int create(struct site *site, const struct wish *w, bool json, struct problem *p)
{
	_cleanup_(blueprint_clear) struct blueprint b = { .name = w->name };
	_cleanup_(plan_clear) struct plan plan = { 0 };
	int r;

	b.shape = shape_parse(w->name, &b.number);
	if (b.shape == SHAPE_NONE)
		return problem_set(
			p, EXIT_USAGE, -EINVAL,
			"%s: is no name for a bridge; these are xenbrN, gextbrN, intbrN and "
			"gintbrN with N from 0 to %d",
			w->name, BRIDGES_MAX - 1);
	r = check_words(w, b.shape, p);
	if (r < 0)
		return r;
	r = site_open(site, !w->dry_run, p);
	if (r < 0)
		return r;
	if (is_done(site, w, b.shape) && (!w->persist || persist_exists(site, w->name))) {
		if (!json)
			printf("%s exists already, as asked for\n", w->name);
		return report(w, &plan, json, false);
	}
	r = check(site, w, &b, p);
	if (r >= 0)
		r = build_plan(site, &b, &plan, p);
	if (r >= 0 && w->persist)
		r = persist_plan(site, &b, &plan, p);
	if (r < 0)
		return r;
	if (!w->dry_run) {
		r = plan_run(&plan, site->rt, w->name, p);
		if (r < 0)
			return r;
	}
	return report(w, &plan, json, !w->dry_run);
}

int cmd_bridge_create(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv bridge create",
		.words = "BRIDGE",
		.summary = "Create a virtual bridge and put its interfaces on it.",
		.more = "  xenbrN  --netdev IF                outside and dom0\n"
			"  gextbrN --netdev IF [--vlan ID]    outside, not dom0\n"
			"  intbrN  --lodev IF --mac MAC --ip ADDRESS/LENGTH\n"
			"                                     dom0, not outside\n"
			"  gintbrN                            guests among themselves\n"
			"\n"
			"N is 0 to 127 and the same for no two bridges of whatever shape.",
		.json = json,
	};
	struct wish w = { 0 };
	struct site site = SITE_INIT;
	const struct opt opts[] = {
		{ "netdev", 'n', OPT_TEXT, &w.netdev, "IF",
		  "the NIC, bond or VLAN to the outside" },
		{ "vlan", 0, OPT_TEXT, &w.vlan, "ID", "make VLAN ID on it, and use that" },
		{ "lodev", 0, OPT_TEXT, &w.lodev, "IF", "name of dom0's interface on an intbr" },
		{ "mac", 0, OPT_TEXT, &w.mac, "MAC", "its Ethernet address" },
		{ "ip", 0, OPT_LIST, &w.ip, "IP/LEN", "its IP address, up to 4 times" },
		{ "flush", 0, OPT_FLAG, &w.flush, NULL,
		  "remove the NIC's addresses while it is on a gextbr" },
		{ "persist", 'p', OPT_FLAG, &w.persist, NULL,
		  "write files for systemd-networkd, so that it is there after a boot" },
		{ "force", 'f', OPT_FLAG, &w.force, NULL,
		  "accept doubtful bonds, and the loss of the default route" },
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
	r = create(&site, &w, call.json, &p);
	return site_end(&site, r, &p);
}
