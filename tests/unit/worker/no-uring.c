/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel without io_uring. */
#include <errno.h>
#include <liburing.h>

int __wrap_io_uring_queue_init(unsigned int n, struct io_uring *ring, unsigned int flags);
int __wrap_io_uring_queue_init(unsigned int n, struct io_uring *ring, unsigned int flags)
{
	(void)n, (void)ring, (void)flags;
	return -ENOSYS;
}
