/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O on files: whole, in pieces, past the end, aligned and not, discarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/queue.h"

static char dir[64];
static char path[128];
static struct storage_image image;
static struct io_uring uring;
static struct storage_queue *queue;
static int outstanding;
static int last_result;

static void done(struct storage_op *op, int result)
{
	(void)op;
	outstanding--;
	last_result = result;
}

static void open_image(bool direct, bool readonly)
{
	const struct storage_params p = {
		.path = path, .direct = direct, .readonly = readonly, .discard = true
	};
	char error[256];

	if (storage_open(&p, &image, error, sizeof(error)) < 0)
		fail_msg("%s", error);
	assert_int_equal(uring_init(&uring, 4), 0);
	assert_int_equal(storage_queue_open(&image, &uring, &queue), 0);
}

static void close_image(void)
{
	storage_queue_close(queue);
	io_uring_queue_exit(&uring);
	close(image.fd);
}

static void await(void)
{
	while (outstanding) {
		assert_int_equal(uring_wait(&uring, 10000), 0);
		assert_true(uring_reap(&uring) > 0);
	}
}

static int io(enum storage_op_type type, uint64_t offset, struct iovec *iov, unsigned int n)
{
	struct storage_op op = {
		.type = type, .offset = offset, .iov = iov, .iovcnt = n, .done = done
	};

	for (unsigned int i = 0; i < n; i++)
		op.length += iov[i].iov_len;
	outstanding++;
	storage_queue_submit(queue, &op);
	await();
	return last_result;
}

static int discard(enum storage_op_type type, uint64_t offset, uint64_t length)
{
	struct storage_op op = { .type = type, .offset = offset, .length = length, .done = done };

	outstanding++;
	storage_queue_submit(queue, &op);
	await();
	return last_result;
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/var/tmp/test-storage-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/image", dir);
	close(creat(path, 0600));
	return truncate(path, 1 << 20);
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void round_trip(bool direct)
{
	uint8_t *a = aligned_alloc(4096, 16384), *b = aligned_alloc(4096, 16384);
	struct iovec iov[3];

	open_image(direct, false);
	for (unsigned int i = 0; i < 16384; i++)
		a[i] = (uint8_t)(i * 13 + i / 256);
	iov[0] = (struct iovec){ a, 4096 };
	iov[1] = (struct iovec){ a + 4096, 512 };
	iov[2] = (struct iovec){ a + 8192, 8192 };
	assert_int_equal(io(STORAGE_WRITE, 512, iov, 3), 0);
	iov[0] = (struct iovec){ b, 4096 + 512 + 8192 };
	memset(b, 0, 16384);
	assert_int_equal(io(STORAGE_READ, 512, iov, 1), 0);
	assert_memory_equal(b, a, 4096 + 512);
	assert_memory_equal(b + 4096 + 512, a + 8192, 8192);
	assert_int_equal(discard(STORAGE_FLUSH, 0, 0), 0);

	assert_int_equal(discard(STORAGE_DISCARD, 4096, 4096), 0);
	assert_int_equal(discard(STORAGE_SECURE_DISCARD, 4096, 4096), -EOPNOTSUPP);
	iov[0] = (struct iovec){ b, 4096 };
	assert_int_equal(io(STORAGE_READ, 4096, iov, 1), 0);
	for (unsigned int i = 0; i < 4096; i++)
		assert_int_equal(b[i], 0);
	close_image();
	free(a);
	free(b);
}

static void test_round_trip(void **state)
{
	(void)state;
	round_trip(true);
	round_trip(false);
}

/* The file shrank under us: what it does not have is zeroes, also in the middle of an iovec. */
static void short_file(bool direct)
{
	uint8_t *b = aligned_alloc(4096, 16384);
	struct iovec iov[2] = { { b, 8192 }, { b + 8192, 8192 } };

	open_image(direct, false);
	assert_int_equal(truncate(path, 4096 + 700), 0);
	memset(b, 0xff, 16384);
	assert_int_equal(io(STORAGE_READ, 0, iov, 2), 0);
	for (unsigned int i = 4096 + 700; i < 16384; i++)
		assert_int_equal(b[i], 0);
	iov[0] = (struct iovec){ b, 4096 };
	memset(b, 0xff, 4096);
	assert_int_equal(io(STORAGE_READ, 512 << 10, iov, 1), 0);
	for (unsigned int i = 0; i < 4096; i++)
		assert_int_equal(b[i], 0);
	close_image();
	assert_int_equal(truncate(path, 1 << 20), 0);
	free(b);
}

static void test_short_file(void **state)
{
	(void)state;
	short_file(true);
	short_file(false);
}

/* More operations than the submission queue holds. */
static void test_many(void **state)
{
	enum {
		N = 64
	};
	struct storage_op op[N];
	struct iovec iov[N];
	uint8_t *b = aligned_alloc(4096, 4096 * N);

	(void)state;
	open_image(true, false);
	for (unsigned int i = 0; i < N; i++) {
		memset(b + i * 4096, (int)i, 4096);
		iov[i] = (struct iovec){ b + i * 4096, 4096 };
		op[i] = (struct storage_op){ .type = STORAGE_WRITE,
					     .offset = i * 4096,
					     .length = 4096,
					     .iov = &iov[i],
					     .iovcnt = 1,
					     .done = done };
		outstanding++;
		storage_queue_submit(queue, &op[i]);
	}
	await();
	assert_int_equal(last_result, 0);
	for (unsigned int i = 0; i < N; i++) {
		uint8_t one;

		iov[0] = (struct iovec){ b, 4096 };
		assert_int_equal(io(STORAGE_READ, i * 4096, iov, 1), 0);
		one = b[4095];
		assert_int_equal(one, i);
	}
	close_image();
	free(b);
}

static void test_errors(void **state)
{
	uint8_t *b = aligned_alloc(4096, 4096);
	struct iovec iov = { b, 4096 };

	(void)state;
	open_image(true, true);
	assert_int_equal(io(STORAGE_WRITE, 0, &iov, 1), -EBADF);
	iov = (struct iovec){ NULL, 4096 };
	assert_int_equal(io(STORAGE_READ, 0, &iov, 1), -EFAULT);
	close_image();
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_short_file),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
