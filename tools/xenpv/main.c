// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv: see, check and steer the host's side of paravirtual guests. */
#include "xenpv/command.h"

static const struct command commands[] = {
	{ "bridge", "virtual bridges: create, delete, show, check", cmd_bridge },
	{ "check", "check domain configurations before they do harm", cmd_check },
	{ "size", "how much memory guests and host take", cmd_size },
	{ 0 },
};

int main(int argc, char **argv)
{
	return run_command("xenpv", commands, argc, argv, false);
}
