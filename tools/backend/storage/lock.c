/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

/* Far behind every byte that others lock: 2^62 + (domid << 32) + devid. */
#define FENCE_BASE  (INT64_C(1) << 62)
#define FENCE_COUNT (INT64_C(1) << 48)

/* Offsets in each space; QEMU's begins at 0. */
#define OURS_BASE     (INT64_C(1) << 61)
#define LOCK_USED     100
#define LOCK_UNSHARED 200

enum qemu_perm {
	PERM_CONSISTENT_READ,
	PERM_WRITE,
	PERM_WRITE_UNCHANGED,
	PERM_RESIZE,
	_PERM_MAX,
};

static const char *const perm_name[_PERM_MAX] = {
	[PERM_CONSISTENT_READ] = "read",
	[PERM_WRITE] = "write",
	[PERM_WRITE_UNCHANGED] = "write",
	[PERM_RESIZE] = "resize",
};

static int set_lock(int fd, short type, off_t start)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* Would an exclusive lock on the range be refused? Then *ret is where. */
static bool test_range(int fd, off_t start, off_t len, off_t *ret)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len,
	};

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return false;
	*ret = lock.l_start;
	return true;
}

static off_t fence_byte(uint32_t domid, uint32_t devid)
{
	return FENCE_BASE + ((int64_t)(domid & 0xffff) << 32) + devid;
}

bool lock_fence_held(int fd, uint32_t domid, uint32_t devid)
{
	off_t at;

	return test_range(fd, fence_byte(domid, devid), 1, &at);
}

int lock_fence(int fd, uint32_t domid, uint32_t devid, bool readonly)
{
	int r;

	/* a descriptor without write access can hold shared locks only */
	r = set_lock(fd, readonly ? F_RDLCK : F_WRLCK, fence_byte(domid, devid));
	if (r == -EACCES)
		r = -EAGAIN;
	if (r < 0)
		return r;
	return lock_fence_held(fd, domid, devid) ? -EAGAIN : 0;
}

bool lock_find_owner(int fd, struct lock_owner *ret)
{
	off_t at;

	if (!test_range(fd, FENCE_BASE, FENCE_COUNT, &at) || at < FENCE_BASE)
		return false;
	ret->domid = (uint32_t)((at - FENCE_BASE) >> 32);
	ret->devid = (uint32_t)(at - FENCE_BASE);
	return true;
}

static off_t space_base(enum lock_space space)
{
	return space == LOCK_OURS ? OURS_BASE : 0;
}

static unsigned int used_perms(bool readonly)
{
	return 1u << PERM_CONSISTENT_READ | (readonly ? 0 : 1u << PERM_WRITE);
}

static unsigned int unshared_perms(bool shared)
{
	return shared ? 0 : 1u << PERM_WRITE | 1u << PERM_RESIZE;
}

int lock_test(int fd, enum lock_space space, bool readonly, bool shared, const char **ret_what)
{
	const unsigned int used = used_perms(readonly), unshared = unshared_perms(shared);
	const off_t base = space_base(space);
	off_t at;

	if (shared)
		return 0;
	for (int i = 0; i < _PERM_MAX; i++) {
		if (((unshared & 1u << i) && test_range(fd, base + LOCK_USED + i, 1, &at)) ||
		    ((used & 1u << i) && test_range(fd, base + LOCK_UNSHARED + i, 1, &at))) {
			*ret_what = perm_name[i];
			return -EBUSY;
		}
	}
	return 0;
}

int lock_image(int fd, enum lock_space space, bool readonly, bool shared, const char **ret_what)
{
	const unsigned int used = used_perms(readonly), unshared = unshared_perms(shared);
	const off_t base = space_base(space);
	int r;

	/* all locks first and then all tests, so that of two at once at most one succeeds */
	for (int i = 0; i < _PERM_MAX; i++) {
		if (used & 1u << i) {
			r = set_lock(fd, F_RDLCK, base + LOCK_USED + i);
			if (r < 0)
				goto fail;
		}
		if (unshared & 1u << i) {
			r = set_lock(fd, F_RDLCK, base + LOCK_UNSHARED + i);
			if (r < 0)
				goto fail;
		}
	}
	return lock_test(fd, space, readonly, shared, ret_what);

fail:
	*ret_what = "lock";
	return r == -EACCES || r == -EAGAIN ? -EBUSY : r;
}

void lock_release(int fd, enum lock_space space)
{
	for (int i = 0; i < _PERM_MAX; i++) {
		set_lock(fd, F_UNLCK, space_base(space) + LOCK_USED + i);
		set_lock(fd, F_UNLCK, space_base(space) + LOCK_UNSHARED + i);
	}
}

int lock_device(int fd, bool readonly)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	for (int tries = 25; flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0; tries--) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (!tries)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}
