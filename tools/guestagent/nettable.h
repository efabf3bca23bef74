/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's network interfaces and addresses, and which of its vifs an address belongs
 * to. Pure: netlink.c fills the table, tests fill it by hand.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

struct net_counters {
	uint64_t rx_bytes, tx_bytes;
	uint64_t rx_packets, tx_packets;
	uint64_t rx_errors, tx_errors;
	uint64_t rx_dropped, tx_dropped;
};

struct net_link {
	int index;
	int master;  /* index of the bridge, bond or team it is a port of, or 0 */
	int lower;   /* index of what a VLAN, macvlan or ipvlan stands on, or 0 */
	int64_t vif; /* N if this is device/vif/N, else -1 */
	char name[IFNAMSIZ];
	char mac[18]; /* "00:16:3e:12:34:56", or "" */
	bool up;      /* administratively */
	bool carrier;
	uint32_t mtu;
	struct net_counters counters;
};

struct net_address {
	int index; /* of its link */
	int family;
	bool link_local;
	char text[INET6_ADDRSTRLEN];
};

/* Start with a zeroed one; net_table_clear() frees what it holds. */
struct net_table {
	struct net_link *links;
	size_t n_links, allocated_links;
	struct net_address *addresses;
	size_t n_addresses, allocated_addresses;
};

/* Interfaces and addresses looked at; a guest full of containers may have more. */
#define NET_LINKS_MAX     4096
#define NET_ADDRESSES_MAX 4096

/* Append a copy. Errors: -ENOMEM, -E2BIG (the table is full). */
int net_table_add_link(struct net_table *table, const struct net_link *link);
int net_table_add_address(struct net_table *table, const struct net_address *address);
void net_table_clear(struct net_table *table);

/* The link with this index, or NULL. */
const struct net_link *net_table_link(const struct net_table *table, int index);

/*
 * net_table_owned - the addresses whose packets pass through a vif
 * @vif: its link, a member of @table
 * @ret: array of pointers into @table, in its order; owned by the caller
 *
 * Those on the vif's own link and on what stands on it through any chain of bridges,
 * bonds, teams, VLANs, macvlans and ipvlans: an address on a bond of two vifs belongs to
 * both. Errors: -ENOMEM.
 */
int net_table_owned(const struct net_table *table, const struct net_link *vif,
		    const struct net_address ***ret, size_t *ret_n);
