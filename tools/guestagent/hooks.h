/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks: the administrator's programs in /etc/xenpv/shutdown.d and /etc/xenpv/freeze.d.
 *
 * They are run by "xenpv-agent --hooks=NAME", a process outside the agent's sandbox that
 * systemd starts: see xenpv-agent-hooks.service and xenpv-agent-hooks@.service.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Parent of the directories, unless $XENPV_HOOKS names another. */
#define HOOKS_DIRECTORY "/etc/xenpv"

/* Occasions; the name is also the argument that each program gets. */
enum hooks {
	HOOKS_SHUTDOWN, /* shutdown.d, before the first unit is stopped */
	HOOKS_FREEZE,   /* freeze.d, before file systems are frozen */
	HOOKS_THAW,     /* freeze.d, after they were thawed */
	HOOKS_MAX
};

const char *hooks_name(enum hooks hooks);

/* The occasion called @name, or HOOKS_MAX. */
enum hooks hooks_by_name(const char *name);

/* Is there anything to run? */
bool hooks_exist(enum hooks hooks);

/*
 * hooks_run - run the programs one after the other, in the order of their names
 * @limit: seconds for all of them together
 *
 * Run are executable files, whose names do not begin with a dot, that only root can
 * change, in a directory that only root can change; others are logged and left out. Each
 * is a process group of its own with the arguments NAME; thaw runs them backwards. A
 * program that fails ends a freeze, else the next one is run.
 *
 * At the limit the one that runs gets SIGTERM, then SIGKILL, and the rest is not run.
 * SIGTERM to the caller ends it likewise. Blocks; signals SIGTERM and SIGCHLD have to be
 * blocked.
 *
 * Returns the number of programs that failed, or -ETIMEDOUT, -EINTR (SIGTERM), a negative
 * errno.
 */
int hooks_run(enum hooks hooks, uint32_t limit);
