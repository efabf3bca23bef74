/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the worker gives up before it looks at anything of the guest. */
#pragma once

#include <stdbool.h>

struct sandbox {
	const char *user; /* name or number; NULL: "xenpv-worker" when it exists */
	bool seccomp;
};

/*
 * sandbox_enter - give up file system, network, other processes, privileges
 * @ret_why: what was tried, on failure
 *
 * Called once, by the only thread there is. What needs root is left out when we
 * are not root; no_new_privs, Landlock and seccomp hold for everybody.
 */
int sandbox_enter(const struct sandbox *s, const char **ret_why);
