// SPDX-License-Identifier: GPL-2.0-or-later
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "rundir.h"

#define STAMP_FILE "shutdown-since"

uint64_t stamp_now(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int stamp_save(uint64_t usec)
{
	_cleanup_close_ int dir = -1, fd = -1;

	dir = rundir_open(true);
	if (dir < 0)
		return dir;
	fd = openat(dir, STAMP_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	return dprintf(fd, "%" PRIu64, usec) < 0 ? -EIO : 0;
}

int stamp_load(uint64_t *ret_usec)
{
	_cleanup_close_ int dir = -1, fd = -1;
	char text[32];
	ssize_t n;

	dir = rundir_open(false);
	if (dir < 0)
		return dir;
	fd = openat(dir, STAMP_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return parse_u64(text, 0, stamp_now(), ret_usec) < 0 ? -EINVAL : 0;
}

int stamp_remove(void)
{
	_cleanup_close_ int dir = rundir_open(false);

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	if (unlinkat(dir, STAMP_FILE, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}
