/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of xenpv bridge, one file each. */
#pragma once

#include <stdbool.h>

int cmd_bridge_create(int argc, char **argv, bool json);
int cmd_bridge_delete(int argc, char **argv, bool json);
int cmd_bridge_move(int argc, char **argv, bool json);
int cmd_bridge_show(int argc, char **argv, bool json);
int cmd_bridge_check(int argc, char **argv, bool json);
int cmd_bridge_watch(int argc, char **argv, bool json);
