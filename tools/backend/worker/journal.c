/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/crashpoint.h"

/* Everything before is stored before everything after, as a dead process leaves it. */
#define ORDER() atomic_signal_fence(memory_order_seq_cst)

#define STORE(field, value)                                                                        \
	do {                                                                                       \
		ORDER();                                                                           \
		*(volatile __typeof__(field) *)&(field) = (value);                                 \
		ORDER();                                                                           \
		crash_point();                                                                     \
	} while (0)

static size_t ring_size(uint32_t slots)
{
	size_t size = sizeof(struct journal_ring) + (size_t)slots * sizeof(struct journal_slot);

	return (size + 4095) & ~(size_t)4095;
}

static struct journal_ring *ring_at(const struct journal *j, uint32_t number)
{
	return (void *)((char *)j->map + JOURNAL_HEADER_SIZE + number * ring_size(j->slots));
}

_Static_assert(sizeof(struct journal_header) <= JOURNAL_HEADER_SIZE, "journal header");
_Static_assert(sizeof(struct journal_slot) % 8 == 0, "journal slot");
_Static_assert(sizeof(struct journal_ring) % 8 == 0, "journal ring");

bool journal_exists(int fd)
{
	uint64_t magic;

	return pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) && magic == JOURNAL_MAGIC;
}

static int map_file(struct journal *j, int fd, uint32_t rings, uint32_t slots)
{
	size_t size = JOURNAL_HEADER_SIZE + rings * ring_size(slots);
	void *map;

	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*j = (struct journal){ .map = map, .size = size, .rings = rings, .slots = slots };
	return 0;
}

int journal_create(struct journal *j, int fd, const struct journal_identity *identity,
		   uint32_t slots, const uint32_t *first)
{
	size_t size = JOURNAL_HEADER_SIZE + identity->rings * ring_size(slots);
	struct journal_header *header;
	int r;

	/* drops the old contents: what follows starts from zeroes */
	if (ftruncate(fd, 0) < 0)
		return -errno;
	r = posix_fallocate(fd, 0, (off_t)size);
	if (r)
		return -r;
	r = map_file(j, fd, identity->rings, slots);
	if (r < 0)
		return r;

	header = j->map;
	header->version = JOURNAL_VERSION;
	header->slots = slots;
	header->identity = *identity;
	for (uint32_t i = 0; i < identity->rings; i++) {
		struct journal_ring *ring = ring_at(j, i);

		ring->magic = JOURNAL_RING_MAGIC;
		ring->number = i;
		ring->req_cons = first[i];
		ring->rsp_prod = first[i];
		ring->rsp_intent = first[i];
	}
	STORE(header->magic, JOURNAL_MAGIC);
	return 0;
}

static int refuse(const char **ret_why, int error, const char *why)
{
	*ret_why = why;
	return error;
}

int journal_open(struct journal *j, int fd, const struct journal_identity *identity, uint32_t slots,
		 const char **ret_why)
{
	struct journal_header header;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return refuse(ret_why, -errno, "cannot be read");
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return refuse(ret_why, -EBADMSG, "is cut short");
	if (header.magic != JOURNAL_MAGIC)
		return refuse(ret_why, -EBADMSG, "has no journal header");
	if (header.version != JOURNAL_VERSION)
		return refuse(ret_why, -EBADMSG, "is of another version");
	if (header.identity.domid != identity->domid)
		return refuse(ret_why, -ESTALE, "is of another domain");
	if (header.slots != slots || header.identity.rings != identity->rings ||
	    header.identity.ring_pages != identity->ring_pages ||
	    header.identity.abi != identity->abi)
		return refuse(ret_why, -ESTALE, "is of a connection with other rings");
	if (memcmp(&header.identity, identity, sizeof(*identity)))
		return refuse(ret_why, -ESTALE,
			      "is of a connection with other ring references or event channels");
	if ((uint64_t)st.st_size < JOURNAL_HEADER_SIZE + identity->rings * ring_size(slots))
		return refuse(ret_why, -EBADMSG, "is cut short");

	r = map_file(j, fd, identity->rings, slots);
	if (r < 0)
		return refuse(ret_why, r, "cannot be mapped");
	for (uint32_t i = 0; i < j->rings; i++) {
		if (ring_at(j, i)->magic == JOURNAL_RING_MAGIC && ring_at(j, i)->number == i)
			continue;
		journal_close(j);
		return refuse(ret_why, -EBADMSG, "has a damaged ring header");
	}
	return 0;
}

void journal_close(struct journal *j)
{
	if (j->map)
		munmap(j->map, j->size);
	*j = (struct journal){ 0 };
}

void journal_wipe(struct journal *j)
{
	struct journal_header *header = j->map;

	if (header)
		STORE(header->magic, 0);
}

void journal_get_ring(const struct journal *j, uint32_t number, struct journal_view *ret)
{
	*ret = (struct journal_view){ .ring = ring_at(j, number), .slots = j->slots };
}

static int by_seq(const void *a, const void *b, void *arg)
{
	const struct journal_ring *ring = arg;
	uint64_t x = ring->slot[((const struct journal_entry *)a)->slot].seq;
	uint64_t y = ring->slot[((const struct journal_entry *)b)->slot].seq;

	return (x > y) - (x < y);
}

int journal_recover(struct journal_view *v, uint32_t shared_rsp_prod, uint32_t shared_req_prod,
		    struct journal_entry *ret, uint32_t *ret_n, const char **ret_why)
{
	struct journal_ring *ring = v->ring;
	uint32_t req_cons = ring->req_cons;
	uint32_t n = 0;

	if (shared_rsp_prod != ring->rsp_prod && shared_rsp_prod != ring->rsp_intent)
		return refuse(ret_why, -EBADMSG, "does not agree with the ring's response index");
	if (req_cons - shared_rsp_prod > v->slots)
		return refuse(ret_why, -EBADMSG, "has a request index that cannot be");
	if (shared_req_prod - shared_rsp_prod > v->slots ||
	    shared_req_prod - shared_rsp_prod < req_cons - shared_rsp_prod)
		return refuse(ret_why, -EBADMSG, "does not agree with the ring's request index");

	/* judge first and change nothing until all of it makes sense */
	for (uint32_t i = 0; i < v->slots; i++) {
		const struct journal_slot *slot = &ring->slot[i];

		switch (slot->state) {
		case JOURNAL_FREE:
			continue;
		case JOURNAL_ACTIVE:
			if ((int32_t)(slot->index - req_cons) >= 0)
				continue; /* not consumed */
			break;
		case JOURNAL_DONE:
			break;
		case JOURNAL_ANSWERING:
			if ((int32_t)(slot->rsp_index - shared_rsp_prod) < 0)
				continue; /* answered */
			break;
		default:
			return refuse(ret_why, -EBADMSG, "has a slot in no known state");
		}
		ret[n++] =
			(struct journal_entry){ .slot = i, .done = slot->state != JOURNAL_ACTIVE };
		if (slot->seq > v->seq)
			v->seq = slot->seq;
	}
	if (n != req_cons - shared_rsp_prod)
		return refuse(ret_why, -EBADMSG,
			      "has another number of open requests than its indices");
	qsort_r(ret, n, sizeof(*ret), by_seq, ring);

	/*
	 * Free what is over while rsp_prod and rsp_intent still tell which that is,
	 * so that a crash in between leaves the same picture to the next.
	 */
	for (uint32_t i = 0; i < v->slots; i++) {
		struct journal_slot *slot = &ring->slot[i];

		if ((slot->state == JOURNAL_ACTIVE && (int32_t)(slot->index - req_cons) >= 0) ||
		    (slot->state == JOURNAL_ANSWERING &&
		     (int32_t)(slot->rsp_index - shared_rsp_prod) < 0))
			STORE(slot->state, JOURNAL_FREE);
		else if (slot->state == JOURNAL_ANSWERING)
			STORE(slot->state, JOURNAL_DONE);
	}
	STORE(ring->rsp_prod, shared_rsp_prod);
	STORE(ring->rsp_intent, shared_rsp_prod);
	*ret_n = n;
	return 0;
}

void journal_record(struct journal_view *v, uint32_t slot, uint32_t index,
		    const uint8_t request[static ABI_MAX_SLOT])
{
	struct journal_slot *s = &v->ring->slot[slot];

	memcpy(s->request, request, sizeof(s->request));
	s->index = index;
	s->seq = ++v->seq;
	STORE(s->state, JOURNAL_ACTIVE);
}

void journal_consumed(struct journal_view *v, uint32_t req_cons)
{
	STORE(v->ring->req_cons, req_cons);
}

void journal_answering(struct journal_view *v, uint32_t slot, int32_t status, uint32_t rsp_index)
{
	struct journal_slot *s = &v->ring->slot[slot];

	s->status = status;
	s->rsp_index = rsp_index;
	STORE(s->state, JOURNAL_ANSWERING);
}

void journal_intent(struct journal_view *v, uint32_t rsp_prod)
{
	STORE(v->ring->rsp_intent, rsp_prod);
}

void journal_published(struct journal_view *v)
{
	STORE(v->ring->rsp_prod, v->ring->rsp_intent);
}

void journal_free(struct journal_view *v, uint32_t slot)
{
	STORE(v->ring->slot[slot].state, JOURNAL_FREE);
}
