/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "hub.h"

#define OWN_SIZE (sizeof(struct loop_pin) * LOOP_MAX_GRANTS)

static void *shared_memory(const char *name, size_t size, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	*ret_fd = fd;
	return p;
}

int gnttab_make_record(uint32_t domid, int *ret_fd, struct loop_domain **ret)
{
	struct loop_domain *record = shared_memory("loop-domain", sizeof(*record), ret_fd);
	pthread_mutexattr_t attr;

	if (!record)
		return -ENOMEM;
	record->domid = domid;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&record->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	*ret = record;
	return 0;
}

void gnttab_attach(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *dom = domain_find(hub, msg->domid);
	struct loop_msg answer = *msg;

	if (!dom || !(dom->flags & LOOP_DOM_REGISTERED) || (dom->flags & LOOP_DOM_DEAD)) {
		hub_answer(conn, msg, -ESRCH);
		return;
	}
	if (conn->own) {
		hub_answer(conn, msg, -EBUSY);
		return;
	}
	conn->own = shared_memory("loop-pins", OWN_SIZE, &conn->own_fd);
	if (!conn->own) {
		hub_answer(conn, msg, -ENOMEM);
		return;
	}
	conn->gnt_dom = domain_get(dom);
	answer.result = 0;
	answer.arg[0] = dom->mem_size;
	answer.arg[1] = dom->shared_gfn;
	answer.arg[3] = dom->gnt_gfn;
	answer.arg[4] = dom->gnt_frames;
	hub_send(conn, &answer, (int[]){ dom->mem_fd, dom->record_fd, conn->own_fd }, 3);
}

static struct grant_entry_v1 *grant_table(struct hub_domain *dom)
{
	return (struct grant_entry_v1 *)(void *)(dom->mem + (dom->gnt_gfn << 12));
}

/*
 * Take back what a handle held. Its process may have died at any instruction, so the
 * sums are computed anew from the handles that are left.
 */
void gnttab_close_conn(struct hub *hub, struct hub_conn *conn)
{
	struct hub_domain *dom = conn->gnt_dom;
	struct hub_conn *other;
	uint32_t n;

	if (!conn->own)
		return;
	n = (uint32_t)dom->gnt_frames * (4096 / sizeof(struct grant_entry_v1));
	if (pthread_mutex_lock(&dom->record->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&dom->record->lock);
	for (uint32_t ref = 0; ref < n; ref++) {
		struct loop_pin sum = { 0 };
		uint16_t clear = 0;

		if (!conn->own[ref].readers && !conn->own[ref].writers)
			continue;
		TAILQ_FOREACH (other, &hub->conns, link) {
			if (other == conn || !other->own || other->gnt_dom != dom)
				continue;
			sum.readers += other->own[ref].readers;
			sum.writers += other->own[ref].writers;
		}
		dom->record->pin[ref] = sum;
		if (!sum.writers)
			clear |= GTF_writing;
		if (!sum.writers && !sum.readers)
			clear |= GTF_reading;
		__atomic_and_fetch(&grant_table(dom)[ref].flags, (uint16_t)~clear,
				   __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&dom->record->lock);

	munmap(conn->own, OWN_SIZE);
	close(conn->own_fd);
	conn->own = NULL;
	conn->gnt_dom = NULL;
	domain_put(hub, dom);
}

uint32_t gnttab_pinned(struct hub_domain *dom)
{
	uint32_t n = 0;

	for (uint32_t ref = 0; ref < LOOP_MAX_GRANTS; ref++)
		n += dom->record->pin[ref].readers || dom->record->pin[ref].writers;
	return n;
}
