/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must be true of all guests' VNIFs together, on this host. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "xenpv/config/guests.h"
#include "lib/mac.h"
#include "xenpv/config/guests.h"

/* What is on the host; borrowed. */
struct host_facts {
	const char *const *bridges; /* that exist, or will after a boot */
	size_t n_bridges;
	bool any_bridge; /* not known which exist: none is missed */
	struct {
		const char *name;
		struct mac mac;
	} * interfaces; /* of dom0 itself, with their addresses */
	size_t n_interfaces;
	const char *default_bridge, *default_script; /* of xl.conf; NULL: xl's own */
	struct mac prefix;                           /* of guests' addresses */
	size_t prefix_len;                           /* 0: no rule */
	const char *prefix_text;
};

/* rules_check - add what is against the rules to @findings; -ENOMEM */
int rules_check(const struct guests *guests, const struct host_facts *host,
		struct findings *findings);
