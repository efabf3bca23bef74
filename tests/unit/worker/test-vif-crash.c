/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker dies at each instant that there is, and the next one takes over: every
 * request is answered exactly once and in order, no packet of the guest is lost, and
 * what was set up over the control ring took effect exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "vifrig.h"

#define ROUNDS        6u
#define TX_PACKETS    3u /* a round */
#define TX_SLOTS      5u /* of them: 1, 2, and 2 with an extra info */
#define LIST_PAGE     (VIFRIG_SLOTS - 1)
#define STATIC_GRANTS 3u

static struct vifrig rig;
static struct vifrig_queue *q = &rig.queue[0];
static struct vifrig_packet packet;
static uint32_t tx_answered, tx_arrived, rx_received;
static unsigned int deaths;
static unsigned long next_death; /* of the worker after this one; 0: none */

static void start_worker(unsigned long crash_at)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", crash_at);
	setenv("XENPV_CRASH_AT", text, 1);
	vifrig_start_worker(&rig, CRASH_WORKER);
	if (vifrig_attach(&rig) < 0)
		vifrig_die("attach: %s", rig.error);
}

/* The worker is dead: another goes on, and may die over it. */
static void take_over(void)
{
	int r;

	do {
		unsigned long at = next_death;

		next_death = 0;
		vifrig_kill_worker(&rig);
		deaths++;
		start_worker(at);
		r = vifrig_connect(&rig, true);
		if (r < 0 && r != -ECONNRESET)
			vifrig_die("re-attach: %s", rig.error);
	} while (r < 0);
}

static void put_packet(uint32_t number, unsigned int slots, const struct netif_extra_info *extra)
{
	const uint16_t sizes[2] = { 60, 40 };
	uint8_t frame[100] = { 0 };

	memcpy(frame + 20, &number, sizeof(number));
	vifrig_put_frame(q, frame, slots == 2 ? 100 : 60, sizes, slots, 0, extra, extra ? 1 : 0);
}

/* What the frontend asks in this round. */
static void put_control(unsigned int round)
{
	struct xen_netif_gref *list = (void *)(rig.data + LIST_PAGE * VIFRIG_PAGE);
	uint32_t ref = rig.data_ref[LIST_PAGE];

	for (unsigned int i = 0; i < STATIC_GRANTS; i++)
		list[i] = (struct xen_netif_gref){ .ref = rig.data_ref[i + 100] };
	switch (round) {
	case 0:
		vifrig_control_put(&rig, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0);
		return;
	case 1:
	case 4:
		vifrig_control_put(&rig, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, ref,
				   STATIC_GRANTS);
		return;
	case 2:
		vifrig_control_put(&rig, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, ref, 40, 0);
		return;
	case 3:
		vifrig_control_put(&rig, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, 0, ref,
				   STATIC_GRANTS);
		return;
	default:
		vifrig_control_put(&rig, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1, 0, 0);
	}
}

static void take_tx(void)
{
	struct netif_tx_response rsp;
	struct virtio_net_hdr hdr;
	uint8_t frame[200];
	uint32_t number;
	size_t len;

	while (vifrig_take_tx(q, &rsp)) {
		bool extra = tx_answered % TX_SLOTS == TX_SLOTS - 1;
		uint32_t slot = (q->tx_cons - 1) % VIFRIG_SLOTS;

		if (extra ? rsp.status != NETIF_RSP_NULL
			  : rsp.status != NETIF_RSP_OKAY || rsp.id != slot)
			vifrig_die("slot %u: id %u, status %d", slot, rsp.id, rsp.status);
		tx_answered++;
	}
	while (vifrig_tap_recv(q, &hdr, frame, &len, 0)) {
		memcpy(&number, frame + 20, sizeof(number));
		/* once more is allowed, out of order or one left out is not */
		if (number > tx_arrived)
			vifrig_die("packet %u in place of %u", number, tx_arrived);
		if (number == tx_arrived)
			tx_arrived++;
	}
}

static void take_rx(void)
{
	while (vifrig_take_rx(q, &packet)) {
		/* the one to check the end with is longer; those before may be lost in a crash */
		if (packet.status || (packet.len != 5000 && packet.len != 77))
			vifrig_die("received %zu bytes, status %d", packet.len, packet.status);
		rx_received++;
	}
}

/* Carry on until all of this round is answered. */
static void settle(unsigned int round)
{
	uint32_t want = (round + 1) * TX_SLOTS, ctrl = rig.control_cons;
	int idle = 0;

	while (tx_answered != want || rig.control_cons == ctrl) {
		if (vifrig_worker_gone(&rig)) {
			take_over();
			idle = 0;
		}
		/* as a driver: look only when an event came */
		if (loopfront_wait(rig.lf, q->where.tx_evtchn, 2) == 0)
			take_tx();
		if (loopfront_wait(rig.lf, q->where.rx_evtchn, 0) == 0)
			take_rx();
		if (rig.control_cons == ctrl && loopfront_wait(rig.lf, rig.control_port, 0) == 0 &&
		    *(volatile uint32_t *)vifrig_index(rig.control, 2) != ctrl) {
			uint32_t status = vifrig_control_await(&rig, NULL);

			if (status != XEN_NETIF_CTRL_STATUS_SUCCESS)
				vifrig_die("round %u: control status %u", round, status);
		}
		idle += 2;
		if (idle > VIFRIG_TIMEOUT)
			vifrig_die("an event was lost: %u of %u answered, control %u of %u",
				   tx_answered, want, rig.control_cons, rig.control_prod);
	}
}

/* After all that a packet still goes to the guest, and the multicast list is known. */
static void check_end(void)
{
	uint8_t frame[100] = { 0x01, 0x00, 0x5e, 0, 0, 5 };

	do {
		if (vifrig_worker_gone(&rig))
			take_over();
		vifrig_post_rx(q, VIFRIG_SLOTS - (q->rx_prod - q->rx_cons));
		vifrig_tap_send(q, NULL, frame, 77);
		packet.len = 0;
		for (int left = VIFRIG_TIMEOUT; left && packet.len != 77; left--) {
			take_rx();
			if (packet.len != 77 && vifrig_worker_gone(&rig))
				take_over();
			if (packet.len != 77)
				loopfront_wait(rig.lf, q->where.rx_evtchn, 1);
			/* it may have been lost with the worker */
			if (packet.len != 77 && left % 100 == 0)
				vifrig_tap_send(q, NULL, frame, 77);
		}
		if (packet.len != 77)
			vifrig_die("nothing is received any more");
	} while (vifrig_worker_gone(&rig));
}

/* Die at @first, and the next worker at @second. Returns how often it died. */
static unsigned int run(unsigned long first, unsigned long second)
{
	struct netif_extra_info add = { .type = XEN_NETIF_EXTRA_TYPE_HASH };
	static const uint8_t frame[5000];
	unsigned int mapped;

	deaths = 0;
	next_death = second;
	tx_answered = tx_arrived = rx_received = 0;
	vifrig_reset_rings(&rig, UINT32_MAX - 7);
	start_worker(first);
	if (vifrig_connect(&rig, false) < 0) {
		/* died within CONNECT; the frontend is not connected yet in this case */
		vifrig_kill_worker(&rig);
		deaths++;
		start_worker(0);
		assert_int_equal(vifrig_connect(&rig, false), 0);
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		put_packet(round * TX_PACKETS, 1, NULL);
		put_packet(round * TX_PACKETS + 1, 2, NULL);
		put_packet(round * TX_PACKETS + 2, 1, &add);
		vifrig_post_rx(q, 5);
		vifrig_tap_send(q, NULL, frame, 5000);
		/* nothing is asked, so nothing but an event for the next answer can be missed */
		*vifrig_index(rig.control, 3) = rig.control_cons + 1;
		put_control(round);
		vifrig_push_tx(q);
		settle(round);
	}
	if (vifrig_worker_gone(&rig))
		take_over();
	take_tx();
	assert_int_equal(tx_arrived, ROUNDS * TX_PACKETS);

	/* a carrier of a multicast address, which matters to the next worker */
	add.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
	memcpy(add.u.mcast.addr, (uint8_t[]){ 0x01, 0x00, 0x5e, 0, 0, 5 }, 6);
	put_packet(9999, 1, &add);
	vifrig_push_tx(q);
	while (q->tx_cons != q->tx_prod) {
		struct netif_tx_response rsp;

		if (vifrig_worker_gone(&rig))
			take_over();
		loopfront_wait(rig.lf, q->where.tx_evtchn, 2);
		while (vifrig_take_tx(q, &rsp))
			assert_true(rsp.status == NETIF_RSP_OKAY || rsp.status == NETIF_RSP_NULL);
	}
	check_end();

	/*
	 * Three rings, and what is mapped for good. A copy counts too while it lasts, and those
	 * of check_end() may not all be over.
	 */
	mapped = vifrig_mapped(&rig);
	for (int left = VIFRIG_TIMEOUT; left && mapped != 3 + STATIC_GRANTS; left--) {
		loopfront_wait(rig.lf, rig.control_port, 1);
		mapped = vifrig_mapped(&rig);
	}
	assert_int_equal(mapped, 3 + STATIC_GRANTS);
	while (vifrig_simple(&rig, WORKER_DISCONNECT) == -ECONNRESET)
		take_over();
	vifrig_stop_worker(&rig);
	assert_int_equal(vifrig_mapped(&rig), 0);
	assert_false(rig.has_ring_error);
	return deaths;
}

static void test_every_instant(void **state)
{
	unsigned long first = 1;

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL | WORKER_VIF_MULTICAST,
						    .control = true,
						    .static_grants = true,
						    .multicast = true });
	while (run(first, 0))
		first++;
	printf("# died at each of %lu instants\n", first - 1);
	/* each response, each control request passes several of them */
	assert_true(first > ROUNDS * (TX_SLOTS + 4));
	vifrig_free(&rig);
}

static void test_twice(void **state)
{
	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL | WORKER_VIF_MULTICAST,
						    .control = true,
						    .static_grants = true,
						    .multicast = true });
	for (unsigned long first = 3; first < 60; first += 19) {
		for (unsigned long second = 1; second < 12; second += 5)
			assert_true(run(first, second) >= 1);
	}
	vifrig_free(&rig);
}

/* A state that is damaged or of somebody else is not believed; the link goes on. */
static void test_bad_state(void **state)
{
	static const size_t at[] = { 0, 8, 12, 16, 24 };
	uint8_t frame[60] = { 0 };
	uint32_t word;

	(void)state;
	for (unsigned int i = 0; i < ELEMENTSOF(at) + 2; i++) {
		vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL,
							    .control = true,
							    .static_grants = true });
		vifrig_up(&rig, false);
		put_control(1);
		assert_int_equal(vifrig_control_await(&rig, NULL), XEN_NETIF_CTRL_STATUS_SUCCESS);
		vifrig_kill_worker(&rig);
		if (i < ELEMENTSOF(at)) {
			assert_int_equal(pread(rig.state_fd, &word, 4, (off_t)at[i]), 4);
			word ^= 0x40;
			assert_int_equal(pwrite(rig.state_fd, &word, 4, (off_t)at[i]), 4);
		} else if (i == ELEMENTSOF(at)) {
			assert_int_equal(ftruncate(rig.state_fd, 5000), 0);
		} else {
			/* all copies full of nonsense behind the head */
			for (off_t o = 200; o < 130000; o += 4) {
				word = 0xa5a5a5a5;
				assert_int_equal(pwrite(rig.state_fd, &word, 4, o), 4);
			}
		}
		vifrig_up(&rig, true);
		vifrig_send(q, frame, 60, 0, NULL, NETIF_RSP_OKAY);
		/* nothing is mapped, so it can be mapped again */
		assert_int_equal(vifrig_mapped(&rig), 3);
		put_control(1);
		assert_int_equal(vifrig_control_await(&rig, NULL), XEN_NETIF_CTRL_STATUS_SUCCESS);
		assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
		vifrig_free(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_instant),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_bad_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
