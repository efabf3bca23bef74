/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's directory in /run, for what has to outlive the agent but not the boot. */
#pragma once

#include <stdbool.h>

/* Used unless $RUNTIME_DIRECTORY names another, as systemd.exec(5) has it. */
#define RUNDIR "/run/xenpv-agent"

/* The directory, opened; made first if @create. Returns a descriptor or a negative errno. */
int rundir_open(bool create);
