/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "storage/holder.h"
#include "storage/geometry.h"
#include "storage/lock.h"

struct message {
	char *text;
	size_t size;
	const char *path;
};

/* The path may be as long as it likes: what fits of it, then the rest of the line in full. */
__attribute__((format(printf, 3, 4))) static int refuse(const struct message *m, int r,
							const char *fmt, ...)
{
	char rest[512];
	size_t room;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rest, sizeof(rest), fmt, ap);
	va_end(ap);

	room = m->size > strlen(rest) + 3 ? m->size - strlen(rest) - 3 : 0;
	if (strlen(m->path) <= room)
		snprintf(m->text, m->size, "%s: %s", m->path, rest);
	else if (room > 3)
		snprintf(m->text, m->size, "...%s: %s", m->path + strlen(m->path) - (room - 3),
			 rest);
	else
		snprintf(m->text, m->size, "%s", rest);
	return r;
}

static int refuse_busy(const struct message *m, int fd, const struct stat *st)
{
	struct lock_owner owner;
	char who[256];

	if (fd >= 0 && lock_find_owner(fd, &owner))
		return refuse(
			m, -EBUSY,
			"in use by domain %u, vbd %u; detach it there, or share it with mode w!",
			owner.domid, owner.devid);
	holder_describe(st, who, sizeof(who));
	return refuse(m, -EBUSY, "in use: %s; end that use, or share it with mode w!",
		      *who ? who : "by an unknown process");
}

static int refuse_fenced(const struct message *m)
{
	return refuse(m, -EAGAIN, "I/O of the worker before is not over yet; trying again");
}

/* Look at what the path names before it is opened with any effect. */
static int probe(const struct storage_params *p, const struct message *m, struct stat *ret)
{
	_cleanup_close_ int fd = -1;

	if (p->path[0] != '/')
		return refuse(m, -EINVAL, "not an absolute path");
	if (strlen(p->path) >= PATH_MAX)
		return refuse(m, -ENAMETOOLONG, "longer than %d bytes", PATH_MAX - 1);
	if (stat(p->path, ret) < 0)
		return refuse(m, -errno, "%s%s", strerror(errno),
			      errno == ENOENT ? "; check the path, or create the image" : "");
	if (!S_ISREG(ret->st_mode) && !S_ISBLK(ret->st_mode))
		return refuse(m, -EINVAL, "neither a file nor a block device");

	/*
	 * The worker before us may be ending. Then an exclusive open would fail for
	 * a reason that passes, so ask first.
	 */
	fd = open(p->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0 && lock_fence_held(fd, p->domid, p->devid))
		return refuse_fenced(m);
	return 0;
}

static int open_path(const struct storage_params *p, const struct message *m,
		     const struct stat *probed, struct storage_image *image)
{
	int flags = (p->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct stat st;

	/* the kernel's own claim: excludes mounts, device mapper and other exclusive openers */
	if (S_ISBLK(probed->st_mode) && !p->readonly && !p->shared)
		flags |= O_EXCL;

	image->direct = p->direct;
	image->fd = open(p->path, flags | (p->direct ? O_DIRECT : 0));
	if (image->fd < 0 && errno == EINVAL && p->direct) {
		image->direct = false;
		image->fd = open(p->path, flags);
	}
	if (image->fd < 0) {
		int r = -errno;
		_cleanup_close_ int fd = -1;

		if (r != -EBUSY)
			return refuse(m, r, "cannot open it for %s: %s",
				      p->readonly ? "reading" : "writing", strerror(-r));
		fd = open(p->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0 && lock_fence_held(fd, p->domid, p->devid))
			return refuse_fenced(m);
		return refuse_busy(m, fd, probed);
	}
	if (fstat(image->fd, &st) < 0 || st.st_dev != probed->st_dev || st.st_ino != probed->st_ino)
		return refuse(m, -EAGAIN, "was replaced while it was being opened");
	/* O_NONBLOCK kept the open from waiting; I/O shall wait */
	if (fcntl(image->fd, F_SETFL, fcntl(image->fd, F_GETFL) & ~O_NONBLOCK) < 0)
		return refuse(m, -errno, "cannot set its flags: %s", strerror(errno));
	return 0;
}

static int take_locks(const struct storage_params *p, const struct message *m,
		      const struct stat *st, int fd)
{
	const char *what;
	int r;

	r = lock_fence(fd, p->domid, p->devid, p->readonly);
	if (r == -EAGAIN)
		return refuse_fenced(m);
	if (r < 0)
		return refuse(m, r,
			      "cannot be locked, so nothing would keep a second writer away: %s",
			      strerror(-r));
	r = lock_image(fd, LOCK_OURS, p->readonly, p->shared, &what);
	if (r >= 0 && p->exclusion == STORAGE_EXCLUDE_ALL)
		r = lock_image(fd, LOCK_QEMU, p->readonly, p->shared, &what);
	else if (r >= 0 && p->exclusion == STORAGE_EXCLUDE_LATER)
		r = lock_test(fd, LOCK_QEMU, p->readonly, p->shared, &what);
	if (r == -EBUSY)
		return refuse_busy(m, fd, st);
	if (r < 0)
		return refuse(m, r, "cannot take the %s lock: %s", what, strerror(-r));
	if (S_ISBLK(st->st_mode) && !p->shared) {
		r = lock_device(fd, p->readonly);
		if (r == -EBUSY)
			return refuse_busy(m, fd, st);
		if (r < 0)
			return refuse(m, r, "cannot be locked: %s", strerror(-r));
	}
	return 0;
}

int storage_exclude(const struct storage_params *p, const struct storage_image *image)
{
	const char *what;
	int r;

	r = lock_image(image->fd, LOCK_QEMU, p->readonly, p->shared, &what);
	if (r < 0)
		lock_release(image->fd, LOCK_QEMU);
	return r;
}

int storage_open(const struct storage_params *p, struct storage_image *ret, char *error,
		 size_t error_size)
{
	const struct message m = { .text = error, .size = error_size, .path = p->path };
	struct storage_image image = { .fd = -1, .kind = STORAGE_FILE, .readonly = p->readonly };
	struct stat st;
	int r;

	r = probe(p, &m, &st);
	if (r < 0)
		return r;
	r = open_path(p, &m, &st, &image);
	if (r < 0)
		goto out;
	r = take_locks(p, &m, &st, image.fd);
	if (r < 0)
		goto out;
	r = geometry_read(&image, p->discard);
	if (r < 0) {
		refuse(&m, r,
		       image.size ? "its size or block size cannot be used: %s"
				  : "it is empty, a disk needs at least one sector (%s)",
		       strerror(-r));
		goto out;
	}
	*ret = image;
	return 0;

out:
	close_fd(&image.fd);
	return r;
}
