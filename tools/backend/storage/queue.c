/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/queue.h"

#include <errno.h>

int storage_queue_open(const struct storage_image *image, struct io_uring *uring,
		       struct storage_queue **ret)
{
	switch (image->kind) {
	case STORAGE_FILE:
		return file_queue_open(image, uring, ret);
	default:
		return -EOPNOTSUPP;
	}
}
