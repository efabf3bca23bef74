/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes an interface an address of the host: its IP addresses, the routes
 * through it and its permanent neighbours. Taken as the kernel lists them and
 * given to another interface, or to the same one after it was down.
 *
 * Left out is what the kernel makes by itself: the routes of table local,
 * temporary IPv6 addresses, learned neighbours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/rtnl.h"
#include "xenpv/command.h"

struct addressing {
	struct nlmsghdr **item; /* RTM_NEWADDR, then RTM_NEWNEIGH, then RTM_NEWROUTE */
	size_t n;
};

void addressing_clear(struct addressing *a);

/*
 * addressing_load - take what interface @index has
 * @name: its name, for messages
 *
 * Refuses (-EOPNOTSUPP, -EMSGSIZE) what cannot be moved: routes over several interfaces,
 * over nexthop objects, or with more gateways than a request has room for.
 */
int addressing_load(struct rtnl *rt, int index, const char *name, struct addressing *ret,
		    struct problem *p);

/*
 * addressing_give - give it all to interface @index
 *
 * What is there already is no error. IPv6 addresses that were in use before are
 * in use at once: duplicates were looked for when they were first set.
 * On failure some may have been given; addressing_take_away() takes them back.
 */
int addressing_give(struct rtnl *rt, const struct addressing *a, int index);

/* Remove the addresses from interface @index, and with them their routes. */
int addressing_take_away(struct rtnl *rt, const struct addressing *a, int index);

/* Is there an address that others know, so any but IPv6 link-local ones? */
bool addressing_is_used(const struct addressing *a);

/* Does the default route go through it? */
bool addressing_has_default_route(const struct addressing *a);

/*
 * Keep it in a file of this boot, and get it back. The text is not for others:
 * one hexadecimal netlink message a line.
 */
int addressing_to_text(const struct addressing *a, char **ret);
int addressing_from_text(const char *text, struct addressing *ret);
