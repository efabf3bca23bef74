// SPDX-License-Identifier: GPL-2.0-or-later
/* What a path is on the host that the program runs on: the real side of check/host.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/check/host.h"

DEFINE_CLEANUP(DIR *, closedir);

static void sys_path(dev_t dev, const char *below, char *ret, size_t size)
{
	snprintf(ret, size, "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), below);
}

/* "8:1\n" */
static int read_dev(const char *path, dev_t *ret)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	unsigned int a, b;

	if (!f)
		return -errno;
	if (fscanf(f, "%u:%u", &a, &b) != 2)
		return -EINVAL;
	*ret = makedev(a, b);
	return 0;
}

static dev_t whole_disk(dev_t dev)
{
	char path[80];
	dev_t whole = dev;

	sys_path(dev, "partition", path, sizeof(path));
	if (access(path, F_OK) < 0)
		return dev;
	sys_path(dev, "../dev", path, sizeof(path));
	return read_dev(path, &whole) < 0 ? dev : whole;
}

/* Does what is on @dev concern the path, which is on @facts->dev? */
static bool concerns(const struct path_facts *facts, dev_t dev)
{
	return dev == facts->dev || dev == facts->whole ||
	       (facts->dev == facts->whole && whole_disk(dev) == facts->dev);
}

/*
 * "<id> <parent> <major>:<minor> <root> <where> ... - <type> <source> ...". A file system of
 * several devices has a number of its own there, so the source counts as well.
 */
static void find_mount(struct path_facts *facts)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		char where[120], source[PATH_MAX] = "";
		char *tail = strstr(line, " - ");
		unsigned int a, b;
		struct stat st;

		if (sscanf(line, "%*u %*u %u:%u %*s %119s", &a, &b, where) != 3)
			continue;
		if (tail && sscanf(tail, " - %*s %4095s", source) == 1 && source[0] == '/' &&
		    stat(source, &st) == 0 && S_ISBLK(st.st_mode) && concerns(facts, st.st_rdev))
			a = major(st.st_rdev), b = minor(st.st_rdev);
		if (!concerns(facts, makedev(a, b)))
			continue;
		snprintf(facts->used, sizeof(facts->used), "mounted on %s", where);
		return;
	}
}

static void find_swap(struct path_facts *facts)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/swaps", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		struct stat st;

		line[strcspn(line, " \t")] = '\0';
		if (stat(line, &st) == 0 && S_ISBLK(st.st_mode) && concerns(facts, st.st_rdev)) {
			snprintf(facts->used, sizeof(facts->used), "swap space");
			return;
		}
	}
}

/* What is built on the device of this directory. True: there is something. */
static bool find_holder_in(struct path_facts *facts, const char *path)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(facts->used, sizeof(facts->used), "part of %.40s", entry->d_name);
		return true;
	}
	return false;
}

/* What is built on it, on a partition of it, or on the disk it is a partition of: LVM, RAID ... */
static void find_holder(struct path_facts *facts)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	char path[PATH_MAX];

	sys_path(facts->dev, "holders", path, sizeof(path));
	if (find_holder_in(facts, path))
		return;
	if (facts->whole != facts->dev) {
		sys_path(facts->whole, "holders", path, sizeof(path));
		find_holder_in(facts, path);
		return;
	}
	sys_path(facts->dev, ".", path, sizeof(path));
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		sys_path(facts->dev, entry->d_name, path, sizeof(path));
		strncat(path, "/partition", sizeof(path) - strlen(path) - 1);
		if (access(path, F_OK) < 0)
			continue;
		strcpy(strrchr(path, '/'), "/holders");
		if (find_holder_in(facts, path))
			return;
	}
}

static void find_lasting(struct path_facts *facts)
{
	static const char *const dirs[] = { "/dev/disk/by-id", "/dev/disk/by-path" };

	for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
		_cleanup_(closedirp) DIR *dir = opendir(dirs[i]);
		struct dirent *entry;
		struct stat st;

		while (dir && (entry = readdir(dir))) {
			if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 ||
			    !S_ISBLK(st.st_mode) || st.st_rdev != facts->dev)
				continue;
			if (snprintf(facts->lasting, sizeof(facts->lasting), "%s/%s", dirs[i],
				     entry->d_name) < (int)sizeof(facts->lasting))
				return;
			facts->lasting[0] = '\0';
		}
	}
}

int path_identify(void *userdata, const char *path, struct path_facts *ret)
{
	struct path_facts facts = { .kind = PATH_OTHER };
	struct stat st;

	(void)userdata;
	if (stat(path, &st) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
		*ret = (struct path_facts){ .kind = PATH_MISSING };
		return 0;
	}
	if (S_ISREG(st.st_mode)) {
		facts.kind = PATH_FILE;
		facts.dev = facts.whole = st.st_dev;
		facts.ino = st.st_ino;
	} else if (S_ISBLK(st.st_mode)) {
		facts.kind = PATH_BLOCK;
		facts.dev = st.st_rdev;
		facts.whole = whole_disk(st.st_rdev);
		find_lasting(&facts);
		find_mount(&facts);
		if (!facts.used[0])
			find_swap(&facts);
		if (!facts.used[0])
			find_holder(&facts);
	} else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
		facts.kind = PATH_NULL;
	}
	*ret = facts;
	return 0;
}
