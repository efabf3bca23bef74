// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/shape.h"

/* libxl's, where no bridge is named */
#define DEFAULT_BRIDGE "xenbr0"

/* One VNIF with whose it is, for sorting. */
struct entry {
	const struct guest *guest;
	const struct vnif *vnif;
	size_t number;
	size_t place; /* in the order of the files */
	const char *bridge;
};

#define REPORT(e, severity, fmt, ...)                                                              \
	findings_add(findings, severity, (e)->guest->file, (e)->vnif->line, "%s: vif[%zu]: " fmt,  \
		     (e)->guest->name, (e)->number, ##__VA_ARGS__)

static int order(const struct entry *a, const struct entry *b)
{
	return a->place < b->place ? -1 : a->place > b->place;
}

static int by_mac(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int d = memcmp(a->vnif->mac.byte, b->vnif->mac.byte, MAC_LEN);

	/* the first in the order of the files is the one that others collide with */
	return d ? d : order(a, b);
}

static enum vif_script script_of(const struct vnif *vnif, const struct host_facts *host)
{
	if (vnif->script != VIF_SCRIPT_NONE)
		return vnif->script;
	return host->default_script ? vif_script(host->default_script) : VIF_SCRIPT_BRIDGE;
}

/* The bridge that xl will take; "" if nobody knows. */
static const char *bridge_of(const struct vnif *vnif, const struct host_facts *host)
{
	if (vnif->bridge)
		return vnif->bridge;
	if (script_of(vnif, host) == VIF_SCRIPT_ROUTED || vnif->elsewhere)
		return "";
	return host->default_bridge ?: DEFAULT_BRIDGE;
}

/* Is it on a bridge of this host's kernel? */
static bool is_bridged(const struct vnif *vnif, const struct host_facts *host)
{
	return *bridge_of(vnif, host) && !vnif->elsewhere &&
	       script_of(vnif, host) == VIF_SCRIPT_BRIDGE;
}

static int by_bridge(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int d = strcmp(a->bridge, b->bridge);

	return d ? d : order(a, b);
}

static void check_mac(const struct entry *e, const struct host_facts *host,
		      struct findings *findings)
{
	const struct mac *mac = &e->vnif->mac;
	char text[MAC_TEXT];

	mac_format(mac, text);
	if (mac_is_zero(mac))
		REPORT(e, SEVERITY_ERROR, "mac=%s is no station's address; give it one", text);
	else if (mac_is_multicast(mac))
		REPORT(e, SEVERITY_ERROR,
		       "mac=%s is the address of a group, which floods the network; the second "
		       "digit has to be even",
		       text);
	else if (!mac_has_prefix(mac, &host->prefix, host->prefix_len))
		REPORT(e, SEVERITY_ERROR,
		       "mac=%s does not begin with %s; take one that does, or change mac-prefix in "
		       "bridge.conf",
		       text, host->prefix_text);
	for (size_t i = 0; i < host->n_interfaces; i++)
		if (mac_equal(mac, &host->interfaces[i].mac))
			REPORT(e, SEVERITY_ERROR,
			       "mac=%s is the address of dom0's %s; take another", text,
			       host->interfaces[i].name);
}

static bool bridge_exists(const struct host_facts *host, const char *name)
{
	for (size_t i = 0; i < host->n_bridges; i++)
		if (!strcmp(host->bridges[i], name))
			return true;
	return false;
}

static void check_bridge(const struct entry *e, const struct host_facts *host,
			 struct findings *findings)
{
	const struct vnif *vnif = e->vnif;
	const char *bridge = bridge_of(vnif, host);
	enum vif_script script = script_of(vnif, host);

	if (script == VIF_SCRIPT_ROUTED) {
		REPORT(e, SEVERITY_WARNING,
		       "it is routed, not bridged; use script=vif-bridge, or no script");
		return;
	}
	if (vnif->elsewhere)
		return; /* not our bridges */
	if (!vnif->bridge)
		REPORT(e, SEVERITY_WARNING,
		       "it names no bridge, and xl takes %s by default; write bridge=%s, or "
		       "another",
		       bridge, bridge);
	if (!*bridge)
		REPORT(e, SEVERITY_ERROR, "it names no bridge; add bridge=...");
	else if (script == VIF_SCRIPT_BRIDGE && !host->any_bridge && !bridge_exists(host, bridge))
		REPORT(e, SEVERITY_ERROR,
		       "bridge=%s does not exist; create it with \"xenpv bridge create\", or name "
		       "another",
		       bridge);
}

static void check_guest(const struct guest *guest, const struct host_facts *host,
			struct findings *findings)
{
	if (guest->n > GUEST_VNIFS_MAX)
		findings_add(findings, SEVERITY_ERROR, guest->file, guest->vnif[0].line,
			     "%s: it has %zu VNIFs, more than %d; remove some", guest->name,
			     guest->n, GUEST_VNIFS_MAX);
	for (size_t i = 0; i < guest->n; i++) {
		const struct entry e = { guest, &guest->vnif[i], i, 0,
					 bridge_of(&guest->vnif[i], host) };

		if (e.vnif->has_mac)
			check_mac(&e, host, findings);
		else
			REPORT(&e, SEVERITY_ERROR,
			       "it has no mac=, or none that is valid; give it one");
		check_bridge(&e, host, findings);
		for (size_t k = 0; k < i; k++) {
			const struct vnif *other = &guest->vnif[k];

			if (!*e.bridge || e.vnif->elsewhere != other->elsewhere ||
			    script_of(e.vnif, host) == VIF_SCRIPT_SWITCHED ||
			    script_of(other, host) == VIF_SCRIPT_SWITCHED ||
			    strcmp(e.bridge, bridge_of(other, host)) != 0)
				continue;
			REPORT(&e, SEVERITY_ERROR,
			       "bridge=%s is that of vif[%zu], too; put each on a bridge of its "
			       "own",
			       e.bridge, k);
			break;
		}
	}
}

static void check_duplicates(struct entry *entries, size_t n, struct findings *findings)
{
	qsort(entries, n, sizeof(*entries), by_mac);
	for (size_t i = 1, first = 0; i < n; i++) {
		const struct entry *e = &entries[i], *f;
		char text[MAC_TEXT];

		if (!mac_equal(&entries[first].vnif->mac, &e->vnif->mac)) {
			first = i;
			continue;
		}
		f = &entries[first];
		REPORT(e, SEVERITY_ERROR,
		       "mac=%s is that of %s vif[%zu] (%s:%u), too; take another",
		       mac_format(&e->vnif->mac, text), f->guest->name, f->number, f->guest->file,
		       f->vnif->line);
	}
}

/* Bridges that guests name: how many VNIFs on each, how many bridges, numbers used twice. */
static void check_bridges(struct entry *entries, size_t n, const struct host_facts *host,
			  struct findings *findings)
{
	const char *owner[BRIDGES_MAX] = { NULL };
	size_t bridges = host->n_bridges;
	uint32_t number;

	for (size_t i = 0; i < host->n_bridges; i++)
		if (shape_parse(host->bridges[i], &number) != SHAPE_NONE)
			owner[number] = host->bridges[i];
	qsort(entries, n, sizeof(*entries), by_bridge);
	for (size_t i = 0, run = 0; i < n; i++) {
		const struct entry *e = &entries[i];
		const char *name = e->bridge;

		if (i > 0 && !strcmp(entries[i - 1].bridge, name)) {
			if (++run == BRIDGE_VNIFS_MAX)
				REPORT(e, SEVERITY_ERROR,
				       "%s has more than %d VNIFs with this one; use another "
				       "bridge",
				       name, BRIDGE_VNIFS_MAX);
			continue;
		}
		run = 0;
		if (shape_parse(name, &number) == SHAPE_NONE) {
			if (shape_resembles(name))
				REPORT(e, SEVERITY_ERROR,
				       "%s has a number that no bridge can have; these are 0 to %d",
				       name, BRIDGES_MAX - 1);
		} else if (!owner[number]) {
			owner[number] = name;
		} else if (strcmp(owner[number], name) != 0) {
			REPORT(e, SEVERITY_ERROR,
			       "%s has the number of %s; each bridge has one of its own", name,
			       owner[number]);
		}
		if (!bridge_exists(host, name) && ++bridges > BRIDGES_MAX)
			REPORT(e, SEVERITY_ERROR,
			       "%s would be bridge number %zu, and no more than %d may be", name,
			       bridges, BRIDGES_MAX);
	}
}

static void check_names(const struct guests *guests, struct findings *findings)
{
	for (size_t i = 0; i < guests->n; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct guest *a = &guests->item[k], *b = &guests->item[i];

			if (strcmp(a->name, b->name) != 0 || !strcmp(a->name, "?"))
				continue;
			findings_add(findings, SEVERITY_ERROR, b->file, b->line,
				     "%s: %s has this name, too; give each guest one of its own",
				     b->name, a->file);
			break;
		}
	}
}

static size_t append(struct entry *entries, size_t n, const struct guest *guest, size_t k,
		     const struct host_facts *host)
{
	entries[n] =
		(struct entry){ guest, &guest->vnif[k], k, n, bridge_of(&guest->vnif[k], host) };
	return n + 1;
}

int rules_check(const struct guests *guests, const struct host_facts *host,
		struct findings *findings)
{
	_cleanup_free_ struct entry *entries = NULL;
	size_t all = 0, n = 0;

	for (size_t i = 0; i < guests->n; i++)
		all += guests->item[i].n;
	entries = calloc(all + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	check_names(guests, findings);
	for (size_t i = 0; i < guests->n; i++)
		check_guest(&guests->item[i], host, findings);
	for (size_t i = 0; i < guests->n; i++)
		for (size_t k = 0; k < guests->item[i].n; k++)
			if (guests->item[i].vnif[k].has_mac)
				n = append(entries, n, &guests->item[i], k, host);
	check_duplicates(entries, n, findings);
	n = 0;
	for (size_t i = 0; i < guests->n; i++)
		for (size_t k = 0; k < guests->item[i].n; k++)
			if (is_bridged(&guests->item[i].vnif[k], host))
				n = append(entries, n, &guests->item[i], k, host);
	check_bridges(entries, n, host, findings);
	return findings->error;
}
