// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv: see, check and steer the host's side of paravirtual guests. */
#include "xenpv/command.h"

static const struct command commands[] = {
	{ "list", "list the guests", cmd_list },
	{ "show", "all that is known of a guest", cmd_show },
	{ "top", "what guests do, again and again", cmd_top },
	{ "shutdown", "ask a guest to shut down", cmd_shutdown },
	{ "reboot", "ask a guest to reboot", cmd_reboot },
	{ "freeze", "freeze a guest's file systems for a copy", cmd_freeze },
	{ "thaw", "thaw them", cmd_thaw },
	{ "check", "check domain configurations before they do harm", cmd_check },
	{ "size", "how much memory guests and host take", cmd_size },
	{ "metrics", "figures of all guests for Prometheus", cmd_metrics },
	{ "bridge", "virtual bridges: create, delete, show, check", cmd_bridge },
	{ 0 },
};

int main(int argc, char **argv)
{
	return run_command("xenpv", commands, argc, argv, false);
}
