/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grants without a hypervisor: the foreign domain's memory is a file that is mapped
 * here, and its grant table is read and marked as Xen does it (xen/grant_table.h).
 */
#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "host.h"
#include "loop-msg.h"

struct host_gnt {
	uint32_t domid;
	int sock; /* our handle, as far as the hub is concerned */

	/* Held for attach, map and unmap; guards mappings and what attach() sets. */
	pthread_mutex_t lock;
	void *mappings; /* tree of struct mapping by address */
	bool attached;

	/* Set once by attach(), read without a lock afterwards. */
	int mem_fd;
	uint64_t mem_size;
	uint8_t *mem; /* all of the domain's memory */
	struct grant_entry_v1 *table;
	uint32_t n_grants;
	struct loop_domain *dom;
	struct loop_pin *own; /* guarded by dom->lock */
};

struct mapping {
	void *addr;
	size_t n;
	bool writable;
	uint32_t refs[];
};

static int compare_mappings(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct mapping *)a)->addr;
	uintptr_t y = (uintptr_t)((const struct mapping *)b)->addr;

	return x < y ? -1 : x > y;
}

static void count(struct host_gnt *gnt, enum loop_stat stat, uint64_t n)
{
	__atomic_add_fetch(&gnt->dom->stat[stat], n, __ATOMIC_RELAXED);
}

/*
 * The hub repairs the pins of whoever died with the lock held, when it sees the
 * descriptor closed; until then they are at most one reference off.
 */
static void lock_pins(struct loop_domain *dom)
{
	if (pthread_mutex_lock(&dom->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&dom->lock);
}

static void unlock_pins(struct loop_domain *dom)
{
	pthread_mutex_unlock(&dom->lock);
}

int host_gnt_open(uint32_t domid, struct host_gnt **ret)
{
	struct host_gnt *gnt = calloc(1, sizeof(*gnt));

	if (!gnt)
		return -ENOMEM;
	gnt->domid = domid;
	gnt->mem_fd = -1;
	gnt->sock = loop_connect(NULL);
	if (gnt->sock < 0) {
		int r = gnt->sock;

		free(gnt);
		return r;
	}
	pthread_mutex_init(&gnt->lock, NULL);
	*ret = gnt;
	return 0;
}

static int map_descriptors(struct host_gnt *gnt, const struct loop_msg *msg, const int fds[])
{
	uint64_t size = msg->arg[0], table = msg->arg[3] << HOST_PAGE_SHIFT;
	uint64_t frames = msg->arg[4];
	void *mem = MAP_FAILED, *dom = MAP_FAILED, *own = MAP_FAILED;

	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0 || frames == 0 || frames > LOOP_MAX_FRAMES ||
	    table > size || size - table < frames << HOST_PAGE_SHIFT)
		return -EIO;
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	dom = mmap(NULL, sizeof(struct loop_domain), PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	own = mmap(NULL, sizeof(struct loop_pin) * LOOP_MAX_GRANTS, PROT_READ | PROT_WRITE,
		   MAP_SHARED, fds[2], 0);
	if (mem == MAP_FAILED || dom == MAP_FAILED || own == MAP_FAILED) {
		if (mem != MAP_FAILED)
			munmap(mem, size);
		if (dom != MAP_FAILED)
			munmap(dom, sizeof(struct loop_domain));
		if (own != MAP_FAILED)
			munmap(own, sizeof(struct loop_pin) * LOOP_MAX_GRANTS);
		return -ENOMEM;
	}
	gnt->mem = mem;
	gnt->mem_size = size;
	gnt->table = (struct grant_entry_v1 *)(gnt->mem + table);
	gnt->n_grants = (uint32_t)frames * (HOST_PAGE_SIZE / sizeof(struct grant_entry_v1));
	gnt->dom = dom;
	gnt->own = own;
	return 0;
}

/*
 * Get the domain's memory. Not done by open(), because a handle may be opened before
 * the domain exists.
 */
static int attach(struct host_gnt *gnt)
{
	struct loop_msg msg = { .op = LOOP_GNT_ATTACH, .domid = gnt->domid };
	int fds[LOOP_MAX_FDS], r = 0;

	if (__atomic_load_n(&gnt->attached, __ATOMIC_ACQUIRE))
		return 0;
	pthread_mutex_lock(&gnt->lock);
	if (gnt->attached)
		goto out;
	r = loop_call(gnt->sock, &msg, fds);
	if (r < 0) {
		r = -EIO;
		goto out;
	}
	r = map_descriptors(gnt, &msg, fds);
	if (r == 0) {
		gnt->mem_fd = fds[0];
		fds[0] = -1;
		__atomic_store_n(&gnt->attached, true, __ATOMIC_RELEASE);
	}
	loop_close_fds(fds);
out:
	pthread_mutex_unlock(&gnt->lock);
	return r;
}

static void free_mapping(void *p)
{
	struct mapping *m = p;

	munmap(m->addr, m->n << HOST_PAGE_SHIFT);
	free(m);
}

void host_gnt_close(struct host_gnt *gnt)
{
	if (!gnt)
		return;
	/* Closing the socket makes the hub drop every pin of this handle. */
	tdestroy(gnt->mappings, free_mapping);
	close(gnt->sock);
	if (gnt->attached) {
		munmap(gnt->mem, gnt->mem_size);
		munmap(gnt->dom, sizeof(*gnt->dom));
		munmap(gnt->own, sizeof(*gnt->own) * LOOP_MAX_GRANTS);
		close(gnt->mem_fd);
	}
	pthread_mutex_destroy(&gnt->lock);
	free(gnt);
}

static void change(struct loop_pin *pin, bool writable, int by)
{
	uint16_t *n = writable ? &pin->writers : &pin->readers;

	__atomic_store_n(n, (uint16_t)(*n + by), __ATOMIC_SEQ_CST);
}

/*
 * Check a grant and mark it in use, as Xen's grant mapping does: flags and domain id
 * change in one step, so that the guest cannot withdraw the grant in between.
 * Returns the frame number or a negative errno.
 */
static int64_t mark(struct host_gnt *gnt, uint32_t ref, bool writable)
{
	uint32_t bits = GTF_reading | (writable ? GTF_writing : 0), old;
	/* struct grant_entry_v1 begins with flags and domid, 16 bits each */
	uint32_t *word = (uint32_t *)(void *)&gnt->table[ref];
	struct loop_pin *sum = &gnt->dom->pin[ref];
	uint64_t frame;

	old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	do {
		if ((old & GTF_type_mask) != GTF_permit_access || old >> 16 != LOOP_HOST_DOMID)
			return -EINVAL;
		if (writable && (old & GTF_readonly))
			return -EACCES;
	} while (!__atomic_compare_exchange_n(word, &old, old | bits, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));

	frame = __atomic_load_n(&gnt->table[ref].frame, __ATOMIC_SEQ_CST);
	if ((frame + 1) << HOST_PAGE_SHIFT > gnt->mem_size) {
		if (!sum->readers && !sum->writers)
			__atomic_and_fetch(word, ~bits, __ATOMIC_SEQ_CST);
		return -EINVAL;
	}
	return (int64_t)frame;
}

/*
 * The process may die at any instruction, and the hub then repairs what stands in own: so
 * that is the first to be written and the last to be taken back, here and in unpin().
 * Caller holds dom->lock. Returns the frame number or a negative errno.
 */
static int64_t pin(struct host_gnt *gnt, uint32_t ref, bool writable)
{
	struct loop_pin *sum, *own;
	int64_t frame;

	if (ref >= gnt->n_grants)
		return -EINVAL;
	sum = &gnt->dom->pin[ref];
	own = &gnt->own[ref];
	if (sum->readers == UINT16_MAX || sum->writers == UINT16_MAX)
		return -ENOMEM;
	change(own, writable, 1);
	frame = mark(gnt, ref, writable);
	if (frame < 0)
		change(own, writable, -1);
	else
		change(sum, writable, 1);
	return frame;
}

/* Caller holds dom->lock. */
static void unpin(struct host_gnt *gnt, uint32_t ref, bool writable)
{
	struct loop_pin *sum = &gnt->dom->pin[ref];
	uint32_t *word = (uint32_t *)(void *)&gnt->table[ref];
	uint32_t clear = 0;

	change(sum, writable, -1);
	if (!sum->writers)
		clear |= GTF_writing;
	if (!sum->writers && !sum->readers)
		clear |= GTF_reading;
	__atomic_and_fetch(word, ~clear, __ATOMIC_SEQ_CST);
	change(&gnt->own[ref], writable, -1);
}

/* Map frames as pages from @addr on; neighbours in one go. */
static int map_frames(struct host_gnt *gnt, void *addr, const int64_t *frames, size_t n, int prot)
{
	size_t i = 0;

	while (i < n) {
		size_t run = 1;

		while (i + run < n && frames[i + run] == frames[i] + (int64_t)run)
			run++;
		if (mmap((uint8_t *)addr + (i << HOST_PAGE_SHIFT), run << HOST_PAGE_SHIFT, prot,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, gnt->mem_fd,
			 frames[i] << HOST_PAGE_SHIFT) == MAP_FAILED)
			return -ENOMEM;
		i += run;
	}
	return 0;
}

int host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret)
{
	bool writable = prot & PROT_WRITE;
	struct mapping *m = NULL;
	int64_t *frames = NULL;
	void *addr = MAP_FAILED;
	size_t pinned = 0;
	int r;

	if (n == 0 || n > LOOP_MAX_GRANTS)
		return -EINVAL;
	r = attach(gnt);
	if (r < 0)
		return r;
	m = malloc(sizeof(*m) + n * sizeof(m->refs[0]));
	frames = malloc(n * sizeof(*frames));
	addr = mmap(NULL, n << HOST_PAGE_SHIFT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!m || !frames || addr == MAP_FAILED) {
		r = -ENOMEM;
		goto out;
	}
	*m = (struct mapping){ .addr = addr, .n = n, .writable = writable };
	memcpy(m->refs, refs, n * sizeof(m->refs[0]));

	lock_pins(gnt->dom);
	for (; pinned < n && r == 0; pinned++) {
		frames[pinned] = gnt->dom->dead ? -EIO : pin(gnt, m->refs[pinned], writable);
		if (frames[pinned] < 0) {
			r = (int)frames[pinned];
			break;
		}
	}
	unlock_pins(gnt->dom);

	if (r == 0)
		r = map_frames(gnt, addr, frames, n, prot);
	if (r == 0) {
		pthread_mutex_lock(&gnt->lock);
		if (!tsearch(m, &gnt->mappings, compare_mappings))
			r = -ENOMEM;
		pthread_mutex_unlock(&gnt->lock);
	}
	if (r < 0) {
		lock_pins(gnt->dom);
		while (pinned > 0)
			unpin(gnt, m->refs[--pinned], writable);
		unlock_pins(gnt->dom);
		goto out;
	}
	count(gnt, LOOP_STAT_MAP_CALLS, 1);
	count(gnt, LOOP_STAT_MAPS, n);
	*ret = addr;
out:
	free(frames);
	if (r < 0) {
		free(m);
		if (addr != MAP_FAILED)
			munmap(addr, n << HOST_PAGE_SHIFT);
	}
	return r;
}

int host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n)
{
	struct mapping key = { .addr = addr }, *m = NULL, **node;

	pthread_mutex_lock(&gnt->lock);
	node = tfind(&key, &gnt->mappings, compare_mappings);
	if (node && (*node)->n == n) {
		m = *node;
		tdelete(&key, &gnt->mappings, compare_mappings);
	}
	pthread_mutex_unlock(&gnt->lock);
	if (!m)
		return -EINVAL;

	munmap(addr, n << HOST_PAGE_SHIFT);
	lock_pins(gnt->dom);
	for (size_t i = 0; i < n; i++)
		unpin(gnt, m->refs[i], m->writable);
	unlock_pins(gnt->dom);
	count(gnt, LOOP_STAT_UNMAP_CALLS, 1);
	count(gnt, LOOP_STAT_UNMAPS, n);
	free(m);
	return 0;
}

/* Xen copies with the grant pinned, so the guest cannot take the page back meanwhile. */
static void copy_some(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n)
{
	int64_t frames[64];

	lock_pins(gnt->dom);
	for (size_t i = 0; i < n; i++) {
		struct host_gnt_copy *p = &pieces[i];

		if (gnt->dom->dead)
			frames[i] = -EIO;
		else if (p->len == 0 || p->offset + (uint32_t)p->len > HOST_PAGE_SIZE)
			frames[i] = -EINVAL;
		else
			frames[i] = pin(gnt, p->ref, p->to_guest);
		p->status = (int16_t)(frames[i] < 0 ? frames[i] : 0);
	}
	unlock_pins(gnt->dom);

	for (size_t i = 0; i < n; i++) {
		struct host_gnt_copy *p = &pieces[i];
		uint8_t *page;

		if (frames[i] < 0)
			continue;
		page = gnt->mem + ((uint64_t)frames[i] << HOST_PAGE_SHIFT) + p->offset;
		if (p->to_guest)
			memcpy(page, p->local, p->len);
		else
			memcpy(p->local, page, p->len);
	}

	lock_pins(gnt->dom);
	for (size_t i = 0; i < n; i++) {
		if (frames[i] >= 0)
			unpin(gnt, pieces[i].ref, pieces[i].to_guest);
	}
	unlock_pins(gnt->dom);
}

int host_gnt_copy(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n)
{
	const size_t batch = 64;
	int r = attach(gnt);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i += batch)
		copy_some(gnt, pieces + i, n - i < batch ? n - i : batch);
	count(gnt, LOOP_STAT_COPY_CALLS, 1);
	count(gnt, LOOP_STAT_COPIES, n);
	return 0;
}
