/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Discards of a block device. They are an ioctl that blocks, without a
 * counterpart in the io_uring of Linux 6.1, so a thread of its own does them.
 */
#pragma once

#include "storage/queue.h"

struct blkdiscard;

/* Starts no thread yet. @fd: the device, stays open. Returns 0 or -ENOMEM, -EMFILE. */
int blkdiscard_open(int fd, struct io_uring *uring, struct blkdiscard **ret);

/* Ends the thread. Nothing may be in flight. NULL is allowed. */
void blkdiscard_close(struct blkdiscard *d);

/* Start a STORAGE_DISCARD or STORAGE_SECURE_DISCARD; done() runs from uring_reap(). */
void blkdiscard_submit(struct blkdiscard *d, struct storage_op *op);
