/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a bridge has to know of itself to be deleted: kept in its alias (as "ip
 * link" shows it), so that it is there exactly as long as the bridge is.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "xenpv/bridge/ip.h"
#include "xenpv/bridge/link.h"
#include "lib/mac.h"
#include "xenpv/bridge/shape.h"

#define RECORD_IPS     4
#define RECORD_IP_TEXT IP_TEXT

struct record {
	char netdev[IFNAMSIZ]; /* the interface that was named: eth0, bond0, eth1 */
	char port[IFNAMSIZ];   /* the bridge's port to the outside: peth0, eth1, eth1.10 */
	char dom0[IFNAMSIZ];   /* dom0's interface on it */
	struct mac mac;        /* of the port before; all zero if it was not changed */
	unsigned int flags;    /* of the port before: IFF_UP, IFF_NOARP, IFF_MULTICAST */
	bool inet6;            /* the port did IPv6 before */
	bool made_vlan;        /* the port is a VLAN that was made for the bridge */
	bool made_qdisc;       /* so is the qdisc for filters on it */
	char ip[RECORD_IPS][RECORD_IP_TEXT]; /* of dom0's interface, intbr only */
	unsigned int n_ip;
};

/* -E2BIG if it does not fit into an alias. */
int record_encode(const struct record *record, char ret[LINK_ALIAS_MAX]);

/* -EINVAL if the text is no record. */
int record_decode(const char *alias, struct record *ret);

/*
 * record_of - the record of a bridge of ours
 *
 * From its alias, or if it has none (made at boot by somebody else), from the names of
 * what is on it and the settings that interfaces usually have. Returns false
 * if it was guessed.
 */
bool record_of(const struct links *links, const struct link *bridge, struct record *ret);

/* dom0's interface on bridge @number, whatever its name is by now: the peer of its port. */
const struct link *record_dom0(const struct links *links, uint32_t number);

/*
 * port_of_guest - is this a guest's port, and whose?
 *
 * By its name, or if it was renamed (vifname=), by the alias that xenpv-backendd gives its taps.
 */
bool port_of_guest(const struct link *link, uint32_t *ret_domid, uint32_t *ret_handle);

/* Is this port the bridge's own, not a guest's? */
bool record_owns_port(const struct record *record, uint32_t number, const char *port);
