// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <dirent.h>
#include <cmocka.h>

#include "lib/fdpass.h"

struct message {
	uint32_t a, b;
};

static int make_pair(void **state)
{
	static int sv[2];

	*state = sv;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv);
}

static int close_pair(void **state)
{
	int *sv = *state;

	close(sv[0]);
	close(sv[1]);
	return 0;
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_round_trip(void **state)
{
	int *sv = *state, fds[3], got[4] = { -1, -1, -1, -1 };
	struct message m = { 1, 2 }, r = { 0 };
	struct stat sent, received;
	size_t n = 9;

	for (int i = 0; i < 3; i++)
		fds[i] = open(i == 0   ? "/dev/null"
			      : i == 1 ? "/dev/zero"
				       : "/",
			      O_RDONLY | O_CLOEXEC);
	assert_int_equal(fdpass_send(sv[0], &m, sizeof(m), fds, 3), 0);
	assert_int_equal(fdpass_recv(sv[1], &r, sizeof(r), got, 4, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(&m, &r, sizeof(m));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fstat(fds[i], &sent), 0);
		assert_int_equal(fstat(got[i], &received), 0);
		assert_int_equal(sent.st_ino, received.st_ino);
		assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
		close(got[i]);
	}
	assert_int_equal(fdpass_send(sv[0], &m, sizeof(m), NULL, 0), 0);
	assert_int_equal(fdpass_recv(sv[1], &r, sizeof(r), NULL, 0, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fdpass_recv(sv[1], &r, sizeof(r), NULL, 0, &n), -EAGAIN);
}

static void test_most(void **state)
{
	int *sv = *state, fds[FDPASS_MAX + 1], got[FDPASS_MAX];
	struct message m = { 1, 2 }, r;
	size_t n;

	for (size_t i = 0; i < FDPASS_MAX + 1; i++)
		fds[i] = STDERR_FILENO;
	assert_int_equal(fdpass_send(sv[0], &m, sizeof(m), fds, FDPASS_MAX + 1), -EINVAL);
	assert_int_equal(fdpass_send(sv[0], &m, sizeof(m), fds, FDPASS_MAX), 0);
	assert_int_equal(fdpass_recv(sv[1], &r, sizeof(r), got, FDPASS_MAX, &n), 0);
	assert_int_equal(n, FDPASS_MAX);
	for (size_t i = 0; i < n; i++)
		close(got[i]);
}

/* Whatever a peer sends, nothing stays open behind an error. */
static void test_refused(void **state)
{
	int *sv = *state, fds[2] = { STDERR_FILENO, STDERR_FILENO }, got[2];
	struct message m = { 1, 2 }, r = { 3, 4 };
	char big[64] = "";
	size_t before, n = 7;

	assert_int_equal(fdpass_send(sv[0], &m, sizeof(m) - 1, fds, 2), 0);
	assert_int_equal(fdpass_send(sv[0], big, sizeof(big), fds, 2), 0);
	assert_int_equal(fdpass_send(sv[0], &m, sizeof(m), fds, 2), 0);
	before = open_fds();
	assert_int_equal(fdpass_recv(sv[1], &r, sizeof(r), got, 2, &n), -EBADMSG); /* short */
	assert_int_equal(fdpass_recv(sv[1], &r, sizeof(r), got, 2, &n), -EBADMSG); /* long */
	assert_int_equal(fdpass_recv(sv[1], &r, sizeof(r), got, 1, &n), -EBADMSG); /* descriptors */
	assert_int_equal(n, 7);
	assert_int_equal(open_fds(), before);
}

static void test_closed(void **state)
{
	int *sv = *state;
	struct message m = { 1, 2 };
	size_t n;

	close(sv[0]);
	assert_int_equal(fdpass_recv(sv[1], &m, sizeof(m), NULL, 0, &n), -ECONNRESET);
	assert_int_equal(fdpass_send(sv[1], &m, sizeof(m), NULL, 0), -EPIPE);
	sv[0] = dup(sv[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_most, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_refused, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_closed, make_pair, close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
