/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps dom0 from being a router for an internal bridge (intbr), whatever
 * net.ipv4.ip_forward says: guests there reach dom0 and nothing beyond it.
 *
 * Routing rules after that of table local, so that what is for dom0 arrives, and
 * before those of the other tables:
 *
 *	100  from lo to <network>  ->  table main   dom0's own packets
 *	101  to <network>          ->  unreachable  those of others
 *	102  in by <interface>     ->  unreachable  from guests to others
 */
#pragma once

#include <stdbool.h>

#include "xenpv/bridge/ip.h"
#include "lib/rtnl.h"

#define BARRIER_PRIORITY 100

/*
 * barrier_set - add or remove the rules
 *
 * Adding what is there and removing what is not there is no error. Removed are
 * all such rules, whoever made them: rules 100 and 101 name no interface, so no two
 * bridges may have the same network. On failure a part of it may have been done.
 */
int barrier_set(struct rtnl *rt, const char *dev, const struct ip *ips, size_t n, bool add);
