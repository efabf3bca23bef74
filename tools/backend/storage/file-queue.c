/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O on regular files and block devices. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "storage/blkdiscard.h"
#include "storage/queue.h"

struct file_queue {
	struct storage_queue base;
	const struct storage_image *image;
	struct io_uring *uring;
	struct blkdiscard *blkdiscard; /* block devices only */
};

static void submit(struct storage_queue *queue, struct storage_op *op);

/* What is left of a read that ended at the end of the file reads as zeroes. */
static void fill_zero(struct storage_op *op)
{
	for (unsigned int i = 0; i < op->iovcnt; i++)
		memset(op->iov[i].iov_base, 0, op->iov[i].iov_len);
}

/* Leave in @op what is still to be done after the first @n bytes. */
static void advance(struct storage_op *op, size_t n)
{
	op->offset += n;
	op->length -= n;
	while (n) {
		if (n < op->iov->iov_len) {
			op->iov->iov_base = (char *)op->iov->iov_base + n;
			op->iov->iov_len -= n;
			return;
		}
		n -= op->iov->iov_len;
		op->iov++;
		op->iovcnt--;
	}
}

static void completed(struct uring_op *uring, int32_t res)
{
	struct storage_op *op =
		(struct storage_op *)((char *)uring - offsetof(struct storage_op, uring));
	struct file_queue *q = (struct file_queue *)op->queue;
	bool data = op->type == STORAGE_READ || op->type == STORAGE_WRITE;

	if (res == -EAGAIN || res == -EINTR) {
		submit(&q->base, op);
		return;
	}
	if (res < 0 || !data) {
		op->done(op, res < 0 ? res : 0);
		return;
	}
	if ((uint64_t)res >= op->length) {
		op->done(op, 0);
		return;
	}

	advance(op, (size_t)res);
	if (op->type == STORAGE_WRITE && res == 0) {
		op->done(op, -ENOSPC);
	} else if (op->type == STORAGE_READ &&
		   (res == 0 || (q->image->direct && op->offset % q->image->dio_align))) {
		/* the end of the file; direct I/O stops inside a block nowhere else */
		fill_zero(op);
		op->done(op, 0);
	} else {
		submit(&q->base, op);
	}
}

static void submit(struct storage_queue *queue, struct storage_op *op)
{
	struct file_queue *q = (struct file_queue *)queue;
	struct io_uring_sqe *sqe;
	int fd = q->image->fd;

	op->queue = queue;
	op->uring.complete = completed;

	if (q->blkdiscard && (op->type == STORAGE_DISCARD || op->type == STORAGE_SECURE_DISCARD)) {
		blkdiscard_submit(q->blkdiscard, op);
		return;
	}
	if (op->type == STORAGE_SECURE_DISCARD) {
		op->done(op, -EOPNOTSUPP);
		return;
	}

	sqe = uring_get(q->uring);
	switch (op->type) {
	case STORAGE_READ:
		if (op->iovcnt == 1)
			io_uring_prep_read(sqe, fd, op->iov->iov_base, op->iov->iov_len,
					   op->offset);
		else
			io_uring_prep_readv(sqe, fd, op->iov, op->iovcnt, op->offset);
		break;
	case STORAGE_WRITE:
		if (op->iovcnt == 1)
			io_uring_prep_write(sqe, fd, op->iov->iov_base, op->iov->iov_len,
					    op->offset);
		else
			io_uring_prep_writev(sqe, fd, op->iov, op->iovcnt, op->offset);
		break;
	case STORAGE_FLUSH:
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
		break;
	default:
		io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)op->offset, (off_t)op->length);
		break;
	}
	io_uring_sqe_set_data(sqe, &op->uring);
}

static void file_queue_close(struct storage_queue *queue)
{
	struct file_queue *q = (struct file_queue *)queue;

	blkdiscard_close(q->blkdiscard);
	free(q);
}

static const struct storage_queue_ops file_queue_ops = {
	.submit = submit,
	.close = file_queue_close,
};

int file_queue_open(const struct storage_image *image, struct io_uring *uring,
		    struct storage_queue **ret)
{
	struct file_queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->base.ops = &file_queue_ops;
	q->image = image;
	q->uring = uring;
	if (image->is_block && image->can_discard) {
		r = blkdiscard_open(image->fd, uring, &q->blkdiscard);
		if (r < 0) {
			free(q);
			return r;
		}
	}
	*ret = &q->base;
	return 0;
}
