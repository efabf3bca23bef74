// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/build.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

void blueprint_clear(struct blueprint *b)
{
	addressing_clear(&b->addressing);
}

/* Value of disable_ipv6; an interface that does not exist yet will have the default. */
static bool inet6_disabled(const char *dev)
{
	char value[SYSCTL_VALUE];

	return sysctl_read("ipv6", dev, "disable_ipv6", value) == 0 && !strcmp(value, "1");
}

static bool have_inet6(void)
{
	char value[SYSCTL_VALUE];

	return sysctl_read("ipv6", "default", "disable_ipv6", value) == 0;
}

static void no_inet6(struct plan *plan, const char *dev, bool disabled_now)
{
	if (have_inet6())
		plan_sysctl(plan, "ipv6", dev, "disable_ipv6", "1", disabled_now ? "1" : "0");
}

static void no_inet6_on_new(struct plan *plan, const char *dev)
{
	no_inet6(plan, dev, inet6_disabled("default"));
}

/* The bridge itself, up, and deaf before it is. */
static int plan_bridge(struct plan *plan, const struct blueprint *b, struct problem *p)
{
	char alias[LINK_ALIAS_MAX];
	int r = record_encode(&b->record, alias);

	if (r < 0)
		return problem_set(
			p, EXIT_REFUSED, r,
			"%s: its names and addresses are too long to be kept; give fewer "
			"addresses",
			b->name);
	plan_add_bridge(plan, b->name, alias);
	no_inet6_on_new(plan, b->name);
	plan_qdisc(plan, b->name, true);
	plan_guard(plan, b->name, GUARD_BRIDGE, true);
	plan_flags(plan, b->name, IFF_UP, IFF_UP, 0);
	return 0;
}

/* dom0's port. Down until everything is in place. */
static void plan_dom0(struct plan *plan, const struct blueprint *b, const char *dom0,
		      const struct mac *mac, uint32_t mtu, char port[IFNAMSIZ])
{
	port_of_dom0(b->number, port);
	plan_add_veth(plan, port, dom0, mac, mtu);
	no_inet6_on_new(plan, port);
	plan_master(plan, port, b->name, NULL);
	plan_flags(plan, port, IFF_UP, IFF_UP, 0);
}

struct copy {
	struct plan *plan;
	const char *dev;
};

static int copy_setting(const char *family, const char *key, const char *value, void *userdata)
{
	const struct copy *copy = userdata;
	char fresh[SYSCTL_VALUE];

	if (sysctl_read(family, "default", key, fresh) == 0)
		plan_sysctl(copy->plan, family, copy->dev, key, value, fresh);
	return 0;
}

/* xenbr: the NIC becomes a port under another name, and dom0 gets a new interface in its place. */
static int build_xenbr(struct blueprint *b, struct plan *plan, struct problem *p)
{
	const struct link *nic = b->nic;
	struct record *record = &b->record;
	bool up = nic->flags & IFF_UP, disabled = inet6_disabled(nic->name);
	char port[IFNAMSIZ];
	struct copy copy = { .plan = plan, .dev = nic->name };
	int r;

	strcpy(record->netdev, nic->name);
	strcpy(record->dom0, nic->name);
	/* the length was checked */
	snprintf(record->port, sizeof(record->port), "p%.14s", nic->name);
	record->mac = nic->mac;
	record->flags = nic->flags & (IFF_UP | IFF_NOARP | IFF_MULTICAST);
	record->inet6 = !disabled;
	r = plan_bridge(plan, b, p);
	if (r < 0)
		return r;

	if (up)
		plan_down(plan, nic->name, &b->addressing);
	plan_take_away(plan, nic->name, &b->addressing, !up);
	plan_rename(plan, nic->name, record->port);
	plan_flags(plan, record->port, IFF_NOARP | IFF_MULTICAST, IFF_NOARP, nic->flags);
	no_inet6(plan, record->port, disabled);
	/* Frames for dom0's address have to leave the bridge by dom0's port. */
	plan_mac(plan, record->port, &mac_of_ports, &nic->mac);
	plan_master(plan, record->port, b->name, NULL);
	plan_flags(plan, record->port, IFF_UP, IFF_UP, 0);

	plan_dom0(plan, b, nic->name, &nic->mac, nic->mtu, port);
	r = sysctl_each_difference(nic->name, copy_setting, &copy);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%s: cannot read the settings of %s: %m",
				   b->name, nic->name);
	/* Its link-local address comes with the others, and without a delay. */
	if (nic->has_inet6)
		plan_addr_gen_mode(plan, nic->name, IN6_ADDR_GEN_MODE_NONE,
				   IN6_ADDR_GEN_MODE_EUI64);
	if (up)
		plan_flags(plan, nic->name, IFF_UP, IFF_UP, 0);
	plan_give(plan, nic->name, &b->addressing);
	if (nic->has_inet6)
		plan_addr_gen_mode(plan, nic->name, nic->addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
	return 0;
}

/* gextbr: the NIC, or a VLAN on it, becomes a port, and dom0 has no part in it. */
static int build_gextbr(const struct site *site, struct blueprint *b, struct plan *plan,
			struct problem *p)
{
	struct record *record = &b->record;
	const struct link *nic = b->nic;
	char path[PATH_MAX];
	_cleanup_free_ char *saved = NULL;
	bool disabled;
	int r;

	strcpy(record->netdev, nic->name);
	record->made_vlan = b->vlan != 0;
	if (b->vlan) {
		/* the length was checked */
		snprintf(record->port, sizeof(record->port), "%.10s.%u", nic->name,
			 (unsigned int)b->vlan & 0xfff);
		record->flags = IFF_MULTICAST;
		disabled = inet6_disabled("default");
	} else {
		strcpy(record->port, nic->name);
		record->flags = nic->flags & (IFF_UP | IFF_NOARP | IFF_MULTICAST);
		disabled = inet6_disabled(nic->name);
	}
	record->inet6 = !disabled;
	r = b->vlan ? 0 : guard_has_qdisc(site->rt, nic->index);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%s: cannot list the filters of %s: %m",
				   b->name, nic->name);
	record->made_qdisc = r == 0;

	r = plan_bridge(plan, b, p);
	if (r < 0)
		return r;
	if (b->vlan)
		plan_add_vlan(plan, record->port, nic->name, b->vlan);
	site_addresses_path(site, b->name, path, sizeof(path));
	if (b->flush) {
		r = addressing_to_text(&b->addressing, &saved);
		if (r < 0)
			return problem_set(p, EXIT_FAILED, r, "%s: %m", b->name);
		plan_file(plan, path, saved);
		plan_take_away(plan, record->port, &b->addressing, true);
	} else if (access(path, F_OK) == 0) {
		/* Of a bridge that somebody else deleted, perhaps of another NIC. */
		plan_file(plan, path, NULL);
	}
	plan_flags(plan, record->port, IFF_NOARP | IFF_MULTICAST, IFF_NOARP, record->flags);
	no_inet6(plan, record->port, disabled);
	if (record->made_qdisc)
		plan_qdisc(plan, record->port, true);
	plan_guard(plan, record->port, GUARD_PORT, true);
	plan_master(plan, record->port, b->name, NULL);
	plan_flags(plan, record->port, IFF_UP, IFF_UP, record->flags);
	return 0;
}

/* A guest's Router Advertisement would give dom0 an address, and a default route by the guest. */
static void no_routers(struct plan *plan, const char *dev)
{
	char fresh[SYSCTL_VALUE];

	if (sysctl_read("ipv6", "default", "accept_ra", fresh) == 0)
		plan_sysctl(plan, "ipv6", dev, "accept_ra", "0", fresh);
}

/* intbr: dom0 gets an interface of its own. */
static int build_intbr(struct blueprint *b, struct plan *plan, struct problem *p)
{
	const char *ips[RECORD_IPS];
	char port[IFNAMSIZ];
	int r;

	snprintf(b->record.dom0, sizeof(b->record.dom0), "%s", b->lodev);
	r = plan_bridge(plan, b, p);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < b->record.n_ip; i++)
		ips[i] = b->record.ip[i];
	plan_dom0(plan, b, b->lodev, &b->mac, ETHERNET_MTU, port);
	no_routers(plan, b->lodev);
	plan_barrier(plan, b->lodev, ips, b->record.n_ip, true);
	plan_flags(plan, b->lodev, IFF_UP, IFF_UP, 0);
	for (unsigned int i = 0; i < b->record.n_ip; i++)
		plan_address(plan, b->lodev, b->record.ip[i]);
	return 0;
}

int build_plan(const struct site *site, struct blueprint *b, struct plan *plan, struct problem *p)
{
	switch (b->shape) {
	case SHAPE_XENBR:
		return build_xenbr(b, plan, p);
	case SHAPE_GEXTBR:
		return build_gextbr(site, b, plan, p);
	case SHAPE_INTBR:
		return build_intbr(b, plan, p);
	case SHAPE_GINTBR:
		return plan_bridge(plan, b, p);
	default:
		return -EINVAL;
	}
}
