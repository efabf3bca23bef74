/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr/vif/N: name, hardware address and addresses of each vif. */
#pragma once

#include "nettable.h"
#include "report.h"

/* Vifs reported, and addresses of one family reported for each. */
#define VIFS_MAX          64
#define VIF_ADDRESSES_MAX 10

/* Which address has which number, so that one that stays keeps its node. */
struct vif_slots {
	uint32_t vif;
	char ipv4[VIF_ADDRESSES_MAX][INET6_ADDRSTRLEN]; /* "": free */
	char ipv6[VIF_ADDRESSES_MAX][INET6_ADDRSTRLEN];
};

/* Start with a zeroed one; it holds nothing to be freed. */
struct vif_memory {
	struct vif_slots slots[VIFS_MAX];
	size_t n;
};

/*
 * vif_report - add attr/vif/N/{name,mac/0,ipv4/M,ipv6/M} to @report
 * @memory: of the last call; brought up to date
 *
 * An address keeps M for as long as it is there; a new one takes the lowest free M, those
 * of a wider scope first. Addresses on what stands on a vif are its own (net_table_owns()).
 * The names that xapi and Xen Orchestra read. Errors: -ENOMEM.
 */
int vif_report(const struct net_table *table, struct vif_memory *memory, struct report *report);
