// SPDX-License-Identifier: GPL-2.0-or-later
#include "frozen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "rundir.h"

/* Changes with the layout, so that an upgraded agent does not misread it. */
#define MAGIC 0x787a6601

static const struct frozen none = { .dir = -1, .lock = -1 };

static size_t size_of(uint32_t n)
{
	return sizeof(struct frozen_table) + n * sizeof(struct frozen_entry);
}

static int map(struct frozen *frozen, int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	frozen->table = memory;
	frozen->size = size;
	return 0;
}

static int create_file(struct frozen *frozen, size_t size)
{
	frozen->dir = rundir_open(true);
	if (frozen->dir < 0)
		return frozen->dir;
	/* A new file: processes that are left of an earlier freeze may have the old one. */
	if (unlinkat(frozen->dir, FROZEN_FILE, 0) < 0 && errno != ENOENT)
		return -errno;
	frozen->lock = openat(frozen->dir, FROZEN_FILE,
			      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* Without room the memory could not be written to later. */
	if (frozen->lock < 0 || fallocate(frozen->lock, 0, 0, (off_t)size) < 0 ||
	    flock(frozen->lock, LOCK_SH) < 0)
		return -errno;
	return map(frozen, frozen->lock, size);
}

int frozen_create(uint32_t n, struct frozen *ret, int *ret_kept)
{
	struct frozen frozen = none;
	int r;

	*ret_kept = create_file(&frozen, size_of(n));
	if (*ret_kept < 0) {
		frozen_remove(&frozen);
		frozen_clear(&frozen);
		r = map(&frozen, -1, size_of(n));
		if (r < 0)
			return r;
	}
	frozen.table->magic = MAGIC;
	frozen.table->n = n;
	*ret = frozen;
	return 0;
}

static int load(struct frozen *frozen)
{
	struct stat st;
	uint32_t n;
	int r;

	frozen->dir = rundir_open(false);
	if (frozen->dir < 0)
		return frozen->dir;
	r = frozen_reopen(frozen);
	if (r < 0)
		return r;
	if (fstat(frozen->lock, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)size_of(0) ||
	    st.st_size > (off_t)size_of(FROZEN_MAX))
		return -EBADMSG;
	r = map(frozen, frozen->lock, (size_t)st.st_size);
	if (r < 0)
		return r;
	n = frozen->table->n;
	if (frozen->table->magic != MAGIC || n > FROZEN_MAX || frozen->size < size_of(n))
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		if (!memchr(frozen->table->entries[i].target, '\0', PATH_MAX))
			return -EBADMSG;
	return 0;
}

int frozen_load(struct frozen *ret)
{
	struct frozen frozen = none;
	int r = load(&frozen);

	if (r == -EBADMSG)
		frozen_remove(&frozen); /* once told is enough */
	if (r < 0) {
		frozen_clear(&frozen);
		return r;
	}
	*ret = frozen;
	return 0;
}

void frozen_remove(const struct frozen *frozen)
{
	struct stat own, there;

	if (frozen->lock >= 0 && fstat(frozen->lock, &own) >= 0 &&
	    fstatat(frozen->dir, FROZEN_FILE, &there, AT_SYMLINK_NOFOLLOW) >= 0 &&
	    own.st_ino == there.st_ino)
		(void)unlinkat(frozen->dir, FROZEN_FILE, 0);
}

int frozen_reopen(struct frozen *frozen)
{
	close_fd(&frozen->lock);
	frozen->lock =
		openat(frozen->dir, FROZEN_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return frozen->lock < 0 ? -errno : 0;
}

bool frozen_is_ours(const struct frozen *frozen, bool wait)
{
	int r;

	if (frozen->lock < 0)
		return true;
	do {
		r = flock(frozen->lock, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
	} while (r < 0 && errno == EINTR);
	return r >= 0 || errno != EWOULDBLOCK;
}

uint32_t frozen_count(const struct frozen *frozen, enum frozen_state state)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < frozen->table->n; i++)
		n += atomic_load(&frozen->table->entries[i].state) == state;
	return n;
}

uint32_t frozen_first(const struct frozen *frozen)
{
	uint32_t i = 0;

	while (i < frozen->table->n && atomic_load(&frozen->table->entries[i].state) == FROZEN_NOT)
		i++;
	return i;
}

bool frozen_change(struct frozen_entry *entry, enum frozen_state from, enum frozen_state to)
{
	uint32_t expected = from;

	return atomic_compare_exchange_strong(&entry->state, &expected, to);
}

void frozen_clear(struct frozen *frozen)
{
	if (frozen->table)
		(void)munmap(frozen->table, frozen->size);
	close_fd(&frozen->lock);
	close_fd(&frozen->dir);
	*frozen = none;
}
