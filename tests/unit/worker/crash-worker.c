/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker that kills itself at its Nth crash point, N in XENPV_CRASH_AT. Without
 * that it is a worker like any other.
 */
#include <signal.h>
#include <stdlib.h>

#include "worker/crashpoint.h"

static long left;

__attribute__((constructor)) static void init(void)
{
	const char *at = getenv("XENPV_CRASH_AT");

	left = at ? atol(at) : 0;
}

void crash_point(void)
{
	if (left && --left == 0)
		raise(SIGKILL);
}
