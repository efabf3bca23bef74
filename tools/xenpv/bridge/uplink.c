// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/uplink.h"

#include <errno.h>
#include <linux/if_bonding.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "xenpv/bridge/record.h"
#include "xenpv/bridge/shape.h"

static const char *const bond_modes[] = { "balance-rr", "active-backup", "balance-xor", "broadcast",
					  "802.3ad",    "balance-tlb",   "balance-alb" };

static int check_bond(const struct links *links, const struct link *bond, const char *bridge,
		      struct problem *p)
{
	unsigned int ports = 0;

	/* Guests' addresses stand behind it: modes that trade addresses break them. */
	if (bond->bond_mode != BOND_MODE_ACTIVEBACKUP && bond->bond_mode != BOND_MODE_8023AD)
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: bond %s has mode %s, in which guests lose connections; set "
				   "mode active-backup, or use --force",
				   bridge, bond->name,
				   bond->bond_mode < 7 ? bond_modes[bond->bond_mode] : "unknown");
	if (bond->bond_miimon == 0 && bond->bond_arp_interval == 0)
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: bond %s does not watch its links, so it never fails over; "
				   "set miimon 100, or use --force",
				   bridge, bond->name);
	for (size_t i = 0; i < links->n; i++) {
		const struct link *port = &links->item[i];

		if (port->master != bond->index)
			continue;
		ports++;
		if (!strcmp(port->kind, "vlan"))
			return problem_set(p, EXIT_REFUSED, -EINVAL,
					   "%s: bond %s is made of VLAN %s; bond the NICs and make "
					   "the VLAN on the bond, or use --force",
					   bridge, bond->name, port->name);
	}
	if (ports == 0)
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: bond %s has no NIC; add at least one, or use --force",
				   bridge, bond->name);
	return 0;
}

/* The bond that all frames of @link go through: itself, or one below it and its VLANs. */
static const struct link *bond_below(const struct links *links, const struct link *link)
{
	for (int depth = 0; link && depth < LINK_DEPTH_MAX; depth++) {
		if (!strcmp(link->kind, "bond"))
			return link;
		if (strcmp(link->kind, "vlan") != 0 || !link->lower_is_local)
			return NULL;
		link = link_by_index(links, link->lower);
	}
	return NULL;
}

/* If @link is dom0's end of a pair whose other end is on a bridge of ours: that bridge. */
static const struct link *bridge_of_dom0(const struct links *links, const struct link *link)
{
	const struct link *port, *bridge;
	uint32_t domid, handle;

	if (strcmp(link->kind, "veth") != 0 || !link->lower_is_local)
		return NULL;
	port = link_by_index(links, link->lower);
	if (!port || !port_parse(port->name, &domid, &handle) || domid != 0)
		return NULL;
	bridge = link_by_index(links, port->master);
	return bridge && link_is_bridge(bridge) ? bridge : NULL;
}

static int check_any(const struct links *links, const struct link *link, const char *bridge,
		     const struct settings *settings, bool force, struct problem *p)
{
	const struct link *other, *bond;
	const char *forbidden;
	uint32_t domid, handle;

	/* Aliases and files for networkd have names among other words. */
	if (!link_name_ok(link->name))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: the name %s has characters with a meaning of their own; "
				   "rename the interface",
				   bridge, link->name);
	if (link->type != ARPHRD_ETHER || (link->flags & IFF_LOOPBACK))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: %s is no Ethernet interface; name a NIC, a bond or a VLAN",
				   bridge, link->name);
	if (link_is_bridge(link))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: %s is a bridge itself; name a NIC, a bond or a VLAN",
				   bridge, link->name);
	if (port_parse(link->name, &domid, &handle) || port_of_guest(link, &domid, &handle))
		return problem_set(
			p, EXIT_REFUSED, -EINVAL,
			"%s: %s is an interface of domain %u; name a NIC, a bond or a VLAN", bridge,
			link->name, domid);
	forbidden = settings_forbid(settings, links, link);
	if (forbidden)
		return problem_set(p, EXIT_REFUSED, -EPERM,
				   "%s: %s%s%s may never be on a bridge, says \"never\" in "
				   "bridge.conf; name another interface",
				   bridge, link->name, forbidden == link->name ? "" : " over ",
				   forbidden == link->name ? "" : forbidden);
	other = bridge_of_dom0(links, link);
	if (other)
		return problem_set(p, EXIT_REFUSED, -EBUSY,
				   "%s: %s is dom0's interface on %s; the NIC behind it is p%s",
				   bridge, link->name, other->name, link->name);
	bond = force ? NULL : bond_below(links, link);
	return bond ? check_bond(links, bond, bridge, p) : 0;
}

int uplink_check(const struct links *links, const struct link *link, const char *bridge,
		 const struct settings *settings, bool force, struct problem *p)
{
	int r = check_any(links, link, bridge, settings, force, p);

	if (r < 0)
		return r;
	if (link->master) {
		const struct link *master = link_by_index(links, link->master);

		return problem_set(
			p, EXIT_REFUSED, -EBUSY,
			"%s: %s is used by %s already; delete that first, or name another "
			"interface",
			bridge, link->name, master ? master->name : "another interface");
	}
	return 0;
}

int uplink_check_mac(const struct link *link, const char *bridge, struct problem *p)
{
	static const char *const policies[] = { "none", "active", "follow" };

	/* The kernel looks at it in this mode alone: bond_set_mac_address() */
	if (strcmp(link->kind, "bond") != 0 || link->bond_mode != BOND_MODE_ACTIVEBACKUP ||
	    link->bond_fail_over_mac == 0)
		return 0;
	return problem_set(p, EXIT_REFUSED, -EOPNOTSUPP,
			   "%s: bond %s has fail_over_mac %s, with which it keeps its address and "
			   "dom0 would be cut off; make the bond with fail_over_mac none",
			   bridge, link->name,
			   link->bond_fail_over_mac < 3 ? policies[link->bond_fail_over_mac]
							: "unknown");
}

int uplink_check_parent(const struct links *links, const struct link *link, const char *bridge,
			const struct settings *settings, bool force, struct problem *p)
{
	const struct link *master = link_by_index(links, link->master);
	int r = check_any(links, link, bridge, settings, force, p);

	if (r < 0)
		return r;
	if (master && !strcmp(master->kind, "bond"))
		return problem_set(p, EXIT_REFUSED, -EBUSY,
				   "%s: %s is a part of bond %s; make the VLAN on %s", bridge,
				   link->name, master->name, master->name);
	if (link->vlan_id)
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: %s is a VLAN itself; name the interface below it", bridge,
				   link->name);
	return 0;
}
