// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenpv with changes that fail: linked with --wrap for the three seams through which
 * it changes anything, rtnl_change(), sysctl_write() and file_replace().
 *
 *	XENPV_TEST_FAIL=N   change number N, from 1, is refused with EIO and not made
 *	XENPV_TEST_LOSE=N   it is made, but its answer is lost (ETIMEDOUT)
 *	XENPV_TEST_FROM=N   changes from number N on are refused, also those that undo others
 *	XENPV_TEST_TERM=N   SIGTERM arrives before change number N
 *	XENPV_TEST_COUNT=FD write the number of changes to this descriptor at the end
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "xenpv/bridge/files.h"
#include "lib/rtnl.h"
#include "xenpv/bridge/sysctl.h"

int __real_rtnl_change(struct rtnl *rt, struct rtnl_msg *msg);
int __wrap_rtnl_change(struct rtnl *rt, struct rtnl_msg *msg);
int __real_sysctl_write(const char *family, const char *dev, const char *key, const char *value);
int __wrap_sysctl_write(const char *family, const char *dev, const char *key, const char *value);
int __real_file_replace(const char *path, const char *text);
int __wrap_file_replace(const char *path, const char *text);

static long count, fail_at, lose_at, fail_from, term_at;

static void tell(void)
{
	const char *fd = getenv("XENPV_TEST_COUNT");

	if (fd)
		dprintf(atoi(fd), "%ld\n", count);
}

__attribute__((constructor)) static void begin(void)
{
	fail_at = atol(getenv("XENPV_TEST_FAIL") ?: "0");
	lose_at = atol(getenv("XENPV_TEST_LOSE") ?: "0");
	fail_from = atol(getenv("XENPV_TEST_FROM") ?: "0");
	term_at = atol(getenv("XENPV_TEST_TERM") ?: "0");
	atexit(tell);
}

/* Count a change; true if it is to be refused. */
static bool refused(void)
{
	count++;
	if (count == term_at)
		raise(SIGTERM);
	return count == fail_at || (fail_from && count >= fail_from);
}

int __wrap_rtnl_change(struct rtnl *rt, struct rtnl_msg *msg)
{
	int r;

	if (refused())
		return -EIO;
	r = __real_rtnl_change(rt, msg);
	return count == lose_at ? -ETIMEDOUT : r;
}

int __wrap_sysctl_write(const char *family, const char *dev, const char *key, const char *value)
{
	int r;

	if (refused())
		return -EIO;
	r = __real_sysctl_write(family, dev, key, value);
	return count == lose_at ? -ETIMEDOUT : r;
}

int __wrap_file_replace(const char *path, const char *text)
{
	int r;

	if (refused())
		return -EIO;
	r = __real_file_replace(path, text);
	return count == lose_at ? -ETIMEDOUT : r;
}
