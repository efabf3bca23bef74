/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taps: the host's end of a guest's interface. A tap outlives the broker and is
 * told from others by its alias, whatever a script or an administrator names it.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rtnl.h"

#define TAP_ALIAS_SIZE 64

/* What is known of an interface of the host. */
struct tap_link {
	int index; /* 0: there is none */
	char name[IFNAMSIZ];
	unsigned int flags; /* IFF_* */
	uint32_t mtu;
	int master;                 /* index of its bridge, 0: none */
	char alias[TAP_ALIAS_SIZE]; /* cut if it is longer, so not one of ours */
};

/* Does the alias say that it is the tap of an interface of ours, and of which? */
bool tap_alias_parse(const char *alias, uint32_t *ret_domid, uint32_t *ret_devid);

/* Read one RTM_NEWLINK or RTM_DELLINK; -EBADMSG if it is no such message. */
int tap_link_parse(const struct nlmsghdr *nlh, struct tap_link *ret);

/* One interface by its index, or if that is 0 by its name; -ENODEV if there is none. */
int tap_get(struct rtnl *rt, int index, const char *name, struct tap_link *ret);

/*
 * tap_make - make the tap of interface @devid of domain @domid
 *
 * It is down, without carrier, persistent, of many queues with none attached, and its
 * packets have a header of struct virtio_net_hdr. Errors: negative errno with @text,
 * and nothing is left behind.
 */
int tap_make(struct rtnl *rt, const char *name, uint32_t domid, uint32_t devid,
	     struct tap_link *ret, char *text, size_t size);

/*
 * tap_open_queue - attach another queue to the tap with this index
 *
 * Returns a descriptor, non-blocking and CLOEXEC; the first turns the carrier on.
 * Errors: negative errno with @text; -ENODEV when the tap is gone.
 */
int tap_open_queue(struct rtnl *rt, int index, char *text, size_t size);

/*
 * tap_plug - put the tap into a bridge, with this MTU, and bring it up
 * @bridge: its index
 */
int tap_plug(struct rtnl *rt, int index, int bridge, uint32_t mtu);

int tap_set_carrier(struct rtnl *rt, int index, bool on);
int tap_remove(struct rtnl *rt, int index);

/* Can taps be made at all? -errno with @text when not. */
int tap_probe(char *text, size_t size);
