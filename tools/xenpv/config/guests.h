/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests' virtual network interfaces (VNIFs), as their configurations describe them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/mac.h"
#include "xenpv/config/findings.h"

struct xlconf;

enum vif_script {
	VIF_SCRIPT_NONE, /* none was named */
	VIF_SCRIPT_BRIDGE,
	VIF_SCRIPT_ROUTED,   /* no bridge is used */
	VIF_SCRIPT_SWITCHED, /* the bridge is Open vSwitch's, which the kernel knows as none */
};

/* What a script does, by its name, with or without a path. */
enum vif_script vif_script(const char *script);

struct vnif {
	unsigned int line;
	bool has_mac;
	struct mac mac;
	char *bridge;   /* NULL: none was named */
	bool elsewhere; /* its backend is another domain than dom0 */
	enum vif_script script;
};

struct guest {
	char *file;
	char *name;
	unsigned int line; /* of the name, 0 without one */
	struct vnif *vnif;
	size_t n;
};

struct guests {
	struct guest *item;
	size_t n;
};

void guests_clear(struct guests *guests);

/*
 * guests_add - take the VNIFs out of a configuration
 *
 * What is wrong with a single VNIF goes to @findings; such a one is kept as far as it is
 * understood. Errors: -ENOMEM.
 */
int guests_add(struct guests *guests, const char *file, const struct xlconf *conf,
	       struct findings *findings);
