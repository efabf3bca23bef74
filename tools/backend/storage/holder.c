/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define MAX_TIME_MS 250

DEFINE_CLEANUP(DIR *, closedir);

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	/* a block device has many nodes, a file one inode */
	if (S_ISBLK(a->st_mode))
		return S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* /proc/PID/fdinfo/FD tells the locks of the open file description and its flags. */
static bool holds_lock(const char *pid, const char *fd)
{
	_cleanup_fclose_ FILE *f = NULL;
	char line[256], path[64];
	unsigned int flags;

	snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "lock:", 5))
			return true;
		if (sscanf(line, "flags: %o", &flags) == 1 && (flags & O_EXCL))
			return true;
	}
	return false;
}

static void describe_process(const char *pid, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], comm[32] = "?";

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(comm, sizeof(comm), f))
		comm[strcspn(comm, "\n")] = '\0';
	snprintf(ret, size, "pid %.16s (%s)", pid, comm);
}

/* 2: @pid holds it, 1: has it open, 0: neither. */
static int use_by(const struct stat *st, const char *pid)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[64];
	struct dirent *e;
	struct stat other;
	int use = 0;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    fstatat(dirfd(dir), e->d_name, &other, 0) < 0 || !same_file(st, &other))
			continue;
		if (holds_lock(pid, e->d_name))
			return 2;
		use = 1;
	}
	return use;
}

static void find_process(const struct stat *st, char *ret, size_t size)
{
	_cleanup_(closedirp) DIR *dir = opendir("/proc");
	uint64_t deadline = now_ms() + MAX_TIME_MS;
	struct dirent *e;

	while (dir && (e = readdir(dir)) && now_ms() < deadline) {
		int use;

		/* our own descriptors are the attempt that has just failed */
		if (!isdigit((unsigned char)e->d_name[0]) || atoi(e->d_name) == getpid())
			continue;
		use = use_by(st, e->d_name);
		if (use == 2 || (use == 1 && !*ret))
			describe_process(e->d_name, ret, size);
		if (use == 2)
			return;
	}
}

static void find_mount(dev_t dev, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		unsigned int maj, min;
		char where[512];

		if (sscanf(line, "%*d %*d %u:%u %*s %511s", &maj, &min, where) == 3 &&
		    maj == major(dev) && min == minor(dev)) {
			snprintf(ret, size, "mounted on %.200s", where);
			return;
		}
	}
}

static void find_stacked(dev_t dev, char *ret, size_t size)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[64];
	struct dirent *e;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(ret, size, "used by %.64s", e->d_name);
		return;
	}
}

void holder_describe(const struct stat *st, char *ret, size_t size)
{
	*ret = '\0';
	if (S_ISBLK(st->st_mode)) {
		find_mount(st->st_rdev, ret, size);
		if (!*ret)
			find_stacked(st->st_rdev, ret, size);
	}
	if (!*ret)
		find_process(st, ret, size);
}
