// SPDX-License-Identifier: GPL-2.0-or-later
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <libmount/libmount.h>

#include "lib/cleanup.h"
#include "ownsource.h"

#define MOUNTINFO "/proc/self/mountinfo"

static void unref_tablep(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void free_iterp(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter);
}

/* Of a mount that names no device, as tmpfs or NFS, there is nothing to report. */
static bool is_on_disk(struct libmnt_fs *fs)
{
	const char *source = mnt_fs_get_srcpath(fs);

	return source && strncmp(source, "/dev/", 5) == 0 && mnt_fs_get_target(fs);
}

/* "/" but for bind mounts of a directory, and "/@" or the like for a subvolume. */
static bool shows_root(struct libmnt_fs *fs)
{
	const char *root = mnt_fs_get_root(fs);

	return !root || strcmp(root, "/") == 0;
}

static struct mount *find_same(struct mounts *mounts, struct libmnt_fs *fs)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (mounts->list[i].device == mnt_fs_get_devno(fs) ||
		    strcmp(mounts->list[i].source, mnt_fs_get_srcpath(fs)) == 0)
			return &mounts->list[i];
	return NULL;
}

static int add(struct mounts *mounts, size_t *allocated, struct libmnt_fs *fs)
{
	_cleanup_free_ char *source = NULL, *target = NULL, *type = NULL;

	if (mounts->n == MOUNTS_MAX)
		return 0;
	if (mounts->n == *allocated) {
		size_t want = *allocated ? 2 * *allocated : 16;
		struct mount *more = reallocarray(mounts->list, want, sizeof(*more));

		if (!more)
			return -ENOMEM;
		mounts->list = more;
		*allocated = want;
	}
	source = strdup(mnt_fs_get_srcpath(fs));
	target = strdup(mnt_fs_get_target(fs));
	type = strdup(mnt_fs_get_fstype(fs) ?: "");
	if (!source || !target || !type)
		return -ENOMEM;
	mounts->list[mounts->n++] = (struct mount){
		.device = mnt_fs_get_devno(fs),
		.source = TAKE_PTR(source),
		.target = TAKE_PTR(target),
		.type = TAKE_PTR(type),
		/* Of the file system: a sandbox's own mounts are read-only without it. */
		.read_only =
			mnt_fs_get_fs_options(fs) &&
			mnt_optstr_get_option(mnt_fs_get_fs_options(fs), "ro", NULL, NULL) == 0,
	};
	return 0;
}

int mounts_read(const char *root, struct mounts *ret)
{
	_cleanup_(unref_tablep) struct libmnt_table *table = NULL;
	_cleanup_(free_iterp) struct libmnt_iter *iter = NULL;
	_cleanup_(mounts_clear) struct mounts mounts = { 0 };
	char path[PATH_MAX];
	size_t allocated = 0;

	if (snprintf(path, sizeof(path), "%s" MOUNTINFO, root) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	table = mnt_new_table();
	iter = mnt_new_iter(MNT_ITER_FORWARD);
	if (!table || !iter)
		return -ENOMEM;
	if (mnt_table_parse_file(table, path) < 0)
		return -EIO;
	/* Roots first, then what shows a part of a file system whose root nothing shows. */
	for (int roots = 1; roots >= 0; roots--) {
		struct libmnt_fs *fs;

		mnt_reset_iter(iter, MNT_ITER_FORWARD);
		while (mnt_table_next_fs(table, iter, &fs) == 0) {
			int r;

			if (!is_on_disk(fs) || shows_root(fs) != roots || find_same(&mounts, fs))
				continue;
			r = add(&mounts, &allocated, fs);
			if (r < 0)
				return r;
		}
	}
	*ret = mounts;
	mounts = (struct mounts){ 0 };
	return 0;
}

void mounts_clear(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->n; i++) {
		free(mounts->list[i].source);
		free(mounts->list[i].target);
		free(mounts->list[i].type);
	}
	free(mounts->list);
	*mounts = (struct mounts){ 0 };
}

const struct mount *mounts_find(const struct mounts *mounts, dev_t device, const char *name)
{
	for (size_t i = 0; i < mounts->n; i++) {
		const struct mount *mount = &mounts->list[i];

		/* Some, as btrfs, have a device number of their own. */
		if (mount->device == device || strcmp(mount->source + strlen("/dev/"), name) == 0)
			return mount;
	}
	return NULL;
}

struct watch {
	void (*changed)(void *userdata);
	void *userdata;
};

static int on_change(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	const struct watch *watch = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	watch->changed(watch->userdata);
	return 0;
}

int mounts_watch(sd_event *event, void (*changed)(void *userdata), void *userdata,
		 sd_event_source **ret)
{
	_cleanup_free_ struct watch *watch = malloc(sizeof(*watch));
	_cleanup_close_ int fd = -1;

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ changed, userdata };
	fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return ownsource_add(event, TAKE_FD(fd), EPOLLPRI, on_change, TAKE_PTR(watch), ret);
}
