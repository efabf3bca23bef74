/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thousands of packets through a whole queue, all of them once, in order and unharmed: where
 * several pass the tap in one call, where the kernel lets requests for it wait, and where
 * there is no io_uring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/cleanup.h"
#include "net/tap-batch.h"
#include "vifframe.h"
#include "vifrig.h"

#define PACKETS 6000u
#define ROUNDS  8u
#define PILE    200u /* packets that lie ready at the same time */

static struct vifrig rig;
static struct vifrig_queue *q = &rig.queue[0];
static uint8_t frame[VIFRIG_MAX_FRAME], got[VIFRIG_MAX_FRAME];
static struct vifrig_packet packet;
static unsigned int seed;

static unsigned int below(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

/* Packet @seq; some are larger than a page. */
static size_t make(uint8_t *p, uint32_t seq)
{
	size_t len = seq % 37 == 5 ? 9000 : 60 + seq % 11 * 100;

	for (size_t i = 0; i < len; i++)
		p[i] = vifframe_byte(i + seq);
	memcpy(p, (uint8_t[]){ 0, 0x16, 0x3e, 0, 0, 2, 0, 0x16, 0x3e, 0, 0, 1, 0x88, 0xb5 }, 14);
	memcpy(p + 14, &seq, sizeof(seq));
	return len;
}

static void expect(const uint8_t *p, size_t len, uint32_t seq)
{
	uint32_t is;

	memcpy(&is, p + 14, sizeof(is));
	assert_int_equal(is, seq);
	assert_int_equal(len, make(frame, seq));
	assert_memory_equal(p, frame, len);
}

static void up(const char *worker)
{
	seed = 1;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL });
	vifrig_start_worker(&rig, worker);
	assert_int_equal(vifrig_attach(&rig), 0);
	assert_int_equal(vifrig_connect(&rig, false), 0);
}

static void down(void)
{
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	assert_int_equal(vifrig_mapped(&rig), 0);
	assert_int_equal(vifrig_simple(&rig, WORKER_DETACH), 0);
	assert_false(rig.has_ring_error);
	vifrig_free(&rig);
}

static unsigned int buffers(void)
{
	return q->rx_prod - q->rx_cons;
}

static void post(unsigned int n)
{
	if (n > VIFRIG_SLOTS - buffers())
		n = VIFRIG_SLOTS - buffers();
	if (n)
		vifrig_post_rx(q, n);
}

/* The guest has few buffers, mostly fewer than there are packets. */
static void to_guest(void)
{
	uint32_t sent = 0, seen = 0;

	while (seen < PACKETS) {
		for (unsigned int n = below(40); n && sent < PACKETS && sent - seen < 150; n--) {
			size_t len = make(frame, sent++);

			vifrig_tap_send(q, NULL, frame, len);
		}
		post(1 + below(below(4) ? 6 : 60));
		while (vifrig_take_rx(q, &packet))
			expect(packet.data, packet.len, seen++);
		/* now and then until nothing is left */
		while (sent == PACKETS ? seen < sent : seen < sent && below(8) == 0) {
			post(3);
			vifrig_await_rx(q, &packet);
			expect(packet.data, packet.len, seen++);
		}
	}
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.rx_packets, PACKETS);
	assert_int_equal(rig.stats.rx_dropped, 0);
}

static void put(uint32_t seq)
{
	size_t len = make(frame, seq);
	uint16_t sizes[3];
	unsigned int slots = 0;

	for (size_t left = len; left; left -= sizes[slots++])
		sizes[slots] = (uint16_t)(left < VIFRIG_PAGE ? left : VIFRIG_PAGE);
	vifrig_put_frame(q, frame, len, sizes, slots, 0, NULL, 0);
}

static void take_responses(void)
{
	struct netif_tx_response rsp;
	uint32_t at = q->tx_cons;

	while (vifrig_take_tx(q, &rsp)) {
		assert_int_equal(rsp.id, at++ % VIFRIG_SLOTS);
		assert_int_equal(rsp.status, NETIF_RSP_OKAY);
	}
}

static bool take_from_tap(uint32_t seq, int ms)
{
	struct virtio_net_hdr hdr;
	size_t len;

	if (!vifrig_tap_recv(q, &hdr, got, &len, ms))
		return false;
	expect(got, len, seq);
	return true;
}

/* The tap has room for few packets. */
static void from_guest(void)
{
	uint32_t put_so_far = 0, seen = 0;
	int size = 30000;

	assert_int_equal(setsockopt(q->tap_worker, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (seen < PACKETS) {
		for (unsigned int n = below(100);
		     n && put_so_far < PACKETS && q->tx_prod - q->tx_cons <= VIFRIG_SLOTS - 3; n--)
			put(put_so_far++);
		vifrig_push_tx(q);
		for (unsigned int n = below(60); n && take_from_tap(seen, 0); n--)
			seen++;
		/* nothing may be lost where the guest waits */
		if (put_so_far == PACKETS || q->tx_prod - q->tx_cons > VIFRIG_SLOTS - 3) {
			if (seen < put_so_far) {
				assert_true(take_from_tap(seen, VIFRIG_TIMEOUT));
				seen++;
			}
		}
		take_responses();
	}
	while (q->tx_cons != q->tx_prod) {
		struct netif_tx_response rsp = vifrig_await_tx(q);

		assert_int_equal(rsp.status, NETIF_RSP_OKAY);
	}
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_packets, PACKETS);
	assert_int_equal(rig.stats.tx_dropped + rig.stats.tx_errors, 0);
}

static void both(const char *worker)
{
	up(worker);
	to_guest();
	from_guest();
	down();
}

static void test_usual(void **state)
{
	(void)state;
	both(NULL);
}

static void test_waits(void **state)
{
	(void)state;
	both(WAITS_WORKER);
}

static void test_no_uring(void **state)
{
	(void)state;
	both(NO_URING_WORKER);
}

/* System calls of the worker that read or write. False: not counted here. */
static bool calls(unsigned long *ret)
{
	char path[64], line[128];
	unsigned long n;
	FILE *f;

	*ret = 0;
	snprintf(path, sizeof(path), "/proc/%d/io", rig.worker);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "syscr: %lu", &n) == 1 || sscanf(line, "syscw: %lu", &n) == 1)
			*ret += n;
	}
	if (f)
		fclose(f);
	return *ret > 0;
}

/* Pile packets up, let the worker have them, and see what that took. */
static unsigned long calls_of_piles(const char *worker)
{
	unsigned long before, after;
	uint32_t seq = 0;

	up(worker);
	if (!calls(&before)) {
		print_message("system calls are not counted here\n");
		down();
		skip();
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < PILE; i++) {
			memset(frame, 0, 100);
			memcpy(frame + 14, &seq, sizeof(seq));
			vifrig_tap_send(q, NULL, frame, 100);
			vifrig_put_frame(q, frame, 100, (uint16_t[]){ 100 }, 1, 0, NULL, 0);
			seq++;
		}
		post(VIFRIG_SLOTS);
		vifrig_push_tx(q);
		for (unsigned int i = 0; i < PILE; i++) {
			struct virtio_net_hdr hdr;
			size_t len;

			vifrig_await_rx(q, &packet);
			assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
			assert_memory_equal(got + 14, packet.data + 14, 4);
			vifrig_await_tx(q);
		}
	}
	assert_true(calls(&after));
	down();
	return after - before;
}

static void test_calls(void **state)
{
	struct tap_batch *b;

	(void)state;
	assert_true(calls_of_piles(NO_URING_WORKER) >= ROUNDS * PILE);
	if (tap_batch_new(&b) < 0) {
		print_message("no io_uring to be had\n");
		skip();
	}
	tap_batch_free(b);
	assert_true(calls_of_piles(NULL) < ROUNDS * PILE / 2);
	assert_true(calls_of_piles(WAITS_WORKER) < ROUNDS * PILE / 2);
}

static uint64_t await_stat(const uint64_t *stat, uint64_t least)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int left = VIFRIG_TIMEOUT; left; left--) {
		vifrig_stats(&rig);
		if (*stat >= least)
			break;
		nanosleep(&pause, NULL);
	}
	return *stat;
}

/* What was taken ahead of a guest that stalls is dropped with the rest. */
static void test_stall(void **state)
{
	uint32_t seq = 0;

	(void)state;
	up(CRASH_WORKER);
	/* it learns that several come together */
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 60; i++)
			vifrig_tap_send(q, NULL, frame, make(frame, seq + i));
		for (unsigned int i = 0; i < 60; i++) {
			post(i ? 3 : 20);
			vifrig_await_rx(q, &packet);
			expect(packet.data, packet.len, seq++);
		}
	}
	while (buffers() > 12) {
		vifrig_tap_send(q, NULL, frame, make(frame, 0));
		vifrig_await_rx(q, &packet);
	}
	/* every packet takes at least one */
	for (unsigned int i = 0; i < 80; i++)
		vifrig_tap_send(q, NULL, frame, make(frame, 10000 + i));
	assert_int_equal(await_stat(&rig.stats.rx_stalls, 1), 1);
	await_stat(&rig.stats.rx_dropped, 80 - 12);
	seq = 10000;
	while (vifrig_take_rx(q, &packet))
		expect(packet.data, packet.len, seq++);
	assert_int_equal(await_stat(&rig.stats.rx_dropped, 10080 - seq), 10080 - seq);

	post(100);
	vifrig_tap_send(q, NULL, frame, make(frame, 4711));
	vifrig_await_rx(q, &packet);
	expect(packet.data, packet.len, 4711);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),    cmocka_unit_test(test_waits),
		cmocka_unit_test(test_no_uring), cmocka_unit_test(test_calls),
		cmocka_unit_test(test_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
