/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May this interface be a bridge's way to the outside? */
#pragma once

#include <stdbool.h>

#include "xenpv/bridge/link.h"
#include "xenpv/bridge/settings.h"
#include "xenpv/command.h"

/*
 * uplink_check - refuse what cannot or should not be put on a bridge
 * @bridge: name of the bridge, for messages
 * @force: accept bonds that are unlikely to work
 */
int uplink_check(const struct links *links, const struct link *link, const char *bridge,
		 const struct settings *settings, bool force, struct problem *p);

/*
 * uplink_check_mac - refuse an interface whose address cannot be changed
 *
 * That of a xenbr's NIC has to be, as dom0's new interface has it: else a bond with
 * fail_over_mac would keep it, and the kernel would say that it was changed.
 */
int uplink_check_mac(const struct link *link, const char *bridge, struct problem *p);

/* The same as uplink_check() for an interface that a VLAN is to be made on; it may be on a bridge
 * itself. */
int uplink_check_parent(const struct links *links, const struct link *link, const char *bridge,
			const struct settings *settings, bool force, struct problem *p);
