/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What xenstore knows of guests' interfaces. Without a xenstore, nothing is known. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/mac.h"

struct xs_conn;

struct domains {
	struct xs_conn *xs; /* NULL without a xenstore */
};

void domains_open(struct domains *domains);
void domains_close(struct domains *domains);

/* The domain's name, allocated, or NULL. Made fit to be printed. */
char *domains_name(const struct domains *domains, uint32_t domid);

/* The address of a guest's interface, from the backend's own node. */
bool domains_mac(const struct domains *domains, uint32_t domid, uint32_t handle, struct mac *ret);

/*
 * domains_set_bridge - note in xenstore which bridge a guest's interface is on
 *
 * Scripts that take it from its bridge read it there. What is not known stays so.
 */
int domains_set_bridge(const struct domains *domains, uint32_t domid, uint32_t handle,
		       const char *bridge);
