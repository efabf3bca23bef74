// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

DEFINE_CLEANUP(DIR *, closedir);

static void path_of(const char *family, const char *dev, const char *key, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "/proc/sys/net/%s/conf/%s%s%s", family, dev, key ? "/" : "",
		 key ?: "");
}

int sysctl_read(const char *family, const char *dev, const char *key, char ret[SYSCTL_VALUE])
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], value[SYSCTL_VALUE];
	ssize_t n;

	path_of(family, dev, key, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, value, sizeof(value));
	if (n < 0)
		return -errno;
	if (n == sizeof(value))
		return -EFBIG;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	strcpy(ret, value);
	return 0;
}

int sysctl_write(const char *family, const char *dev, const char *key, const char *value)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	ssize_t n;

	path_of(family, dev, key, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(value) ? 0 : -EIO;
}

static bool is_setting(const char *key)
{
	static const char *const others[] = { "mtu", "addr_gen_mode", "stable_secret" };

	for (size_t i = 0; i < ELEMENTSOF(others); i++)
		if (!strcmp(key, others[i]))
			return false;
	return key[0] != '.';
}

static int family_differences(const char *family, const char *dev, sysctl_fn fn, void *userdata)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[PATH_MAX], ours[SYSCTL_VALUE], fresh[SYSCTL_VALUE];
	const struct dirent *e;
	int r;

	path_of(family, dev, NULL, path);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		if (!is_setting(e->d_name) || sysctl_read(family, dev, e->d_name, ours) < 0 ||
		    sysctl_read(family, "default", e->d_name, fresh) < 0 || !strcmp(ours, fresh))
			continue;
		r = fn(family, e->d_name, ours, userdata);
		if (r < 0)
			return r;
	}
	return 0;
}

int sysctl_each_difference(const char *dev, sysctl_fn fn, void *userdata)
{
	int r = family_differences("ipv4", dev, fn, userdata);

	return r < 0 ? r : family_differences("ipv6", dev, fn, userdata);
}
