/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the guest's pages and the storage: grant copy, mapping, or persistent mapping. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/io/blkif.h>

#include "worker/io.h"

static size_t seg_offset(const struct request_segment *seg)
{
	return seg->first * ABI_SECTOR_SIZE;
}

static size_t seg_bytes(const struct request_segment *seg)
{
	return (seg->last - seg->first + 1u) * ABI_SECTOR_SIZE;
}

void transfer_copy(struct queue *q)
{
	struct copy_batch *b = &q->copy;
	int r;

	if (!b->n)
		return;
	r = host_gnt_copy(q->config.gnt, b->piece, b->n);
	STAT_ADD(q, grant_copies, 1);
	for (size_t i = 0; i < b->n; i++) {
		int error = r < 0 ? r : b->piece[i].status;

		if (error && !b->owner[i]->error)
			b->owner[i]->error = error;
	}
	b->n = 0;
}

static void add_piece(struct io *io, uint32_t gref, size_t offset, size_t len, void *local,
		      bool to_guest)
{
	struct copy_batch *b = &io->queue->copy;

	if (b->n == COPY_BATCH)
		transfer_copy(io->queue);
	b->owner[b->n] = io;
	b->piece[b->n++] = (struct host_gnt_copy){
		.ref = gref,
		.offset = (uint16_t)offset,
		.len = (uint16_t)len,
		.local = local,
		.to_guest = to_guest,
	};
}

static void copy_segments(struct io *io, bool to_guest)
{
	char *p = io->buffer;

	for (unsigned int i = 0; i < io->req.nr_segments; i++) {
		const struct request_segment *seg = &io->segs[i];

		add_piece(io, seg->gref, seg_offset(seg), seg_bytes(seg), p, to_guest);
		p += seg_bytes(seg);
	}
}

/* Between the buffer and pages that are mapped for good, which need no hypercall. */
static void move_segments(struct io *io, void *const *addr, bool to_guest)
{
	char *p = io->buffer;

	for (unsigned int i = 0; i < io->req.nr_segments; i++) {
		const struct request_segment *seg = &io->segs[i];
		char *page = (char *)addr[i] + seg_offset(seg);

		memcpy(to_guest ? page : p, to_guest ? p : page, seg_bytes(seg));
		p += seg_bytes(seg);
	}
}

void transfer_copy_out(struct io *io)
{
	void *addr[ABI_MAX_SEGMENTS];

	if (io->req.data_op != BLKIF_OP_READ || !io->buffer)
		return;
	if (io->kind == TRANSFER_COPY) {
		copy_segments(io, true);
	} else {
		persistent_addresses(io->page, io->req.nr_segments, addr);
		move_segments(io, addr, true);
	}
}

void transfer_descriptors(struct io *io)
{
	size_t left = io->req.nr_segments * (size_t)ABI_SEGMENT_SIZE;
	uint8_t *p = io->descriptors;

	for (unsigned int i = 0; left; i++) {
		size_t n = left < HOST_PAGE_SIZE ? left : HOST_PAGE_SIZE;

		add_piece(io, io->req.indirect_refs[i], 0, n, p, false);
		p += n;
		left -= n;
	}
}

/* Add one stretch of memory, joining it to the last when it follows on. */
static void add_iov(struct io *io, void *base, size_t len)
{
	struct iovec *last = io->iovcnt ? &io->iov[io->iovcnt - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == base)
		last->iov_len += len;
	else
		io->iov[io->iovcnt++] = (struct iovec){ .iov_base = base, .iov_len = len };
}

/*
 * Pages of the guest are never handed to direct I/O, which holds them from the
 * submission until some time after its completion was seen. An unmap that finds them
 * held is put off by the kernel: the guest, told of the end, finds a page still mapped
 * and gives the disk up; and in a PV domain, or when a worker is killed meanwhile, the
 * mapping is torn down behind gntdev's back and can never be undone.
 */
static bool needs_buffer(const struct io *io)
{
	return io->queue->config.image->direct;
}

static int get_buffer(struct io *io)
{
	io->buffer = buffers_get(&io->queue->buffers, io->bytes);
	if (!io->buffer)
		return -ENOMEM;
	io->iovcnt = 0;
	add_iov(io, io->buffer, io->bytes);
	return 0;
}

static int begin_copy(struct io *io)
{
	int r = get_buffer(io);

	if (r < 0)
		return r;
	io->kind = TRANSFER_COPY;
	if (io->req.data_op == BLKIF_OP_WRITE)
		copy_segments(io, false);
	return 0;
}

static int begin_map(struct io *io)
{
	struct queue *q = io->queue;
	int prot = io->req.data_op == BLKIF_OP_READ ? PROT_READ | PROT_WRITE : PROT_READ;
	uint32_t gref[ABI_MAX_SEGMENTS];
	int r;

	for (unsigned int i = 0; i < io->req.nr_segments; i++)
		gref[i] = io->segs[i].gref;
	r = host_gnt_map(q->config.gnt, gref, io->req.nr_segments, prot, &io->map);
	if (r < 0)
		return r;
	STAT_ADD(q, grant_maps, 1);
	io->kind = TRANSFER_MAP;
	for (unsigned int i = 0; i < io->req.nr_segments; i++)
		add_iov(io, (char *)io->map + (size_t)i * HOST_PAGE_SIZE + seg_offset(&io->segs[i]),
			seg_bytes(&io->segs[i]));
	return 0;
}

static void count_persistent(struct queue *q)
{
	const struct persistent_stats *s = &q->persistent.stats;

	STAT_ADD(q, persistent_hits, s->hits);
	STAT_ADD(q, grant_maps, s->maps);
	STAT_ADD(q, grant_unmaps, s->unmaps);
	q->persistent.stats = (struct persistent_stats){ 0 };
}

static int begin_persistent(struct io *io)
{
	struct queue *q = io->queue;
	uint32_t gref[ABI_MAX_SEGMENTS];
	void *addr[ABI_MAX_SEGMENTS];
	int r;

	for (unsigned int i = 0; i < io->req.nr_segments; i++)
		gref[i] = io->segs[i].gref;
	r = persistent_get(&q->persistent, gref, io->req.nr_segments, io->page, addr);
	count_persistent(q);
	if (r < 0)
		return r;
	if (needs_buffer(io)) {
		r = get_buffer(io);
		if (r < 0) {
			persistent_put(&q->persistent, io->page, io->req.nr_segments);
			return r;
		}
		io->kind = TRANSFER_PERSISTENT;
		if (io->req.data_op == BLKIF_OP_WRITE)
			move_segments(io, addr, false);
		return 0;
	}
	io->kind = TRANSFER_PERSISTENT;
	for (unsigned int i = 0; i < io->req.nr_segments; i++)
		add_iov(io, (char *)addr[i] + seg_offset(&io->segs[i]), seg_bytes(&io->segs[i]));
	return 0;
}

bool transfer_has_room(const struct io *io)
{
	return buffers_have_room(&io->queue->buffers, io->req.nr_sectors * ABI_SECTOR_SIZE);
}

int transfer_begin(struct io *io)
{
	struct queue *q = io->queue;

	io->bytes = io->req.nr_sectors * ABI_SECTOR_SIZE;
	io->iovcnt = 0;
	if (!q->no_zero_copy) {
		if (q->config.persistent && begin_persistent(io) == 0)
			return 0;
		if (!needs_buffer(io) && io->bytes > q->config.copy_max && begin_map(io) == 0)
			return 0;
	}
	/* also when mapping failed: a bad reference then fails the copy, with its reason */
	return begin_copy(io);
}

static void release_pages(struct io *io)
{
	struct queue *q = io->queue;

	if (io->kind == TRANSFER_MAP) {
		host_gnt_unmap(q->config.gnt, io->map, io->req.nr_segments);
		STAT_ADD(q, grant_unmaps, 1);
		io->map = NULL;
	} else if (io->kind == TRANSFER_PERSISTENT) {
		persistent_put(&q->persistent, io->page, io->req.nr_segments);
	}
}

int transfer_bounce(struct io *io)
{
	int r;

	release_pages(io);
	io->kind = TRANSFER_NONE;
	io->queue->no_zero_copy = true;
	io->error = 0;
	r = begin_copy(io);
	if (r < 0)
		return r;
	transfer_copy(io->queue);
	return io->error;
}

void transfer_end(struct io *io)
{
	release_pages(io);
	buffers_put(&io->queue->buffers, io->buffer, io->bytes);
	io->buffer = NULL;
	io->kind = TRANSFER_NONE;
	free(io->more);
	io->more = NULL;
}
