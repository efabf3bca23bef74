/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/uring.h"

#include <errno.h>

#define REAP_BATCH 64

int uring_init(struct io_uring *uring, unsigned int entries)
{
	/* best first; -EINVAL means that the kernel does not know a flag */
	static const unsigned int modes[] = {
		/* 6.1 */
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		/* 5.19 */
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int r = -EINVAL;

	for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		r = io_uring_queue_init(entries, uring, modes[i]);
		if (r != -EINVAL)
			break;
	}
	return r;
}

struct io_uring_sqe *uring_get(struct io_uring *uring)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(uring)))
		io_uring_submit(uring);
	return sqe;
}

int uring_submit(struct io_uring *uring)
{
	int r;

	if (!io_uring_sq_ready(uring))
		return 0;
	r = io_uring_submit(uring);
	return r < 0 ? r : 0;
}

int uring_wait(struct io_uring *uring, int timeout_ms)
{
	struct __kernel_timespec ts = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000LL,
	};
	struct io_uring_cqe *cqe;
	int r;

	r = io_uring_submit_and_wait_timeout(uring, &cqe, 1, timeout_ms < 0 ? NULL : &ts, NULL);
	return r < 0 && r != -ETIME && r != -EINTR ? r : 0;
}

unsigned int uring_reap(struct io_uring *uring)
{
	struct io_uring_cqe *cqes[REAP_BATCH];
	struct uring_op *op[REAP_BATCH];
	int32_t res[REAP_BATCH];
	unsigned int n, total = 0;

	do {
		n = io_uring_peek_batch_cqe(uring, cqes, REAP_BATCH);
		/* entries go back before the owners run, since they submit in turn */
		for (unsigned int i = 0; i < n; i++) {
			op[i] = io_uring_cqe_get_data(cqes[i]);
			res[i] = cqes[i]->res;
		}
		io_uring_cq_advance(uring, n);
		for (unsigned int i = 0; i < n; i++)
			op[i]->complete(op[i], res[i]);
		total += n;
	} while (n == REAP_BATCH);
	return total;
}
