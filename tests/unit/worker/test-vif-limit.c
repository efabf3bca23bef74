/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate of an interface, and a guest that takes nothing: counted, not timed. And a worker
 * that waits for the rate, or for nothing any more, sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/cleanup.h"
#include "vifrig.h"
#include "worker/vif-limit.h"

#define MS       UINT64_C(1000000)
#define S        (1000 * MS)

#define STILL_MS 50 /* that the worker needs no processor */

static struct vifrig rig;
static struct vifrig_queue *q = &rig.queue[0];
static uint8_t frame[VIFRIG_MAX_FRAME], got[VIFRIG_MAX_FRAME];
static struct vifrig_packet packet;

/* Bytes that pass from @now on within @ns, in packets of @size, each waiting as told. */
static uint64_t passes(struct vif_limit *l, uint32_t size, uint64_t now, uint64_t ns)
{
	uint64_t end = now + ns, sum = 0;

	for (;;) {
		now += vif_limit_take(l, size, now);
		if (now >= end)
			break;
		sum += size;
	}
	vif_limit_give(l, size);
	return sum;
}

/* Bytes that pass at once. */
static uint64_t at_once(struct vif_limit *l, uint32_t size, uint64_t now)
{
	uint64_t sum = 0;

	while (vif_limit_take(l, size, now) == 0)
		sum += size;
	vif_limit_give(l, size);
	return sum;
}

static void test_arithmetic(void **state)
{
	static const struct {
		uint64_t bytes;
		uint32_t us;
	} rates[] = {
		{ 1, 1000000 },
		{ 1000, 10000000 },
		{ 3125, 50000 },
		{ 6250000, 50000 },
		{ 131072, 1000000 },
		{ 1, 1 },
		{ UINT64_C(10) << 30, 1000000 },
	};
	static const uint32_t sizes[] = { 1, 60, 1514, 65535 };
	struct vif_limit l;

	(void)state;
	for (unsigned int r = 0; r < ELEMENTSOF(rates); r++) {
		for (unsigned int s = 0; s < ELEMENTSOF(sizes); s++) {
			uint64_t burst = rates[r].bytes > 131072 ? rates[r].bytes : 131072;
			uint64_t per_second = rates[r].bytes * 1000000 / rates[r].us;
			uint64_t sum, t = 5 * S;

			/* not more steps than a test may take */
			if (burst / sizes[s] > 200000 || per_second / sizes[s] > 200000)
				continue;
			vif_limit_init(&l, rates[r].bytes, rates[r].us, t);
			sum = at_once(&l, sizes[s], t);
			/* the bucket is full at first */
			assert_true(sum <= burst && sum + sizes[s] > burst);
			sum = passes(&l, sizes[s], t, S);
			/* from then on the rate, to a packet or two */
			assert_true(sum <= per_second + sizes[s]);
			assert_true(sum + 2 * sizes[s] >= per_second);
			/* idle time does not add up beyond the bucket */
			t += 1000000 * S;
			sum = at_once(&l, sizes[s], t);
			assert_true(sum <= burst && sum + sizes[s] > burst);
			/* a clock that stands still or goes back gives nothing */
			assert_true(vif_limit_take(&l, sizes[s], t) > 0);
			assert_true(vif_limit_take(&l, sizes[s], t - S) > 0);
			vif_limit_free(&l);
		}
	}
	vif_limit_init(&l, UINT64_MAX, 1, S);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(vif_limit_take(&l, 65535, S + i * 1000), 0);
	vif_limit_free(&l);
	vif_limit_init(&l, 0, 0, 0);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(vif_limit_take(&l, 65535, 0), 0);
	vif_limit_free(&l);
}

/*
 * Two queues, one of them with nothing but small packets that never have to be waited for: the
 * large one of the other goes as soon as its bytes are there, and both get the rate.
 */
static void test_fair(void **state)
{
	const uint32_t small = 1000, large = 65000;
	struct vif_limit l;
	uint64_t t = S, flood, wait, again;

	(void)state;
	vif_limit_init(&l, 100000, 1000000, t);
	at_once(&l, small, t);
	for (unsigned int i = 0; i < 100; i++) {
		wait = vif_limit_take(&l, large, t);
		/* what it lacks at 100000 bytes a second, and the small one before it */
		assert_in_range(wait, 1, (large + 2 * small) * (S / 100000));
		flood = vif_limit_take(&l, small, t);
		assert_true(flood > wait);
		/* the next one of the flood is no sooner than that */
		t += flood;
		again = vif_limit_take(&l, small, t);
		assert_in_range(again, small * (S / 100000) - 2, small * (S / 100000) + 2);
		t += again;
	}
	/* 100 * (65000 + 2000) bytes */
	assert_in_range(t - S, 66 * S, 68 * S);
	/* what does not go is there for others */
	wait = vif_limit_take(&l, large, t);
	vif_limit_give(&l, large);
	again = vif_limit_take(&l, small, t);
	assert_true(again < wait && again <= small * (S / 100000) + 1);
	/* and no more than the bucket holds */
	t += 1000 * S;
	assert_int_equal(vif_limit_take(&l, small, t), 0);
	vif_limit_give(&l, small);
	vif_limit_give(&l, large);
	assert_int_equal(at_once(&l, small, t), 131000);
	vif_limit_free(&l);
}

static void down(void)
{
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	assert_int_equal(vifrig_mapped(&rig), 0);
	assert_false(rig.has_ring_error);
	vifrig_free(&rig);
}

/* All queues together get what fits into the bucket, and then next to nothing. */
static void test_rate(void **state)
{
	const uint32_t fit = 131072 / 1000;
	const uint16_t size = 1000;
	uint32_t answered = 0;
	struct netif_tx_response rsp;
	struct virtio_net_hdr hdr;
	size_t len;

	(void)state;
	/* 10 bytes a second: the next packet is 100 s away */
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL,
						    .queues = 2,
						    .rate_bytes = 100,
						    .rate_us = 10000000 });
	vifrig_up(&rig, false);
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int n = 0; n < 140; n++)
			vifrig_put_frame(&rig.queue[i], frame, size, &size, 1, 0, NULL, 0);
		vifrig_push_tx(&rig.queue[i]);
	}
	while (answered < fit) {
		for (unsigned int i = 0; i < 2; i++) {
			while (vifrig_take_tx(&rig.queue[i], &rsp)) {
				assert_int_equal(rsp.status, NETIF_RSP_OKAY);
				answered++;
			}
		}
		loopfront_wait(rig.lf, rig.queue[0].where.tx_evtchn, 1);
	}
	do
		vifrig_stats(&rig);
	while (rig.stats.rate_delays < 2);
	assert_int_equal(rig.stats.tx_packets, fit);
	assert_int_equal(rig.stats.tx_bytes, fit * size);
	/* what comes the other way is not limited */
	vifrig_post_rx(q, 1);
	vifrig_tap_send(q, NULL, frame, 1000);
	vifrig_await_rx(q, &packet);
	/* and to wait does not keep it from ending */
	down();

	/* a rate at which everything passes, with waits in between */
	vifrig_init(&rig, &(struct vifrig_options){
				  .features = VIFRIG_ALL, .rate_bytes = 40000, .rate_us = 100000 });
	vifrig_up(&rig, false);
	for (unsigned int n = 0; n < 200; n++)
		vifrig_put_frame(q, frame, size, &size, 1, 0, NULL, 0);
	vifrig_push_tx(q);
	for (unsigned int n = 0; n < 200; n++) {
		assert_int_equal(vifrig_await_tx(q).status, NETIF_RSP_OKAY);
		assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
	}
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_packets, 200);
	assert_true(rig.stats.rate_delays > 0);
	down();

	vifrig_init(&rig, &(struct vifrig_options){ .rate_bytes = 1, .rate_us = 10000001 });
	vifrig_start_worker(&rig, NULL);
	assert_int_equal(vifrig_attach(&rig), -EINVAL);
	vifrig_free(&rig);
}

/* Does each thread of the worker sleep? One that only has no processor does not. */
static bool all_sleep(void)
{
	char path[300], state;
	struct dirent *entry;
	bool all = true;
	DIR *tasks;
	FILE *f;

	(void)!snprintf(path, sizeof(path), "/proc/%d/task", (int)rig.worker);
	tasks = opendir(path);
	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)!snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)rig.worker,
				entry->d_name);
		f = fopen(path, "re");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
		fclose(f);
		all &= state == 'S';
	}
	closedir(tasks);
	return all;
}

static uint64_t processor_time(void)
{
	struct timespec ts;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(rig.worker, &clock), 0);
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * S + (uint64_t)ts.tv_nsec;
}

/* Until the worker sleeps, and sleeps on. */
static void await_asleep(void)
{
	unsigned int tries = VIFRIG_TIMEOUT / STILL_MS;
	uint64_t before;
	bool slept;

	do {
		assert_true(tries-- > 0);
		before = processor_time();
		slept = all_sleep();
		poll(NULL, 0, STILL_MS);
	} while (!slept || !all_sleep() || processor_time() != before);
}

/* Send until a packet is held; none is behind it in the ring. */
static void send_until_held(const uint16_t size)
{
	struct netif_tx_response rsp;
	struct virtio_net_hdr hdr;
	uint64_t before;
	size_t len;

	vifrig_stats(&rig);
	before = rig.stats.rate_delays;
	for (;;) {
		vifrig_put_frame(q, frame, size, &size, 1, 0, NULL, 0);
		vifrig_push_tx(q);
		while (!vifrig_take_tx(q, &rsp)) {
			vifrig_stats(&rig);
			if (rig.stats.rate_delays > before)
				return;
		}
		assert_int_equal(rsp.status, NETIF_RSP_OKAY);
		assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
	}
}

/* A packet that is held, and then is none: refused, and nothing is held any more. */
static void test_held_and_changed(void **state)
{
	const uint16_t size = 1000;
	unsigned int tries = 50;
	struct netif_tx_request bad;
	struct virtio_net_hdr hdr;
	size_t len;

	(void)state;
	/* a packet is held for a quarter of a second at most */
	vifrig_init(&rig, &(struct vifrig_options){
				  .features = VIFRIG_ALL, .rate_bytes = 1000, .rate_us = 250000 });
	vifrig_up(&rig, false);
	for (;;) {
		assert_true(tries-- > 0);
		send_until_held(size);
		/* shorter than any packet, in the same slot */
		bad = (struct netif_tx_request){ .gref = rig.data_ref[0], .size = 5 };
		q->tx_prod--;
		vifrig_put_tx(q, &bad);
		if (vifrig_await_tx(q).status == NETIF_RSP_ERROR)
			break;
		/* it was gone before it could be changed */
		assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
	}
	await_asleep();
	/* and wakes up for the next one */
	vifrig_put_tx(q, &bad);
	vifrig_push_tx(q);
	assert_int_equal(vifrig_await_tx(q).status, NETIF_RSP_ERROR);
	await_asleep();
	down();
}

/* A packet is held, but the tap takes those before it not either: there is no hurry. */
static void test_held_and_blocked(void **state)
{
	const unsigned int fit = 131072 / 1000;
	const uint16_t size = 1000;
	struct virtio_net_hdr hdr;
	int few = 4096;
	size_t len;

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){
				  .features = VIFRIG_ALL, .rate_bytes = 1000, .rate_us = 250000 });
	assert_int_equal(setsockopt(q->tap_worker, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)), 0);
	vifrig_up(&rig, false);
	for (unsigned int n = 0; n <= fit; n++)
		vifrig_put_frame(q, frame, size, &size, 1, 0, NULL, 0);
	vifrig_push_tx(q);
	do
		vifrig_stats(&rig);
	while (rig.stats.rate_delays < 1);
	/* until its time has come for certain */
	poll(NULL, 0, 250);
	await_asleep();
	vifrig_stats(&rig);
	assert_true(rig.stats.tx_packets < fit);
	for (unsigned int n = 0; n <= fit; n++) {
		assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
		assert_int_equal(vifrig_await_tx(q).status, NETIF_RSP_OKAY);
	}
	await_asleep();
	down();
}

/* A guest that gives no buffers: a packet waits, then they are dropped, then it wakes up. */
static void test_stalled(void **state)
{
	uint32_t number;

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL });
	/* the one whose patience is short */
	vifrig_start_worker(&rig, CRASH_WORKER);
	assert_int_equal(vifrig_attach(&rig), 0);
	assert_int_equal(vifrig_connect(&rig, false), 0);
	for (number = 0; number < 50; number++) {
		memcpy(frame + 20, &number, sizeof(number));
		vifrig_tap_send(q, NULL, frame, 200);
	}
	do
		vifrig_stats(&rig);
	while (rig.stats.rx_dropped < 50);
	assert_int_equal(rig.stats.rx_stalls, 1);
	assert_int_equal(rig.stats.rx_stalled, 1);
	assert_int_equal(rig.stats.rx_packets, 0);
	/* it still may send */
	vifrig_send(q, frame, 60, 0, NULL, NETIF_RSP_OKAY);
	/* too few buffers for this one, and enough for the next */
	vifrig_post_rx(q, 2);
	vifrig_tap_send(q, NULL, frame, 9000);
	do
		vifrig_stats(&rig);
	while (rig.stats.rx_dropped < 51);
	memcpy(frame + 20, &number, sizeof(number));
	vifrig_tap_send(q, NULL, frame, 200);
	vifrig_await_rx(q, &packet);
	assert_memory_equal(packet.data + 20, &number, sizeof(number));
	/* awake: patience begins anew */
	vifrig_post_rx(q, 3);
	vifrig_tap_send(q, NULL, frame, 9000);
	vifrig_await_rx(q, &packet);
	assert_int_equal(packet.len, 9000);
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.rx_stalls, 1);
	assert_int_equal(rig.stats.rx_stalled, 0);
	assert_int_equal(rig.stats.rx_dropped, 51);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_held_and_changed),
		cmocka_unit_test(test_held_and_blocked),
		cmocka_unit_test(test_stalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
