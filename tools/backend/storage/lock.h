/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks on an open image. They belong to the open file description, so they
 * travel with the descriptor and last until its last copy is closed and the last
 * I/O through it is over.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who uses the image, told from the byte that is locked. */
struct lock_owner {
	uint32_t domid;
	uint32_t devid;
};

/*
 * lock_fence - take the fence byte of (domid, devid)
 * @readonly: how @fd is open
 *
 * Errors: -EAGAIN (still held: by a worker that is ending, or its last I/O),
 * others of fcntl(2), -ENOLCK among them.
 */
int lock_fence(int fd, uint32_t domid, uint32_t devid, bool readonly);

/* Is the fence byte held by anybody else? */
bool lock_fence_held(int fd, uint32_t domid, uint32_t devid);

/* Whose fence is on the image, beside @fd's own? False: nobody's. */
bool lock_find_owner(int fd, struct lock_owner *ret);

/* Among whom: a lock in one space says nothing in the other. */
enum lock_space {
	LOCK_OURS, /* backends of xenpv */
	LOCK_QEMU, /* QEMU, its tools, and us */
};

/*
 * lock_image - take the byte-range locks of QEMU (block/file-posix.c): byte 100 + N
 * for each permission that is used, 200 + N for each that nobody else may use
 * @shared: use the image beside others, and refuse nobody
 *
 * Errors: -EBUSY with @ret_what naming the conflicting use, others of fcntl(2).
 * After an error some of the locks may be held.
 */
int lock_image(int fd, enum lock_space space, bool readonly, bool shared, const char **ret_what);

/* Would lock_image() succeed? Takes no lock: 0, or -EBUSY as it would say. */
int lock_test(int fd, enum lock_space space, bool readonly, bool shared, const char **ret_what);

/* Give up what lock_image() took. */
void lock_release(int fd, enum lock_space space);

/*
 * lock_device - flock(2) a block device, as udev expects it of whoever uses one
 *
 * udev itself holds it for moments, so a conflict is waited out for half a second.
 * Errors: -EBUSY.
 */
int lock_device(int fd, bool readonly);
