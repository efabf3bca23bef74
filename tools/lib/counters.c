// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

_Static_assert(sizeof(struct counters_head) == COUNTERS_STRIDE, "the head is a block");
_Static_assert(sizeof(union counters_block) == COUNTERS_STRIDE, "blocks are apart");

static bool is_ours(const struct counters_head *head, enum counters_kind kind)
{
	return head->magic == COUNTERS_MAGIC && head->version == COUNTERS_VERSION &&
	       head->kind == (uint32_t)kind && head->blocks <= COUNTERS_BLOCKS;
}

/* Map @fd with space for @blocks; what else is in the file costs no memory. */
static int map_file(int fd, enum counters_kind kind, uint32_t blocks, struct counters_file **ret)
{
	struct counters_file *file;
	struct counters_head head;
	int r;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || !is_ours(&head, kind)) {
		if (ftruncate(fd, 0) < 0)
			return -errno;
	}
	if (ftruncate(fd, sizeof(*file)) < 0)
		return -errno;
	/* a full file system is an error here, and not a SIGBUS later */
	r = posix_fallocate(fd, 0, (off_t)offsetof(struct counters_file, block[blocks]));
	if (r)
		return -r;
	file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		return -errno;
	*ret = file;
	return 0;
}

int counters_open(struct counters *c, int fd, enum counters_kind kind, uint32_t blocks,
		  const struct log_about *about)
{
	struct counters_file *file;
	int r = map_file(fd, kind, blocks, &file);

	if (r < 0) {
		log_full(LOG_WARNING, about, r,
			 "its counters cannot be kept, so that nobody sees them: %m");
		file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (file == MAP_FAILED)
			return -ENOMEM;
	}
	counters_close(c);
	c->file = file;
	file->head.version = COUNTERS_VERSION;
	file->head.kind = (uint32_t)kind;
	if (file->head.blocks < blocks)
		file->head.blocks = blocks;
	for (uint32_t i = 0; i < file->head.blocks; i++) {
		if (kind == COUNTERS_DISK)
			file->block[i].disk.in_flight = 0;
		else
			file->block[i].vif.rx_stalled = 0;
	}
	file->head.magic = COUNTERS_MAGIC;
	return 0;
}

void counters_close(struct counters *c)
{
	if (c->file)
		munmap(c->file, sizeof(*c->file));
	c->file = NULL;
}

void counters_sum(const struct counters_file *file, union counters_block *ret)
{
	union counters_block sum = { .word = { 0 } };

	for (uint32_t i = 0; i < file->head.blocks; i++)
		for (size_t k = 0; k < ELEMENTSOF(sum.word); k++)
			sum.word[k] += __atomic_load_n(&file->block[i].word[k], __ATOMIC_RELAXED);
	*ret = sum;
}

int counters_read(int dir, const char *name, enum counters_kind kind, struct counters_file *ret)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	ssize_t n;

	if (!*name || strchr(name, '/'))
		return -EINVAL;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	n = pread(fd, ret, sizeof(*ret), 0);
	if (n < 0)
		return -errno;
	if (n != sizeof(*ret) || !is_ours(&ret->head, kind))
		return -EBADMSG;
	return 0;
}
