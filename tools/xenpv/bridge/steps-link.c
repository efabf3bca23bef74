// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps that make, change and delete interfaces. */
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/plan.h"

/* Of the interfaces that one plan deletes; nobody else's, and gone with them. */
#define DOOMED_GROUP 0x78656e70u

static struct ifinfomsg *link_message(struct rtnl_msg *msg, uint16_t type, uint16_t flags,
				      int index)
{
	struct ifinfomsg *ifi = rtnl_msg_init(msg, type, flags, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	return ifi;
}

static void put_mac(struct rtnl_msg *msg, const struct mac *mac)
{
	mnl_attr_put(&msg->header, IFLA_ADDRESS, MAC_LEN, mac->byte);
}

static void put_addr_gen_mode(struct rtnl_msg *msg, uint8_t mode)
{
	struct nlattr *spec = mnl_attr_nest_start(&msg->header, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(&msg->header, AF_INET6);

	mnl_attr_put_u8(&msg->header, IFLA_INET6_ADDR_GEN_MODE, mode);
	mnl_attr_nest_end(&msg->header, family);
	mnl_attr_nest_end(&msg->header, spec);
}

static int delete_link(const char *name, struct rtnl *rt)
{
	struct rtnl_msg msg;
	int index = step_index(name), r;

	if (index < 0)
		return 0;
	link_message(&msg, RTM_DELLINK, 0, index);
	r = rtnl_change(rt, &msg);
	return r == -ENODEV ? 0 : r;
}

static int undo_add(struct step *step, struct rtnl *rt)
{
	return delete_link(step->dev, rt);
}

/* a bridge */

static void describe_bridge(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "create bridge %s", step->dev);
}

static int apply_bridge(struct step *step, struct rtnl *rt)
{
	struct nlattr *info, *data;
	struct rtnl_msg msg;
	struct ifinfomsg *ifi;

	ifi = link_message(&msg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	ifi->ifi_flags = IFF_NOARP;
	ifi->ifi_change = IFF_NOARP | IFF_MULTICAST;
	mnl_attr_put_strz(&msg.header, IFLA_IFNAME, step->dev);
	put_mac(&msg, &mac_of_ports);
	info = mnl_attr_nest_start(&msg.header, IFLA_LINKINFO);
	mnl_attr_put_strz(&msg.header, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(&msg.header, IFLA_INFO_DATA);
	mnl_attr_put_u32(&msg.header, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u32(&msg.header, IFLA_BR_FORWARD_DELAY, 0);
	/*
	 * Without an IP address it can be no querier, and IPv6 neighbour discovery is
	 * multicast: groups that time out would cut guests off.
	 */
	mnl_attr_put_u8(&msg.header, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(&msg.header, data);
	mnl_attr_nest_end(&msg.header, info);
	return rtnl_change(rt, &msg);
}

static const struct step_ops add_bridge = { describe_bridge, apply_bridge, undo_add };

/* What it is made of stands in its alias, which a new interface cannot be given at once. */
static void describe_alias(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "note on %s: %s", step->dev, step->text);
}

static int apply_alias(struct step *step, struct rtnl *rt)
{
	int index = step_index(step->dev);
	struct rtnl_msg msg;

	if (index < 0)
		return index;
	link_message(&msg, RTM_NEWLINK, 0, index);
	mnl_attr_put_str(&msg.header, IFLA_IFALIAS, step->text);
	return rtnl_change(rt, &msg);
}

static const struct step_ops alias_ops = { describe_alias, apply_alias, NULL };

void plan_add_bridge(struct plan *plan, const char *name, const char *alias)
{
	struct step *step;

	plan_append(plan, &add_bridge, name);
	step = plan_append(plan, &alias_ops, name);
	step->text = plan_copy(plan, alias);
}

/* a pair of interfaces: dom0's and the port that it is plugged into */

static void describe_veth(const struct step *step, char *ret, size_t size)
{
	char mac[MAC_TEXT];

	snprintf(ret, size, "create %s (%s) for dom0, with %s as its port", step->other,
		 mac_format(&step->mac, mac), step->dev);
}

static int apply_veth(struct step *step, struct rtnl *rt)
{
	struct nlattr *info, *data, *peer;
	struct rtnl_msg msg;
	struct ifinfomsg *ifi;

	ifi = link_message(&msg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	ifi->ifi_flags = IFF_NOARP;
	ifi->ifi_change = IFF_NOARP | IFF_MULTICAST;
	mnl_attr_put_strz(&msg.header, IFLA_IFNAME, step->dev);
	put_mac(&msg, &mac_of_ports);
	mnl_attr_put_u32(&msg.header, IFLA_MTU, step->value);
	info = mnl_attr_nest_start(&msg.header, IFLA_LINKINFO);
	mnl_attr_put_strz(&msg.header, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(&msg.header, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(&msg.header, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(&msg.header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(&msg.header, IFLA_IFNAME, step->other);
	put_mac(&msg, &step->mac);
	mnl_attr_put_u32(&msg.header, IFLA_MTU, step->value);
	mnl_attr_nest_end(&msg.header, peer);
	mnl_attr_nest_end(&msg.header, data);
	mnl_attr_nest_end(&msg.header, info);
	return rtnl_change(rt, &msg);
}

static const struct step_ops add_veth = { describe_veth, apply_veth, undo_add };

void plan_add_veth(struct plan *plan, const char *port, const char *dom0, const struct mac *mac,
		   uint32_t mtu)
{
	struct step *step = plan_append(plan, &add_veth, port);

	snprintf(step->other, sizeof(step->other), "%s", dom0);
	step->mac = *mac;
	step->value = mtu;
}

/* a VLAN */

static void describe_vlan(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "create %s for VLAN %u of %s", step->dev, step->value, step->other);
}

static int apply_vlan(struct step *step, struct rtnl *rt)
{
	int parent = step_index(step->other);
	struct nlattr *info, *data;
	struct rtnl_msg msg;

	if (parent < 0)
		return parent;
	link_message(&msg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	mnl_attr_put_strz(&msg.header, IFLA_IFNAME, step->dev);
	mnl_attr_put_u32(&msg.header, IFLA_LINK, (uint32_t)parent);
	info = mnl_attr_nest_start(&msg.header, IFLA_LINKINFO);
	mnl_attr_put_strz(&msg.header, IFLA_INFO_KIND, "vlan");
	data = mnl_attr_nest_start(&msg.header, IFLA_INFO_DATA);
	mnl_attr_put_u16(&msg.header, IFLA_VLAN_ID, (uint16_t)step->value);
	mnl_attr_nest_end(&msg.header, data);
	mnl_attr_nest_end(&msg.header, info);
	return rtnl_change(rt, &msg);
}

static const struct step_ops add_vlan = { describe_vlan, apply_vlan, undo_add };

void plan_add_vlan(struct plan *plan, const char *name, const char *parent, uint16_t id)
{
	struct step *step = plan_append(plan, &add_vlan, name);

	snprintf(step->other, sizeof(step->other), "%s", parent);
	step->value = id;
}

/* flags */

static int set_flags(const char *dev, unsigned int mask, unsigned int flags, struct rtnl *rt)
{
	int index = step_index(dev);
	struct rtnl_msg msg;
	struct ifinfomsg *ifi;

	if (index < 0)
		return index;
	ifi = link_message(&msg, RTM_NEWLINK, 0, index);
	ifi->ifi_flags = flags;
	ifi->ifi_change = mask;
	return rtnl_change(rt, &msg);
}

static void describe_flags(const struct step *step, char *ret, size_t size)
{
	static const struct {
		unsigned int flag;
		const char *on, *off;
	} flags[] = {
		{ IFF_UP, "up", "down" },
		{ IFF_NOARP, "ARP off", "ARP on" },
		{ IFF_MULTICAST, "multicast on", "multicast off" },
	};
	const char *between = "";
	int n = snprintf(ret, size, "set %s ", step->dev);

	for (size_t i = 0; i < ELEMENTSOF(flags); i++) {
		if (!(step->mask & flags[i].flag))
			continue;
		n += snprintf(ret + n, size - (size_t)n, "%s%s", between,
			      step->value & flags[i].flag ? flags[i].on : flags[i].off);
		between = ", ";
	}
}

static int apply_flags(struct step *step, struct rtnl *rt)
{
	return set_flags(step->dev, step->mask, step->value, rt);
}

static int undo_flags(struct step *step, struct rtnl *rt)
{
	return set_flags(step->dev, step->mask, step->old, rt);
}

static const struct step_ops flags_ops = { describe_flags, apply_flags, undo_flags };

void plan_flags(struct plan *plan, const char *dev, unsigned int mask, unsigned int flags,
		unsigned int old)
{
	struct step *step;

	if (((flags ^ old) & mask) == 0)
		return;
	step = plan_append(plan, &flags_ops, dev);
	step->mask = mask;
	step->value = flags & mask;
	step->old = old & mask;
}

/* What is left is taken away first: IPv4 addresses have an order, and labels that renames change.
 */
static int undo_down(struct step *step, struct rtnl *rt)
{
	int index = step_index(step->dev);
	int r = addressing_take_away(rt, step->addressing, index);

	if (r >= 0)
		r = set_flags(step->dev, IFF_UP, IFF_UP, rt);
	return r < 0 ? r : addressing_give(rt, step->addressing, index);
}

static const struct step_ops down_ops = { describe_flags, apply_flags, undo_down };

void plan_down(struct plan *plan, const char *dev, const struct addressing *a)
{
	struct step *step = plan_append(plan, &down_ops, dev);

	step->mask = IFF_UP;
	step->addressing = a;
}

/* name, address, IPv6 mode, master */

static int set_name(const char *dev, const char *name, struct rtnl *rt)
{
	int index = step_index(dev);
	struct rtnl_msg msg;

	if (index < 0)
		return index;
	link_message(&msg, RTM_NEWLINK, 0, index);
	mnl_attr_put_strz(&msg.header, IFLA_IFNAME, name);
	return rtnl_change(rt, &msg);
}

static void describe_rename(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "rename %s to %s", step->dev, step->other);
}

static int apply_rename(struct step *step, struct rtnl *rt)
{
	return set_name(step->dev, step->other, rt);
}

static int undo_rename(struct step *step, struct rtnl *rt)
{
	/* the answer was lost, and it had not been done */
	if (step_index(step->other) < 0 && step_index(step->dev) > 0)
		return 0;
	return set_name(step->other, step->dev, rt);
}

static const struct step_ops rename_ops = { describe_rename, apply_rename, undo_rename };

void plan_rename(struct plan *plan, const char *dev, const char *name)
{
	struct step *step = plan_append(plan, &rename_ops, dev);

	snprintf(step->other, sizeof(step->other), "%s", name);
}

static int set_mac(const char *dev, const struct mac *mac, struct rtnl *rt)
{
	int index = step_index(dev);
	struct rtnl_msg msg;

	if (index < 0)
		return index;
	link_message(&msg, RTM_NEWLINK, 0, index);
	put_mac(&msg, mac);
	return rtnl_change(rt, &msg);
}

static void describe_mac(const struct step *step, char *ret, size_t size)
{
	char mac[MAC_TEXT];

	snprintf(ret, size, "set the address of %s to %s", step->dev, mac_format(&step->mac, mac));
}

static int apply_mac(struct step *step, struct rtnl *rt)
{
	return set_mac(step->dev, &step->mac, rt);
}

static int undo_mac(struct step *step, struct rtnl *rt)
{
	return set_mac(step->dev, &step->old_mac, rt);
}

static const struct step_ops mac_ops = { describe_mac, apply_mac, undo_mac };

void plan_mac(struct plan *plan, const char *dev, const struct mac *mac, const struct mac *old)
{
	struct step *step;

	if (mac_equal(mac, old))
		return;
	step = plan_append(plan, &mac_ops, dev);
	step->mac = *mac;
	step->old_mac = *old;
}

static int set_addr_gen_mode(const char *dev, uint8_t mode, struct rtnl *rt)
{
	int index = step_index(dev);
	struct rtnl_msg msg;

	if (index < 0)
		return index;
	link_message(&msg, RTM_NEWLINK, 0, index);
	put_addr_gen_mode(&msg, mode);
	return rtnl_change(rt, &msg);
}

static void describe_addr_gen_mode(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "set the IPv6 address mode of %s to %u", step->dev, step->value);
}

static int apply_addr_gen_mode(struct step *step, struct rtnl *rt)
{
	return set_addr_gen_mode(step->dev, (uint8_t)step->value, rt);
}

static int undo_addr_gen_mode(struct step *step, struct rtnl *rt)
{
	return set_addr_gen_mode(step->dev, (uint8_t)step->old, rt);
}

static const struct step_ops addr_gen_mode_ops = { describe_addr_gen_mode, apply_addr_gen_mode,
						   undo_addr_gen_mode };

void plan_addr_gen_mode(struct plan *plan, const char *dev, uint8_t mode, uint8_t old)
{
	struct step *step;

	if (mode == old)
		return;
	step = plan_append(plan, &addr_gen_mode_ops, dev);
	step->value = mode;
	step->old = old;
}

static int set_master(const char *dev, const char *master, struct rtnl *rt)
{
	int index = step_index(dev), to = *master ? step_index(master) : 0;
	struct rtnl_msg msg;

	if (index < 0 || to < 0)
		return -ENODEV;
	link_message(&msg, RTM_NEWLINK, 0, index);
	mnl_attr_put_u32(&msg.header, IFLA_MASTER, (uint32_t)to);
	return rtnl_change(rt, &msg);
}

static void describe_master(const struct step *step, char *ret, size_t size)
{
	if (step->other[0])
		snprintf(ret, size, "put %s on %s", step->dev, step->other);
	else
		snprintf(ret, size, "take %s off %s", step->dev, step->old_other);
}

static int apply_master(struct step *step, struct rtnl *rt)
{
	return set_master(step->dev, step->other, rt);
}

static int undo_master(struct step *step, struct rtnl *rt)
{
	return set_master(step->dev, step->old_other, rt);
}

static const struct step_ops master_ops = { describe_master, apply_master, undo_master };

void plan_master(struct plan *plan, const char *dev, const char *master, const char *old)
{
	struct step *step = plan_append(plan, &master_ops, dev);

	snprintf(step->other, sizeof(step->other), "%s", master ?: "");
	snprintf(step->old_other, sizeof(step->old_other), "%s", old ?: "");
}

/* the end */

static int set_group(const char *dev, uint32_t group, struct rtnl *rt)
{
	int index = step_index(dev);
	struct rtnl_msg msg;

	if (index < 0)
		return index;
	link_message(&msg, RTM_NEWLINK, 0, index);
	mnl_attr_put_u32(&msg.header, IFLA_GROUP, group);
	return rtnl_change(rt, &msg);
}

static void describe_delete(const struct step *step, char *ret, size_t size)
{
	size_t n = (size_t)snprintf(ret, size, "delete");

	for (size_t i = 0; i < step->n && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s %s", i ? "," : "", step->names[i]);
}

static int apply_delete(struct step *step, struct rtnl *rt)
{
	struct rtnl_msg msg;
	int r;

	for (; step->state < step->n; step->state++) {
		r = set_group(step->names[step->state], DOOMED_GROUP, rt);
		if (r < 0)
			return r;
	}
	link_message(&msg, RTM_DELLINK, 0, 0);
	mnl_attr_put_u32(&msg.header, IFLA_GROUP, DOOMED_GROUP);
	return rtnl_change(rt, &msg);
}

static int undo_delete(struct step *step, struct rtnl *rt)
{
	int failed = 0, r;

	/* also the one of which the answer was lost */
	for (size_t i = 0; i <= step->state && i < step->n; i++) {
		r = set_group(step->names[i], 0, rt);
		failed = r < 0 ? r : failed;
	}
	return failed;
}

static const struct step_ops delete_ops = { describe_delete, apply_delete, undo_delete, true };

void plan_delete(struct plan *plan, const char *const *names, size_t n)
{
	struct step *step = plan_append(plan, &delete_ops, "");

	step->names = calloc(n, sizeof(char *));
	if (!step->names) {
		plan->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < n; i++)
		step->names[i] = plan_copy(plan, names[i]);
	step->n = n;
}
