// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge: the virtual bridges that guests' interfaces are put on. */
#include "xenpv/bridge/bridge.h"

#include "xenpv/command.h"

static const struct command commands[] = {
	{ "create", "create a bridge", cmd_bridge_create },
	{ "delete", "delete a bridge", cmd_bridge_delete },
	{ "move", "put a guest's interface on another bridge", cmd_bridge_move },
	{ "show", "show bridges and the guests on them", cmd_bridge_show },
	{ "check", "check the network part of domain configurations", cmd_bridge_check },
	{ "watch", "guard ports and announce guests after a failover (a service)",
	  cmd_bridge_watch },
	{ 0 },
};

int cmd_bridge(int argc, char **argv, bool json)
{
	return run_command("xenpv bridge", commands, argc, argv, json);
}
