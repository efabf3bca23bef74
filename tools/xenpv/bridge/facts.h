/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules for VNIFs have to know of this host. */
#pragma once

#include <net/if.h>

#include "xenpv/bridge/rules.h"
#include "xenpv/config/xldefaults.h"

struct site;

struct facts {
	struct host_facts host;
	char (*names)[IFNAMSIZ]; /* of the bridges */
	const char **list;
	struct xl_defaults xl;
};

/*
 * facts_gather - from the kernel's list, what networkd will make, the settings, and xl's
 * @site: open, and stays so while the facts are used
 *
 * Errors: -ENOMEM. facts_clear() also after a failure.
 */
int facts_gather(const struct site *site, struct facts *ret);
void facts_clear(struct facts *facts);
