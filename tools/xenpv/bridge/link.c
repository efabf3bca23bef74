// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/link.h"

#include <ctype.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

void links_clear(struct links *links)
{
	free(links->item);
	*links = (struct links){ 0 };
}

static void take_text(const struct nlattr *attr, char *ret, size_t size)
{
	if (mnl_attr_validate(attr, MNL_TYPE_STRING) < 0)
		return;
	snprintf(ret, size, "%.*s", (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
}

static uint32_t take_number(const struct nlattr *attr)
{
	switch (mnl_attr_get_payload_len(attr)) {
	case 1:
		return mnl_attr_get_u8(attr);
	case 2:
		return mnl_attr_get_u16(attr);
	case 4:
		return mnl_attr_get_u32(attr);
	}
	return 0;
}

static bool take_mac(const struct nlattr *attr, struct mac *ret)
{
	if (mnl_attr_get_payload_len(attr) != MAC_LEN)
		return false;
	memcpy(ret->byte, mnl_attr_get_payload(attr), MAC_LEN);
	return true;
}

static void take_bond(const struct nlattr *data, struct link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data)
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_BOND_MODE:
			link->bond_mode = (uint8_t)take_number(attr);
			break;
		case IFLA_BOND_FAIL_OVER_MAC:
			link->bond_fail_over_mac = (uint8_t)take_number(attr);
			break;
		case IFLA_BOND_MIIMON:
			link->bond_miimon = take_number(attr);
			break;
		case IFLA_BOND_ARP_INTERVAL:
			link->bond_arp_interval = take_number(attr);
			break;
		case IFLA_BOND_ACTIVE_SLAVE:
			link->bond_active = (int)take_number(attr);
			break;
		}
	}
}

static void take_info(const struct nlattr *info, struct link *link)
{
	const struct nlattr *attr, *data = NULL;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			take_text(attr, link->kind, sizeof(link->kind));
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
	}
	if (!data)
		return;
	if (!strcmp(link->kind, "bond"))
		take_bond(data, link);
	if (!strcmp(link->kind, "vlan"))
		mnl_attr_for_each_nested(attr, data) if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
			link->vlan_id = (uint16_t)take_number(attr);
}

static void take_families(const struct nlattr *families, struct link *link)
{
	const struct nlattr *family, *attr;

	mnl_attr_for_each_nested(family, families)
	{
		if (mnl_attr_get_type(family) != AF_INET6)
			continue;
		link->has_inet6 = true;
		mnl_attr_for_each_nested(attr, family) if (mnl_attr_get_type(attr) ==
							   IFLA_INET6_ADDR_GEN_MODE)
			link->addr_gen_mode = (uint8_t)take_number(attr);
	}
}

int link_parse(const struct nlmsghdr *nlh, struct link *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link link = { .lower_is_local = true };
	const struct nlattr *attr;

	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return -EBADMSG;
	link.index = ifi->ifi_index;
	link.flags = ifi->ifi_flags;
	link.type = ifi->ifi_type;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			take_text(attr, link.name, sizeof(link.name));
			break;
		case IFLA_ADDRESS:
			take_mac(attr, &link.mac);
			break;
		case IFLA_PERM_ADDRESS:
			link.has_perm_mac = take_mac(attr, &link.perm_mac);
			break;
		case IFLA_MTU:
			link.mtu = take_number(attr);
			break;
		case IFLA_MASTER:
			link.master = (int)take_number(attr);
			break;
		case IFLA_LINK:
			link.lower = (int)take_number(attr);
			break;
		case IFLA_LINK_NETNSID:
			link.lower_is_local = false;
			break;
		case IFLA_IFALIAS:
			take_text(attr, link.alias, sizeof(link.alias));
			break;
		case IFLA_LINKINFO:
			take_info(attr, &link);
			break;
		case IFLA_AF_SPEC:
			take_families(attr, &link);
			break;
		}
	}
	if (!link.index || !link.name[0])
		return -EBADMSG;
	*ret = link;
	return 0;
}

static int add_link(const struct nlmsghdr *nlh, void *userdata)
{
	struct links *links = userdata;
	struct link link, *item;

	if (link_parse(nlh, &link) < 0)
		return 0;
	item = reallocarray(links->item, links->n + 1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	links->item = item;
	item[links->n++] = link;
	return 0;
}

int links_load(struct rtnl *rt, struct links *links)
{
	int r = -EINTR;

	for (int i = 0; i < RTNL_DUMP_TRIES && r == -EINTR; i++) {
		struct rtnl_msg msg;

		links_clear(links);
		rtnl_msg_init(&msg, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
		mnl_attr_put_u32(&msg.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		r = rtnl_dump(rt, &msg, add_link, links);
	}
	return r;
}

static int take_link(const struct nlmsghdr *nlh, void *userdata)
{
	return link_parse(nlh, userdata);
}

int link_load(struct rtnl *rt, int index, struct link *ret)
{
	struct link link = { 0 };
	struct ifinfomsg *ifi;
	struct rtnl_msg msg;
	int r;

	ifi = rtnl_msg_init(&msg, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	mnl_attr_put_u32(&msg.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = rtnl_get(rt, &msg, take_link, &link);
	if (r < 0)
		return r;
	if (link.index != index)
		return -ENODEV;
	*ret = link;
	return 0;
}

const struct link *link_by_name(const struct links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++)
		if (!strcmp(links->item[i].name, name))
			return &links->item[i];
	return NULL;
}

const struct link *link_by_index(const struct links *links, int index)
{
	for (size_t i = 0; i < links->n; i++)
		if (links->item[i].index == index)
			return &links->item[i];
	return NULL;
}

bool link_is_bridge(const struct link *link)
{
	return !strcmp(link->kind, "bridge");
}

/* As dev_valid_name() of net/core/dev.c, and nothing that a path or a file would take for more. */
bool link_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (!isgraph((unsigned char)*name) || strchr("/:%\"'\\[]*?", *name))
			return false;
	return true;
}
