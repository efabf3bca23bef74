/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network interfaces of this network namespace, as the kernel lists them. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mac.h"
#include "lib/rtnl.h"

#define LINK_ALIAS_MAX 256 /* IFALIASZ */

/* Interfaces on top of each other, such as VLANs on bonds of VLANs: nobody builds more. */
#define LINK_DEPTH_MAX 8

struct link {
	int index;
	char name[IFNAMSIZ];
	unsigned int flags;  /* IFF_* */
	unsigned short type; /* ARPHRD_* */
	struct mac mac;
	bool has_perm_mac;
	struct mac perm_mac; /* as the hardware has it */
	uint32_t mtu;
	int master;          /* index, 0 for none */
	int lower;           /* the interface below: of a VLAN, or a veth's peer; 0 for none */
	bool lower_is_local; /* it is in this namespace */
	uint8_t addr_gen_mode;
	bool has_inet6; /* the kernel does IPv6 on it */
	char kind[16];  /* bridge, veth, bond, vlan; "" for hardware */
	char alias[LINK_ALIAS_MAX];
	uint16_t vlan_id;
	uint8_t bond_mode;          /* BOND_MODE_* of linux/if_bonding.h */
	uint8_t bond_fail_over_mac; /* BOND_FOM_* of net/bonding.h: 0 for none */
	uint32_t bond_miimon;
	uint32_t bond_arp_interval;
	int bond_active; /* index of the active port, 0 for none */
};

struct links {
	struct link *item;
	size_t n;
};

void links_clear(struct links *links);

/* links_load - list all; what @links held before is dropped */
int links_load(struct rtnl *rt, struct links *links);

/* link_load - one of them by its index, or -ENODEV */
int link_load(struct rtnl *rt, int index, struct link *ret);

/* One RTM_NEWLINK or RTM_DELLINK; -EBADMSG if it is no such message. */
int link_parse(const struct nlmsghdr *nlh, struct link *ret);

/* NULL if there is none. Pointers stay good until the list changes. */
const struct link *link_by_name(const struct links *links, const char *name);
const struct link *link_by_index(const struct links *links, int index);

bool link_is_bridge(const struct link *link);

/* Is this a name that an interface can have? */
bool link_name_ok(const char *name);
