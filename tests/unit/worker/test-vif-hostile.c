/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a frontend may do wrong on the rings of an interface: a bad packet is refused and
 * the ring goes on; nonsense ends the interface, with a word about it, and nothing is
 * left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "vifframe.h"
#include "vifrig.h"

static struct vifrig rig;
static struct vifrig_queue *q = &rig.queue[0];
static uint8_t frame[VIFRIG_MAX_FRAME], got[VIFRIG_MAX_FRAME];
static struct vifrig_packet packet;

static void up(const struct vifrig_options *o)
{
	vifrig_init(&rig, o);
	vifrig_up(&rig, false);
}

static void down(void)
{
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	assert_int_equal(vifrig_mapped(&rig), 0);
	assert_true(vifrig_await_unbound(&rig));
	vifrig_free(&rig);
}

/* A slot of a transmit ring; an extra info has its bytes in the same places. */
static struct netif_tx_request slot(uint16_t flags, uint16_t offset, uint16_t size)
{
	return (struct netif_tx_request){ .gref = rig.data_ref[0],
					  .offset = offset,
					  .flags = flags,
					  .id = (uint16_t)q->tx_prod,
					  .size = size };
}

static void put(struct netif_tx_request s)
{
	vifrig_put_tx(q, &s);
}

static void put_extra(uint8_t type, uint8_t flags, const void *rest)
{
	uint8_t bytes[12] = { type, flags };

	if (rest)
		memcpy(bytes + 2, rest, 6);
	vifrig_put_tx(q, bytes);
}

static const uint8_t good_gso[6] = { 100, 0, XEN_NETIF_GSO_TYPE_TCPV4 };

/* Each puts something fatal. */
static void first_leaves_page(void)
{
	put(slot(0, 4000, 97));
}

static void first_larger_than_page(void)
{
	put(slot(0, 0, 4097));
}

static void offset_beyond_page(void)
{
	put(slot(0, 65535, 60));
}

static void later_leaves_page(void)
{
	put(slot(NETTXF_more_data, 0, 1000));
	put(slot(0, 4090, 7));
}

static void first_part_too_large(void)
{
	put(slot(NETTXF_more_data, 0, 5000));
	put(slot(0, 0, 100));
}

static void packet_not_whole(void)
{
	put(slot(NETTXF_more_data, 0, 1000));
}

static void extra_missing(void)
{
	put(slot(NETTXF_extra_info, 0, 1000));
}

static void second_extra_missing(void)
{
	put(slot(NETTXF_extra_info, 0, 1000));
	put_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE, good_gso);
}

static void too_many_slots(void)
{
	put(slot(NETTXF_more_data, 0, 1000));
	for (unsigned int i = 0; i < 20; i++)
		put(slot(i < 19 ? NETTXF_more_data : 0, 0, 1));
}

static void endless_slots(void)
{
	for (unsigned int i = 0; i < VIFRIG_SLOTS; i++)
		put(slot(NETTXF_more_data, 0, 0));
}

static void endless_extras(void)
{
	put(slot(NETTXF_extra_info, 0, 1000));
	for (unsigned int i = 0; i < 40; i++)
		put_extra(XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE, NULL);
}

static void extra_none(void)
{
	put(slot(NETTXF_extra_info, 0, 1000));
	put_extra(XEN_NETIF_EXTRA_TYPE_NONE, 0, NULL);
}

static void extra_unknown(void)
{
	put(slot(NETTXF_extra_info, 0, 1000));
	put_extra(200, 0, NULL);
}

static void gso_of_nothing(void)
{
	put(slot(NETTXF_extra_info, 0, 1000));
	put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, (uint8_t[6]){ 0, 0, XEN_NETIF_GSO_TYPE_TCPV4 });
}

static void gso_of_unknown_type(void)
{
	put(slot(NETTXF_extra_info, 0, 1000));
	put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, (uint8_t[6]){ 100, 0, 77 });
}

static void test_fatal(void **state)
{
	static const struct {
		void (*put)(void);
		const char *text;
	} cases[] = {
		{ first_leaves_page, "97 bytes at offset 4000" },
		{ first_larger_than_page, "4097 bytes at offset 0" },
		{ offset_beyond_page, "offset 65535" },
		{ later_leaves_page, "7 bytes at offset 4090" },
		{ first_part_too_large, "4900 bytes at offset 0" },
		{ packet_not_whole, "behind its last slot, the 1th" },
		{ extra_missing, "behind its last slot, the 1th" },
		{ second_extra_missing, "behind its last slot, the 2th" },
		{ too_many_slots, "more than 20 slots" },
		{ endless_slots, "more than 20 slots" },
		{ endless_extras, "more than 16 extra infos" },
		{ extra_none, "type 0 is unknown" },
		{ extra_unknown, "type 200 is unknown" },
		{ gso_of_nothing, "segments of 0 bytes" },
		{ gso_of_unknown_type, "GSO type 77" },
	};

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL, .queues = 2 });
	for (unsigned int i = 0; i < ELEMENTSOF(cases); i++) {
		vifrig_reset_rings(&rig, 0);
		vifrig_up(&rig, false);
		cases[i].put();
		vifrig_push_tx(q);
		assert_true(vifrig_await_ring_error(&rig));
		if (!strstr(rig.ring_error.text, cases[i].text))
			fail_msg("\"%s\" does not say \"%s\"", rig.ring_error.text, cases[i].text);
		assert_int_equal(rig.ring_error.ring, 0);
		assert_int_equal(rig.ring_error.error, -EPROTO);
		/* nothing of the guest is held, and the same worker serves it again */
		assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
		assert_int_equal(vifrig_mapped(&rig), 0);
		vifrig_reset_rings(&rig, 0);
		rig.has_ring_error = false;
		assert_int_equal(vifrig_connect(&rig, false), 0);
		vifrig_send(q, frame, 60, 0, NULL, NETIF_RSP_OKAY);
		vifrig_stop_worker(&rig);
	}
	vifrig_free(&rig);
}

static void test_indices(void **state)
{
	static const uint32_t values[] = { 257, 1000, 0x7fffffff, 0x80000000, UINT32_MAX };

	(void)state;
	for (unsigned int i = 0; i < ELEMENTSOF(values) * 3; i++) {
		uint32_t value = values[i / 3];
		void *ring;
		uint32_t port;

		up(&(struct vifrig_options){ .features = VIFRIG_ALL, .control = true });
		ring = i % 3 == 0 ? q->tx : i % 3 == 1 ? q->rx : rig.control;
		port = i % 3 == 0   ? q->where.tx_evtchn
		       : i % 3 == 1 ? q->where.rx_evtchn
				    : rig.control_port;
		*vifrig_index(ring, 0) = value;
		loopfront_notify(rig.lf, port);
		assert_true(vifrig_await_ring_error(&rig));
		/* the control ring counts behind the queues */
		assert_int_equal(rig.ring_error.ring, i % 3 == 2);
		assert_non_null(strstr(rig.ring_error.text, "index"));
		down();
	}

	/* and those that are there from the start */
	for (unsigned int i = 0; i < 3; i++) {
		vifrig_init(&rig,
			    &(struct vifrig_options){ .features = VIFRIG_ALL, .control = true });
		*vifrig_index(i == 0 ? q->tx : i == 1 ? q->rx : rig.control, 0) = 5000;
		vifrig_start_worker(&rig, NULL);
		assert_int_equal(vifrig_attach(&rig), 0);
		assert_int_equal(vifrig_connect(&rig, true), -EPROTO);
		assert_int_equal(vifrig_mapped(&rig), 0);
		assert_true(vifrig_await_unbound(&rig));
		vifrig_free(&rig);
	}
}

static void expect_refused(unsigned int slots)
{
	vifrig_push_tx(q);
	while (slots--)
		assert_int_equal(vifrig_await_tx(q).status, NETIF_RSP_ERROR);
}

/* Packets that are refused, with a good one behind each of them. */
static void test_bad_packets(void **state)
{
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
	struct netif_tx_request s;
	struct virtio_net_hdr hdr;
	struct vifframe f = { .family = 4, .protocol = IPPROTO_TCP, .payload = 3000 };
	struct vifframe_where w;
	uint32_t errors = 0;
	size_t len, n;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	for (uint16_t size = 0; size < 14; size++, errors++) {
		put(slot(0, 0, size));
		expect_refused(1);
	}
	/* more slots than a packet may have, but not absurdly many */
	for (unsigned int slots = 19; slots <= 20; slots++, errors++) {
		for (unsigned int i = 0; i < slots; i++)
			put(slot(i + 1 < slots ? NETTXF_more_data : 0, 0, (uint16_t)(i ? 1 : 500)));
		expect_refused(slots);
	}
	/* slots larger than the packet: the size of old frontends' packets beyond 64 KiB */
	put(slot(NETTXF_more_data, 0, 100));
	put(slot(0, 0, 4000));
	expect_refused(2);
	errors++;
	/* references that are none, for the whole packet or a part */
	s = slot(0, 0, 100);
	s.gref = 0x7fffffff;
	put(s);
	expect_refused(1);
	put(slot(NETTXF_more_data, 0, 1000));
	put(s);
	expect_refused(2);
	errors += 2;

	/* a checksum that nobody can find */
	memset(frame, 0, 200);
	vifrig_send(q, frame, 200, NETTXF_csum_blank, NULL, NETIF_RSP_ERROR);
	/* headers that end in the middle, or lie about their length */
	len = vifframe_make(&f, frame, &w);
	for (size_t cut = 15; cut < w.payload; cut++, errors++)
		vifrig_send(q, frame, cut, NETTXF_csum_blank, NULL, NETIF_RSP_ERROR);
	frame[w.l3] = 0x44;
	vifrig_send(q, frame, len, NETTXF_csum_blank, NULL, NETIF_RSP_ERROR);
	frame[w.l3] = 0x45;
	frame[w.l4 + 12] = 0x40;
	vifrig_send(q, frame, len, NETTXF_csum_blank, NULL, NETIF_RSP_ERROR);
	frame[w.l4 + 12] = 0x50;
	frame[w.l3 + 2] = 0xff;
	vifrig_send(q, frame, len, NETTXF_csum_blank, NULL, NETIF_RSP_ERROR);
	/* a fragment */
	vifframe_make(&f, frame, &w);
	frame[w.l3 + 6] = 0x20;
	vifrig_send(q, frame, len, NETTXF_csum_blank, NULL, NETIF_RSP_ERROR);
	errors += 5;

	/* segmentation of what is of another family, is no TCP, or would be dust */
	gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV6;
	gso.u.gso.size = 1000;
	vifframe_make(&f, frame, &w);
	vifrig_send(q, frame, len, NETTXF_csum_blank, &gso, NETIF_RSP_ERROR);
	gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	gso.u.gso.size = 1;
	vifrig_send(q, frame, len, NETTXF_csum_blank, &gso, NETIF_RSP_ERROR);
	gso.u.gso.size = 1000;
	f.protocol = IPPROTO_UDP;
	len = vifframe_make(&f, frame, &w);
	vifrig_send(q, frame, len, NETTXF_csum_blank, &gso, NETIF_RSP_ERROR);
	errors += 3;

	/* of all that nothing went out, and the ring is well */
	memset(frame, 7, 60);
	vifrig_send(q, frame, 60, 0, NULL, NETIF_RSP_OKAY);
	assert_true(vifrig_tap_recv(q, &hdr, got, &n, VIFRIG_TIMEOUT));
	assert_int_equal(n, 60);
	assert_memory_equal(got, frame, 60);
	assert_false(vifrig_tap_recv(q, &hdr, got, &n, 0));
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_errors, errors);
	assert_int_equal(rig.stats.tx_packets, 1);
	assert_false(rig.has_ring_error);
	down();
}

/* Buffers that cannot be written cost their packet, and no other. */
static void test_bad_buffers(void **state)
{
	uint32_t keep;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	memset(frame, 0, 10000);
	for (unsigned int bad = 0; bad < 3; bad++) {
		keep = rig.data_ref[VIFRIG_SLOTS + (q->rx_prod + bad) % VIFRIG_SLOTS];
		rig.data_ref[VIFRIG_SLOTS + (q->rx_prod + bad) % VIFRIG_SLOTS] = 0x7ffffff0;
		vifrig_post_rx(q, 3);
		rig.data_ref[VIFRIG_SLOTS + (q->rx_prod - 3 + bad) % VIFRIG_SLOTS] = keep;
		vifrig_tap_send(q, NULL, frame, 10000);
		vifrig_await_rx(q, &packet);
		assert_int_equal(packet.status, NETIF_RSP_ERROR);
		assert_int_equal(packet.slots, 3);
	}
	vifrig_post_rx(q, 3);
	vifrig_tap_send(q, NULL, frame, 10000);
	vifrig_await_rx(q, &packet);
	assert_int_equal(packet.status, 0);
	assert_int_equal(packet.len, 10000);
	down();
}

/* What comes out of the tap is not believed either. */
static void test_bad_tap(void **state)
{
	struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	uint32_t dropped = 0;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	vifrig_post_rx(q, VIFRIG_SLOTS);
	memset(frame, 0, sizeof(frame));
	for (unsigned int start = 0; start < 3; start++) {
		static const uint16_t starts[] = { 99, 100, 65535 };

		hdr.csum_start = starts[start];
		vifrig_tap_send(q, &hdr, frame, 100);
		dropped++;
	}
	hdr.csum_start = 50;
	hdr.csum_offset = 49;
	vifrig_tap_send(q, &hdr, frame, 100);
	hdr = (struct virtio_net_hdr){ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100 };
	vifrig_tap_send(q, &hdr, frame, 100);
	hdr.gso_type = 77;
	vifrig_tap_send(q, &hdr, frame, 100);
	/* too short, and too long for a frame */
	vifrig_tap_send(q, NULL, frame, 13);
	vifrig_tap_send(q, NULL, frame, 66000);
	dropped += 5;
	frame[30] = 99;
	vifrig_tap_send(q, NULL, frame, 100);
	vifrig_await_rx(q, &packet);
	assert_int_equal(packet.len, 100);
	assert_int_equal(packet.data[30], 99);
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.rx_dropped, dropped);
	down();

	/* without scatter/gather what takes several pages is dropped */
	up(&(struct vifrig_options){ .features = WORKER_VIF_RX_NOTIFY });
	vifrig_post_rx(q, 8);
	vifrig_tap_send(q, NULL, frame, 5000);
	vifrig_tap_send(q, NULL, frame, 4096);
	vifrig_await_rx(q, &packet);
	assert_int_equal(packet.len, 4096);
	down();
}

static void test_bad_messages(void **state)
{
	struct vifrig_queue keep;

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL, .control = true });
	vifrig_start_worker(&rig, NULL);
	assert_int_equal(vifrig_connect(&rig, false), -ENOENT);
	assert_int_equal(vifrig_attach(&rig), 0);
	assert_int_equal(vifrig_attach(&rig), -EEXIST);
	assert_int_equal(vifrig_adjust(&rig, 0, false), -ENOTCONN);
	rig.o.headroom = 4096;
	assert_int_equal(vifrig_connect(&rig, false), -EINVAL);
	rig.o.headroom = 0;
	rig.o.queues = 2;
	rig.queue[1] = rig.queue[0];
	assert_int_equal(vifrig_connect(&rig, false), -EINVAL);
	rig.o.queues = 1;

	keep = *q;
	q->where.tx_ref = 0x7ffffff0;
	assert_true(vifrig_connect(&rig, false) < 0);
	assert_non_null(strstr(rig.error, "2147483632"));
	*q = keep;
	q->where.rx_evtchn = 1000000;
	assert_true(vifrig_connect(&rig, false) < 0);
	*q = keep;
	rig.control_port += 100000;
	assert_true(vifrig_connect(&rig, false) < 0);
	assert_non_null(strstr(rig.error, "control ring"));
	rig.control_port -= 100000;
	assert_int_equal(vifrig_mapped(&rig), 0);

	assert_int_equal(vifrig_connect(&rig, false), 0);
	assert_int_equal(vifrig_connect(&rig, false), -EBUSY);
	assert_int_equal(vifrig_simple(&rig, WORKER_DETACH), -EBUSY);
	assert_int_equal(vifrig_adjust(&rig, 5000, false), -EINVAL);
	assert_int_equal(vifrig_simple(&rig, WORKER_RESIZE), -EPROTO);
	vifrig_send(q, frame, 60, 0, NULL, NETIF_RSP_OKAY);
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	assert_int_equal(vifrig_simple(&rig, WORKER_DETACH), 0);
	assert_int_equal(vifrig_simple(&rig, WORKER_DETACH), -ENOENT);
	vifrig_free(&rig);
}

/* What the rate limit waits for is gone by the time it may go: the wait is over all the same. */
static void test_held_slot_changes(void **state)
{
	struct netif_tx_response rsp = { .status = NETIF_RSP_OKAY };
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct netif_tx_request s;

	(void)state;
	up(&(struct vifrig_options){
		.features = VIFRIG_ALL, .rate_bytes = 500, .rate_us = 1000000 });
	memset(frame, 7, sizeof(frame));
	/* all but 1072 bytes of what may go at once */
	vifrig_send(q, frame, 60000, 0, NULL, NETIF_RSP_OKAY);
	vifrig_send(q, frame, 60000, 0, NULL, NETIF_RSP_OKAY);
	vifrig_send(q, frame, 10000, 0, NULL, NETIF_RSP_OKAY);
	/* again if this process was too slow for it */
	for (unsigned int left = 5; rsp.status == NETIF_RSP_OKAY && left; left--) {
		uint64_t delays = rig.stats.rate_delays;
		uint32_t at = q->tx_prod;

		s = slot(0, 0, 1500);
		put(s);
		vifrig_push_tx(q);
		do
			vifrig_stats(&rig);
		while (rig.stats.rate_delays == delays && *vifrig_index(q->tx, 2) == at);
		s.size = 5;
		memcpy(q->tx + 64 + at % VIFRIG_SLOTS * sizeof(s), &s, sizeof(s));
		rsp = vifrig_await_tx(q);
	}
	assert_int_equal(rsp.status, NETIF_RSP_ERROR);
	/* it asks for an event, and so sleeps */
	for (int left = VIFRIG_TIMEOUT; *vifrig_index(q->tx, 1) != q->tx_prod + 1; left--) {
		assert_int_not_equal(left, 0);
		nanosleep(&pause, NULL);
	}
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_indices),
		cmocka_unit_test(test_bad_packets),
		cmocka_unit_test(test_bad_buffers),
		cmocka_unit_test(test_bad_tap),
		cmocka_unit_test(test_bad_messages),
		cmocka_unit_test(test_held_slot_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
