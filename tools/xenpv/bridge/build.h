/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans that make and unmake bridges of the four shapes, from what was checked before. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "xenpv/bridge/addressing.h"
#include "xenpv/bridge/plan.h"
#include "xenpv/bridge/record.h"
#include "xenpv/bridge/shape.h"
#include "xenpv/bridge/site.h"

/* That of dom0's interface on an intbr, and of a NIC of which nothing else was said. */
#define ETHERNET_MTU 1500

struct blueprint {
	const char *name;
	enum shape shape;
	uint32_t number;
	const struct link *nic;       /* what --netdev names; NULL for the internal shapes */
	uint16_t vlan;                /* to be made on it, or 0 */
	const char *lodev;            /* dom0's interface on an intbr */
	struct mac mac;               /* its address */
	bool flush;                   /* gextbr: the NIC's addresses are to be removed */
	struct addressing addressing; /* of the NIC */
	struct record record;
};

void blueprint_clear(struct blueprint *b);

/* Append the steps that make the bridge; fills in the record. */
int build_plan(const struct site *site, struct blueprint *b, struct plan *plan, struct problem *p);

struct demolition {
	const struct link *bridge;
	enum shape shape;
	uint32_t number;
	struct record record;
	bool force;                   /* a xenbr also without its NIC */
	struct addressing addressing; /* what is to be given to the NIC */
};

void demolition_clear(struct demolition *d);

/*
 * demolish_plan - append the steps that unmake the bridge
 * @last: called before the last step, which cannot be undone, to append others
 */
int demolish_plan(const struct site *site, struct demolition *d, struct plan *plan,
		  void (*last)(struct plan *plan, void *userdata), void *userdata,
		  struct problem *p);
