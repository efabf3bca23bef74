/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/geometry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define SECTOR 512u

static int read_size(int fd, uint64_t *ret, struct stat *st)
{
	uint64_t size = 0;

	if (fstat(fd, st) < 0)
		return -errno;
	if (!S_ISBLK(st->st_mode))
		size = (uint64_t)st->st_size;
	else if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		return -errno;
	*ret = size;
	return 0;
}

/* A number below /sys/dev/block/M:m, of the device or, for a partition, of its disk. */
static uint64_t sysfs_number(dev_t dev, const char *name)
{
	static const char *const where[] = { "", "../" };

	for (size_t i = 0; i < ELEMENTSOF(where); i++) {
		_cleanup_fclose_ FILE *f = NULL;
		unsigned long long v;
		char path[128];

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s%s", major(dev), minor(dev),
			 where[i], name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%llu", &v) == 1)
			return v;
	}
	return 0;
}

static int read_block(struct storage_image *image, const struct stat *st, bool discard)
{
	unsigned int physical = 0;
	int logical = 0;

	if (ioctl(image->fd, BLKSSZGET, &logical) < 0 ||
	    ioctl(image->fd, BLKPBSZGET, &physical) < 0)
		return -errno;
	if (logical != 512 && logical != 4096)
		return -EINVAL;
	image->logical_block = (uint32_t)logical;
	image->physical_block =
		physical >= (unsigned int)logical && physical % (unsigned int)logical == 0
			? physical
			: (uint32_t)logical;
	image->dio_align = image->direct ? image->logical_block : 1;

	image->can_discard = discard && sysfs_number(st->st_rdev, "queue/discard_max_bytes") > 0;
	if (image->can_discard) {
		uint64_t granularity = sysfs_number(st->st_rdev, "queue/discard_granularity");

		image->discard_granularity = granularity && granularity <= UINT32_MAX
						     ? (uint32_t)granularity
						     : image->logical_block;
		image->discard_alignment = (uint32_t)sysfs_number(st->st_rdev, "discard_alignment");
		/* no sysfs file tells of secure erase before 6.x; nothing is promised */
		image->can_secure_discard = false;
	}
	return 0;
}

/* The alignment that direct I/O on @fd needs; 0: none will do. */
static uint32_t direct_alignment(int fd)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
	    (sx.stx_mask & STATX_DIOALIGN)) {
		uint32_t align = sx.stx_dio_mem_align > sx.stx_dio_offset_align
					 ? sx.stx_dio_mem_align
					 : sx.stx_dio_offset_align;

		if (!sx.stx_dio_offset_align)
			return 0;
		return align < SECTOR ? SECTOR : align;
	}

	/* before 6.1 only trying tells */
	for (uint32_t align = SECTOR; align <= 4096; align *= 2) {
		_cleanup_free_ void *buffer = aligned_alloc(8192, 8192);

		/* not aligned to more than is tried */
		if (buffer && pread(fd, (char *)buffer + align, align, align) >= 0)
			return align;
	}
	return 0;
}

static int read_file(struct storage_image *image, const struct stat *st, bool discard)
{
	uint32_t align = image->direct ? direct_alignment(image->fd) : 1;

	image->logical_block = SECTOR;
	image->physical_block = image->size % 4096 == 0 && st->st_blksize >= 4096 ? 4096 : SECTOR;
	image->dio_align = align;
	if (align == 0 || align > SECTOR) {
		/*
		 * A file is a disk of 512-byte sectors to its guest, wherever it is
		 * kept. What the file system cannot do directly goes through its cache.
		 */
		if (fcntl(image->fd, F_SETFL, fcntl(image->fd, F_GETFL) & ~O_DIRECT) < 0)
			return -errno;
		image->direct = false;
		image->dio_align = 1;
	}

	/* behind the end nothing is there to lose: asks, and does nothing */
	image->can_discard = discard && !image->readonly &&
			     fallocate(image->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       (off_t)((image->size + 4095) & ~UINT64_C(4095)), 4096) == 0;
	if (image->can_discard)
		image->discard_granularity = st->st_blksize >= 512 && st->st_blksize <= 1 << 20
						     ? (uint32_t)st->st_blksize
						     : 4096;
	return 0;
}

int geometry_read(struct storage_image *image, bool discard)
{
	struct stat st;
	int r;

	r = read_size(image->fd, &image->size, &st);
	if (r < 0)
		return r;
	image->is_block = S_ISBLK(st.st_mode);
	image->can_secure_discard = false;
	r = image->is_block ? read_block(image, &st, discard && !image->readonly)
			    : read_file(image, &st, discard);
	if (r < 0)
		return r;
	return image->size < image->logical_block ? -EINVAL : 0;
}

int storage_refresh(struct storage_image *image)
{
	uint64_t size = 0;
	struct stat st;
	int r;

	r = read_size(image->fd, &size, &st);
	if (r < 0)
		return r;
	if (size < image->logical_block)
		return -EINVAL;
	image->size = size;
	return 0;
}
