/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan is a list of changes that are made as one: if one fails, those before
 * it are undone in reverse order. It is made from a look at the whole, before
 * anything is changed, and can be printed instead of carried out.
 *
 * Devices are named, not numbered: many of them do not exist yet when the plan
 * is made, and names are looked up when a step is carried out.
 */
#pragma once

#include <net/if.h>
#include <stdint.h>

#include "xenpv/bridge/addressing.h"
#include "xenpv/bridge/guard.h"
#include "xenpv/bridge/link.h"
#include "xenpv/config/mac.h"
#include "xenpv/bridge/rtnl.h"
#include "xenpv/bridge/sysctl.h"

struct step;

struct plan {
	struct step *step;
	size_t n;
	int error; /* of building it: -ENOMEM, checked by plan_run() */
};

void plan_clear(struct plan *plan);

/*
 * The steps. Each appends to the plan; strings are copied, addressings are
 * borrowed and have to outlive the plan.
 */

/* New interfaces; undone by deleting them. */
void plan_add_bridge(struct plan *plan, const char *name, const char *alias);
void plan_add_veth(struct plan *plan, const char *port, const char *dom0, const struct mac *mac,
		   uint32_t mtu);
void plan_add_vlan(struct plan *plan, const char *name, const char *parent, uint16_t id);

/*
 * plan_delete - delete interfaces, all or none of them
 *
 * The only step that cannot be undone, so it is the last one. They are gathered
 * in a link group of their own, which the kernel deletes as one.
 */
void plan_delete(struct plan *plan, const char *const *names, size_t n);

/* Set those of the flags @mask that are in @flags; they are @old now. */
void plan_flags(struct plan *plan, const char *dev, unsigned int mask, unsigned int flags,
		unsigned int old);

/*
 * plan_down - take an interface down that has addresses
 *
 * The kernel forgets its routes and IPv6 addresses; undoing brings them back.
 */
void plan_down(struct plan *plan, const char *dev, const struct addressing *a);

void plan_rename(struct plan *plan, const char *dev, const char *name);
void plan_mac(struct plan *plan, const char *dev, const struct mac *mac, const struct mac *old);
/* How IPv6 link-local addresses come about, IN6_ADDR_GEN_MODE_*. */
void plan_addr_gen_mode(struct plan *plan, const char *dev, uint8_t mode, uint8_t old);
/* Put it on a bridge, or with NULL on none. */
void plan_master(struct plan *plan, const char *dev, const char *master, const char *old);
void plan_sysctl(struct plan *plan, const char *family, const char *dev, const char *key,
		 const char *value, const char *old);
void plan_give(struct plan *plan, const char *dev, const struct addressing *a);
/* With @restore, undoing gives them back; without, an earlier step's undoing will. */
void plan_take_away(struct plan *plan, const char *dev, const struct addressing *a, bool restore);

/* An IP address for a new interface; @text is "address/prefix length", checked before. */
void plan_address(struct plan *plan, const char *dev, const char *text);

/* The clsact qdisc, and the filters on it. */
void plan_qdisc(struct plan *plan, const char *dev, bool add);
void plan_guard(struct plan *plan, const char *dev, enum guard guard, bool add);

/*
 * Routing rules that keep packets from being forwarded to or from an interface
 * with the given addresses, see barrier.h.
 */
void plan_barrier(struct plan *plan, const char *dev, const char *const *addresses, size_t n,
		  bool add);

/* Files; undone by restoring what was there. A NULL content removes. */
void plan_file(struct plan *plan, const char *path, const char *content);

/* What is to be done, one line a step. */
struct json_object;
struct json_object *plan_to_json(const struct plan *plan);
void plan_print(const struct plan *plan);

/*
 * plan_run - carry it out
 * @about: the object, for the message
 *
 * Signals that would end the process wait until it is over: half of a plan is
 * worse than all or nothing. On failure everything is as before, or *p has
 * EXIT_BROKEN and says what is not.
 */
int plan_run(struct plan *plan, struct rtnl *rt, const char *about, struct problem *p);

/* Inside: one kind of step. */
struct step_ops {
	/* One line, in the imperative, without the final period. */
	void (*describe)(const struct step *step, char *ret, size_t size);
	int (*apply)(struct step *step, struct rtnl *rt);
	/* NULL: nothing to undo. What is gone already is no error. */
	int (*undo)(struct step *step, struct rtnl *rt);
	/* apply() is more than one change and may fail half-way; undo() can cope. */
	bool partial;
};

struct step {
	const struct step_ops *ops;
	char dev[IFNAMSIZ];
	char other[IFNAMSIZ];     /* new name, master, peer or parent; may be "" */
	char old_other[IFNAMSIZ]; /* master before */
	uint32_t value, old, mask;
	struct mac mac, old_mac;
	const struct addressing *addressing;
	const char *family; /* of a sysctl */
	char *text;         /* alias, key, path or address; allocated */
	char *content, *old_content;
	char **names; /* allocated, with what they point to */
	size_t n;
	uint32_t state; /* what apply() did */
};

/* Append an empty step; never NULL, so builders need no check. */
struct step *plan_append(struct plan *plan, const struct step_ops *ops, const char *dev);
char *plan_copy(struct plan *plan, const char *text);
/* Index of an interface, or -ENODEV. */
int step_index(const char *name);
