/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches of packets over sockets and over a real tap: each packet once, in order, with its
 * own result. Built twice: as it is, and with a RWF_NOWAIT that every kernel refuses, so that
 * requests wait and are cancelled as on a kernel that cannot do without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tap-batch.h"
#include "net/tap.h"

#define ROOM      2048u
#define PATIENCE  20000 /* ms */
#define RACE      20000u
#define ETHERTYPE 0x88b5
#define TAP_NAME  "batch0"

static struct tap_batch *batch;
static int ours = -1, theirs = -1;
static uint8_t buf[TAP_BATCH_MAX][ROOM];
static struct tap_packet packet[TAP_BATCH_MAX];

/* What does not work: */
static int init_error;
static bool submit_fails, wait_fails;

int __real_io_uring_queue_init(unsigned int n, struct io_uring *r, unsigned int flags);
int __wrap_io_uring_queue_init(unsigned int n, struct io_uring *r, unsigned int flags);
int __real_io_uring_submit(struct io_uring *r);
int __wrap_io_uring_submit(struct io_uring *r);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *r, struct io_uring_cqe **cqe,
					    unsigned int n, struct __kernel_timespec *ts,
					    sigset_t *mask);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *r, struct io_uring_cqe **cqe,
					    unsigned int n, struct __kernel_timespec *ts,
					    sigset_t *mask);

int __wrap_io_uring_queue_init(unsigned int n, struct io_uring *r, unsigned int flags)
{
	return init_error ?: __real_io_uring_queue_init(n, r, flags);
}

int __wrap_io_uring_submit(struct io_uring *r)
{
	return submit_fails ? -EAGAIN : __real_io_uring_submit(r);
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *r, struct io_uring_cqe **cqe,
					    unsigned int n, struct __kernel_timespec *ts,
					    sigset_t *mask)
{
	return wait_fails ? -ETIME : __real_io_uring_submit_and_wait_timeout(r, cqe, n, ts, mask);
}

static void make_batch(void)
{
	assert_int_equal(tap_batch_new(&batch), 0);
}

static void pair(int sndbuf)
{
	int fd[2];

	make_batch();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd),
			 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)),
				 0);
	ours = fd[0];
	theirs = fd[1];
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int tear_down(void **state)
{
	(void)state;
	submit_fails = wait_fails = false;
	init_error = 0;
	tap_batch_free(batch);
	batch = NULL;
	close_one(&ours);
	close_one(&theirs);
	return 0;
}

/* Packet @seq, told by its bytes. */
static size_t fill(uint8_t *p, uint32_t seq, size_t size)
{
	memset(p, (int)(seq * 7 & 0xff), size);
	memset(p, 0, TAP_HEADER);
	memcpy(p + TAP_HEADER, &seq, sizeof(seq));
	return size;
}

static void check(const uint8_t *p, ssize_t n, uint32_t seq, size_t size)
{
	static uint8_t should[ROOM];

	assert_int_equal(n, size);
	fill(should, seq, size);
	assert_memory_equal(p, should, size);
}

static size_t size_of(uint32_t seq)
{
	return 20 + seq % 5 * 400;
}

static void room(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		packet[i] = (struct tap_packet){ .buf = buf[i], .size = ROOM, .result = -1 };
}

static void to_write(uint32_t seq, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		packet[i] = (struct tap_packet){
			.buf = buf[i],
			.size = fill(buf[i], seq + i, size_of(seq + i)),
			.result = -1,
		};
}

static void send_one(uint32_t seq, size_t size)
{
	uint8_t p[ROOM];

	assert_int_equal(write(theirs, p, fill(p, seq, size)), size);
}

/* Packets from @seq on are all that is at the other end. */
static void expect(uint32_t seq, unsigned int n)
{
	uint8_t p[ROOM];

	for (unsigned int i = 0; i < n; i++)
		check(p, read(theirs, p, sizeof(p)), seq + i, size_of(seq + i));
	assert_int_equal(read(theirs, p, sizeof(p)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_write(void **state)
{
	uint32_t seq = 0;

	(void)state;
	pair(1 << 20);
	for (unsigned int n = 1; n <= TAP_BATCH_MAX; n++) {
		to_write(seq, n);
		assert_int_equal(tap_batch_write(batch, ours, packet, n), n);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(packet[i].result, 0);
		expect(seq, n);
		seq += n;
	}
#ifdef TAP_BATCH_NOWAIT
	assert_false(tap_batch_never_waits(batch));
#endif
}

/* No room for a large one: the small ones behind it do not overtake it. */
static void test_write_full(void **state)
{
	uint32_t seq = 0;

	(void)state;
	pair(16384);
	while (seq < 400) {
		unsigned int done;

		to_write(seq, TAP_BATCH_MAX);
		done = tap_batch_write(batch, ours, packet, TAP_BATCH_MAX);
		assert_in_range(done, 1, TAP_BATCH_MAX - 1);
		assert_int_equal(packet[done].result, -EAGAIN);
		for (unsigned int i = 0; i < done; i++)
			assert_int_equal(packet[i].result, 0);
		/* still full, and still nothing is sent */
		to_write(seq + done, TAP_BATCH_MAX);
		if (size_of(seq + done) > 1000) {
			assert_int_equal(tap_batch_write(batch, ours, packet, TAP_BATCH_MAX), 0);
			assert_int_equal(packet[0].result, -EAGAIN);
		}
		expect(seq, done);
		seq += done;
	}
}

/* One that cannot be sent is about that one. */
static void test_write_oversize(void **state)
{
	static uint8_t large[1 << 16];

	(void)state;
	pair(16384);
	for (unsigned int at = 0; at < 6; at++) {
		to_write(0, 6);
		packet[at].buf = large;
		packet[at].size = sizeof(large);
		assert_int_equal(tap_batch_write(batch, ours, packet, 6), 6);
		for (unsigned int i = 0; i < 6; i++) {
			uint8_t p[ROOM];

			assert_int_equal(packet[i].result, i == at ? -EMSGSIZE : 0);
			if (i != at)
				check(p, read(theirs, p, sizeof(p)), i, size_of(i));
		}
		expect(0, 0);
	}
}

static void test_gone(void **state)
{
	int end = 0;

	(void)state;
	pair(1 << 20);
	for (uint32_t i = 0; i < 3; i++)
		send_one(i, size_of(i));
	close_one(&theirs);
	room(8);
	assert_int_equal(tap_batch_read(batch, ours, packet, 8, &end), 3);
	assert_int_equal(end, -EPIPE);
	for (uint32_t i = 0; i < 3; i++)
		check(packet[i].buf, packet[i].result, i, size_of(i));
	to_write(0, 8);
	assert_int_equal(tap_batch_write(batch, ours, packet, 8), 0);
	assert_int_equal(packet[0].result, -EPIPE);
}

static void test_read(void **state)
{
	uint32_t seq = 0, got = 0;
	int end;

	(void)state;
	pair(1 << 20);
	for (unsigned int n = 0; n <= TAP_BATCH_MAX; n++) {
		for (unsigned int i = 0; i < n; i++, seq++)
			send_one(seq, size_of(seq));
		for (unsigned int want = 16, left = n;;) {
			unsigned int r, should = left < want ? left : want;

			room(want);
			r = tap_batch_read(batch, ours, packet, want, &end);
			assert_int_equal(r, should);
			assert_int_equal(end, should < want ? -EAGAIN : 0);
			for (unsigned int i = 0; i < r; i++, got++)
				check(packet[i].buf, packet[i].result, got, size_of(got));
			left -= r;
			if (r < want)
				break;
		}
		assert_int_equal(got, seq);
	}
	/* every buffer is still there, once */
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int n = 0;

		for (unsigned int k = 0; k < 16; k++)
			n += packet[k].buf == buf[i];
		assert_int_equal(n, 1);
	}
}

static void test_read_oversize(void **state)
{
	static const size_t sizes[] = { 60, ROOM, TAP_HEADER, 100, ROOM + 1, ROOM - 1 };
	static uint8_t p[2 * ROOM];
	int end;

	(void)state;
	pair(1 << 20);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(write(theirs, p, sizes[i]), sizes[i]);
	room(8);
	assert_int_equal(tap_batch_read(batch, ours, packet, 8, &end), 6);
	assert_int_equal(end, -EAGAIN);
	for (unsigned int i = 0; i < 6; i++) {
		bool well = sizes[i] > TAP_HEADER && sizes[i] < ROOM;

		assert_int_equal(packet[i].result, well ? (int)sizes[i] : -EMSGSIZE);
	}
}

/* Now and then it pauses, so that the reader comes to an empty tap. */
static void *send_race(void *arg)
{
	int to = *(int *)arg;
	unsigned int seed = 1;

	for (uint32_t seq = 0; seq < RACE;) {
		unsigned int burst = (unsigned int)rand_r(&seed) % 12;
		struct pollfd p = { .fd = to, .events = POLLOUT };
		uint8_t data[ROOM];

		while (burst-- && seq < RACE) {
			size_t size = fill(data, seq, 100);

			memcpy(data + TAP_HEADER + 12, (uint8_t[]){ 0x88, 0xb5 }, 2);
			memcpy(data + TAP_HEADER + 14, &seq, sizeof(seq));
			memset(data + TAP_HEADER, 2, 12);
			/* a packet socket has no header before a frame */
			if (arg == &ours ? write(to, data + TAP_HEADER, size - TAP_HEADER) < 0
					 : write(to, data, size) < 0) {
				if (errno != EAGAIN || poll(&p, 1, PATIENCE) <= 0)
					return "cannot send";
				continue;
			}
			seq++;
		}
		for (unsigned int i = (unsigned int)rand_r(&seed) % 400; i; i--)
			__asm__ volatile("" ::: "memory");
		if (rand_r(&seed) % 8 == 0)
			sched_yield();
	}
	return NULL;
}

/* Read what send_race() sends by @fd. */
static void read_race(int fd)
{
	unsigned int empty = 0;
	uint32_t seq = 0;
	int end;

	while (seq < RACE) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		unsigned int n = 1 + empty % 8;

		room(n);
		n = tap_batch_read(batch, fd, packet, n, &end);
		for (unsigned int i = 0; i < n; i++) {
			const uint8_t *frame = (uint8_t *)packet[i].buf + TAP_HEADER;
			uint32_t is;

			/* the kernel has things of its own to say */
			if (frame[12] != 0x88 || frame[13] != 0xb5)
				continue;
			memcpy(&is, frame + 14, sizeof(is));
			assert_int_equal(is, seq);
			assert_int_equal(packet[i].result, 100);
			seq++;
		}
		assert_true(end == 0 || end == -EAGAIN);
		empty += end == -EAGAIN;
		/* mostly look again at once, into what comes just now */
		if (end == -EAGAIN && empty % 16 == 0 && seq < RACE)
			assert_true(poll(&p, 1, PATIENCE) > 0);
	}
	room(4);
	assert_int_equal(tap_batch_read(batch, fd, packet, 4, &end), 0);
	assert_int_equal(end, -EAGAIN);
	assert_false(tap_batch_broken(batch));
}

static void test_read_race(void **state)
{
	pthread_t thread;
	void *error;

	(void)state;
	pair(1 << 18);
	assert_int_equal(pthread_create(&thread, NULL, send_race, &theirs), 0);
	read_race(ours);
	pthread_join(thread, &error);
	assert_null(error);
}

static void *receive_race(void *arg)
{
	struct pollfd p = { .fd = theirs, .events = POLLIN };
	unsigned int seed = 2;

	(void)arg;
	for (uint32_t seq = 0; seq < RACE; seq++) {
		uint8_t data[ROOM], should[ROOM];
		ssize_t n;

		while ((n = read(theirs, data, sizeof(data))) < 0) {
			if (errno != EAGAIN || poll(&p, 1, PATIENCE) <= 0)
				return "nothing comes";
		}
		fill(should, seq, size_of(seq));
		if ((size_t)n != size_of(seq) || memcmp(data, should, (size_t)n) != 0)
			return "another packet";
		if (rand_r(&seed) % 16 == 0)
			sched_yield();
	}
	return read(theirs, &seed, sizeof(seed)) < 0 ? NULL : "one too many";
}

static void test_write_race(void **state)
{
	unsigned int full = 0;
	pthread_t thread;
	uint32_t seq = 0;
	void *error;

	(void)state;
	pair(16384);
	assert_int_equal(pthread_create(&thread, NULL, receive_race, NULL), 0);
	while (seq < RACE) {
		unsigned int n = RACE - seq < 16 ? RACE - seq : 16, done;
		struct pollfd p = { .fd = ours, .events = POLLOUT };

		to_write(seq, n);
		done = tap_batch_write(batch, ours, packet, n);
		seq += done;
		if (done == n)
			continue;
		assert_int_equal(packet[done].result, -EAGAIN);
		if (full++ % 16 == 0)
			assert_true(poll(&p, 1, PATIENCE) > 0);
	}
	pthread_join(thread, &error);
	if (error)
		fail_msg("%s", (char *)error);
	assert_false(tap_batch_broken(batch));
}

static void test_no_uring(void **state)
{
	(void)state;
	init_error = -EPERM;
	assert_int_equal(tap_batch_new(&batch), -EPERM);
	assert_null(batch);
}

/* The io_uring takes nothing any more: everything is sent all the same, once. */
static void test_submit_fails(void **state)
{
	int end = -1;

	(void)state;
	pair(1 << 20);
	to_write(0, 8);
	assert_int_equal(tap_batch_write(batch, ours, packet, 8), 8);
	submit_fails = true;
	to_write(8, 8);
	unsigned int done = tap_batch_write(batch, ours, packet, 8);

	assert_true(tap_batch_broken(batch));
	to_write(8 + done, 8 - done);
	assert_int_equal(tap_batch_write(batch, ours, packet, 8 - done), 8 - done);
	expect(0, 16);
	send_one(5, 50);
	room(8);
	assert_int_equal(tap_batch_read(batch, ours, packet, 8, &end), 0);
	assert_int_equal(end, 0);
	assert_int_equal(tap_read(ours, buf, ROOM), 50);
}

#ifdef TAP_BATCH_NOWAIT
/* Requests that never come back. */
static void test_wait_fails(void **state)
{
	int end = -1;

	(void)state;
	pair(1 << 20);
	wait_fails = true;
	send_one(0, 50);
	room(8);
	assert_int_equal(tap_batch_read(batch, ours, packet, 8, &end), 1);
	check(packet[0].buf, packet[0].result, 0, 50);
	assert_true(tap_batch_broken(batch));
	to_write(0, 8);
	assert_int_equal(tap_batch_write(batch, ours, packet, 8), 8);
	expect(0, 8);
}
#endif

static void set_queue(int sock, int packets)
{
	struct ifreq ifr = { .ifr_qlen = packets };

	strcpy(ifr.ifr_name, TAP_NAME);
	assert_int_equal(ioctl(sock, SIOCSIFTXQLEN, &ifr), 0);
}

/* A tap, and a socket on it: @ret_sock. */
static int make_tap(int *ret_sock)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE) };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), size = 1 << 20;

	assert_true(fd >= 0);
	strcpy(ifr.ifr_name, TAP_NAME);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(tap_setup(fd, &(struct offload_caps){ 0 }, 0), 0);
	*ret_sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETHERTYPE));
	assert_true(*ret_sock >= 0);
	assert_int_equal(ioctl(*ret_sock, SIOCGIFINDEX, &ifr), 0);
	at.sll_ifindex = ifr.ifr_ifindex;
	assert_int_equal(bind(*ret_sock, (struct sockaddr *)&at, sizeof(at)), 0);
	setsockopt(*ret_sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	set_queue(*ret_sock, 2 * RACE);
	return fd;
}

static void set_up_link(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };
	socklen_t size = sizeof(int);
	int error;

	strcpy(ifr.ifr_name, TAP_NAME);
	assert_int_equal(ioctl(ours, SIOCSIFFLAGS, &ifr), 0);
	/* that it was down is told once */
	assert_int_equal(getsockopt(ours, SOL_SOCKET, SO_ERROR, &error, &size), 0);
}

/* Frames with our ethertype. */
static void frames(unsigned int n)
{
	to_write(0, n);
	for (unsigned int i = 0; i < n; i++) {
		packet[i].size = 100;
		memset(buf[i] + TAP_HEADER, 2, 12);
		memcpy(buf[i] + TAP_HEADER + 12, (uint8_t[]){ 0x88, 0xb5, (uint8_t)i }, 3);
	}
}

static void test_tap(void **state)
{
	struct pollfd p = { .events = POLLIN };
	pthread_t thread;
	void *error;
	int end;

	(void)state;
	make_batch();
	theirs = make_tap(&ours);
	p.fd = ours;

	/* down: that is about each packet, and no more */
	frames(8);
	assert_int_equal(tap_batch_write(batch, theirs, packet, 8), 8);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(packet[i].result, -EIO);
	room(8);
	assert_int_equal(tap_batch_read(batch, theirs, packet, 8, &end), 0);
	assert_int_equal(end, -EAGAIN);

	set_up_link();
	frames(TAP_BATCH_MAX);
	/* too short to be a frame */
	packet[7].size = TAP_HEADER + 5;
	assert_int_equal(tap_batch_write(batch, theirs, packet, TAP_BATCH_MAX), TAP_BATCH_MAX);
	for (unsigned int i = 0; i < TAP_BATCH_MAX; i++) {
		uint8_t got[ROOM];

		assert_int_equal(packet[i].result, i == 7 ? -EINVAL : 0);
		if (i == 7)
			continue;
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		assert_int_equal(recv(ours, got, sizeof(got), 0), 100 - TAP_HEADER);
		assert_int_equal(got[14], i);
	}

	assert_int_equal(pthread_create(&thread, NULL, send_race, &ours), 0);
	read_race(theirs);
	pthread_join(thread, &error);
	assert_null(error);

	/* what does not fit its queue is lost, and the rest comes as it was sent */
	set_queue(ours, 20);
	for (unsigned int i = 0; i < 60; i++) {
		uint8_t data[100];

		fill(data, 0, sizeof(data));
		memset(data, 2, 12);
		memcpy(data + 12, (uint8_t[]){ 0x88, 0xb5, (uint8_t)i }, 3);
		(void)!write(ours, data, sizeof(data));
	}
	for (unsigned int next = 0, n;; next += n) {
		room(16);
		n = tap_batch_read(batch, theirs, packet, 16, &end);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(((uint8_t *)packet[i].buf)[TAP_HEADER + 14], next + i);
		if (end) {
			assert_int_equal(end, -EAGAIN);
			assert_int_equal(next + n, 20);
			break;
		}
	}

	if (system("ip link del " TAP_NAME) != 0) {
		print_message("no ip to delete it with\n");
		return;
	}
	frames(4);
	assert_int_equal(tap_batch_write(batch, theirs, packet, 4), 0);
	assert_int_equal(packet[0].result, -EPIPE);
	room(4);
	assert_int_equal(tap_batch_read(batch, theirs, packet, 4, &end), 0);
	assert_int_equal(end, -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_write, tear_down),
		cmocka_unit_test_teardown(test_write_full, tear_down),
		cmocka_unit_test_teardown(test_write_oversize, tear_down),
		cmocka_unit_test_teardown(test_gone, tear_down),
		cmocka_unit_test_teardown(test_read, tear_down),
		cmocka_unit_test_teardown(test_read_oversize, tear_down),
		cmocka_unit_test_teardown(test_read_race, tear_down),
		cmocka_unit_test_teardown(test_write_race, tear_down),
		cmocka_unit_test_teardown(test_no_uring, tear_down),
		cmocka_unit_test_teardown(test_submit_fails, tear_down),
#ifdef TAP_BATCH_NOWAIT
		cmocka_unit_test_teardown(test_wait_fails, tear_down),
#endif
		cmocka_unit_test_teardown(test_tap, tear_down),
	};

	int r = tap_batch_new(&batch);

	if (r < 0) {
		fprintf(stderr, "needs an io_uring: %s\n", strerror(-r));
		return 77;
	}
	tap_batch_free(batch);
	batch = NULL;
	/* a namespace of its own, for the tap */
	if (unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		perror("needs root and /dev/net/tun, for a tap");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
