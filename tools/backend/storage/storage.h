/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image is, to the broker: something that can be opened exclusively,
 * has a size, and travels to a worker as a descriptor. A storage driver knows
 * no ring. The worker's half, which moves the data, is storage/queue.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of storage; the worker picks its queue implementation by it. */
enum storage_kind {
	STORAGE_FILE, /* a regular file or a block device, through io_uring */
	_STORAGE_KIND_MAX,
	_STORAGE_KIND_INVALID = -22, /* -EINVAL */
};

/*
 * When QEMU is kept away. The device model of an HVM guest opens the guest's disks for
 * the emulated ones, and closes them when the guest has unplugged those: until then
 * both have the image, and the guest uses one of them only.
 */
enum storage_exclusion {
	STORAGE_EXCLUDE_ALL,    /* at once */
	STORAGE_EXCLUDE_LATER,  /* with storage_exclude(); another user is refused all the same */
	STORAGE_EXCLUDE_BESIDE, /* with storage_exclude(); the device model may have it already */
};

struct storage_params {
	const char *path; /* up to PATH_MAX, absolute */
	bool readonly;    /* mode r */
	bool shared;      /* mode w!: no exclusion against other writers */
	bool direct;      /* use O_DIRECT where the file allows it */
	bool discard;     /* the guest may discard (discard-enable) */
	enum storage_exclusion exclusion;
	uint32_t domid; /* whose disk: with devid the key of the fence lock */
	uint32_t devid;
};

/* An opened image. Limits are in bytes unless the name says otherwise. */
struct storage_image {
	int fd;
	enum storage_kind kind;
	bool readonly;
	bool direct; /* fd is O_DIRECT: buffers, offsets and lengths need dio_align */
	bool is_block;
	bool can_discard;
	bool can_secure_discard;
	uint64_t size;
	uint32_t logical_block;  /* 512 or 4096 */
	uint32_t physical_block; /* multiple of logical_block */
	uint32_t dio_align;      /* power of two, 512..4096; 1 without direct */
	uint32_t discard_granularity;
	uint32_t discard_alignment;
};

/*
 * storage_open - open an image, with its exclusion in place
 * @p: what to open
 * @ret: the image; the caller owns @ret->fd
 * @error, @error_size: one line that names the path, the cause, the holder when
 *   another process or guest has it, and the remedy; fit for hotplug-error
 *
 * Exclusion: regular files take the OFD byte-range locks that QEMU takes (so
 * that QEMU, qemu-img and we see each other), block devices O_EXCL and flock.
 * On top each image holds a fence lock, a byte of its own for (domid, devid):
 * the kernel keeps it until the last I/O in flight of a dead worker is over,
 * since such an I/O pins the open file description. So whoever re-opens the
 * image after a crash cannot overtake an old write.
 *
 * The caller must not keep a copy of the descriptor once a worker has it.
 *
 * Errors: -EBUSY (held by another), -EAGAIN (only our own fence is still held:
 * try again shortly), -ENOENT, -EACCES, -EINVAL (not a file or block device,
 * size zero), others from open(2).
 */
int storage_open(const struct storage_params *p, struct storage_image *ret, char *error,
		 size_t error_size);

/*
 * storage_exclude - keep QEMU away from an image that was opened without
 * @p: as given to storage_open()
 *
 * Does not wait. Errors: -EBUSY (something else than a backend uses the image), others
 * of fcntl(2); nothing has changed then.
 */
int storage_exclude(const struct storage_params *p, const struct storage_image *image);

/* Read size and limits of an open image again (online resize). */
int storage_refresh(struct storage_image *image);
