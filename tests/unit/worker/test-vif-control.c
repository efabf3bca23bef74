/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control ring: hashes and where they lead, static grants, the multicast list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "vifframe.h"
#include "vifrig.h"

#define OK         XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID    XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define NOT_KNOWN  XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define TOO_LONG   XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define TOEPLITZ   XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ
#define ALL_HASHES 15u
/* the page of the rig that holds keys and lists: the last transmit page */
#define LIST_PAGE (VIFRIG_SLOTS - 1)

static struct vifrig rig;
static struct vifrig_queue *q = &rig.queue[0];
static uint8_t frame[VIFRIG_MAX_FRAME], got[VIFRIG_MAX_FRAME];
static struct vifrig_packet packet;

/* The verification suite of Microsoft's "RSS hashing functions". */
static const uint8_t rss_key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static void *list(void)
{
	return rig.data + (size_t)LIST_PAGE * VIFRIG_PAGE;
}

static uint32_t list_ref(void)
{
	return rig.data_ref[LIST_PAGE];
}

static uint32_t ctrl(uint16_t type, uint32_t d0, uint32_t d1, uint32_t d2)
{
	return vifrig_control(&rig, type, d0, d1, d2, NULL);
}

static void up(const struct vifrig_options *o)
{
	vifrig_init(&rig, o);
	vifrig_up(&rig, false);
}

static void down(void)
{
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	assert_int_equal(vifrig_mapped(&rig), 0);
	assert_false(rig.has_ring_error);
	vifrig_free(&rig);
}

static void next_worker(void)
{
	vifrig_kill_worker(&rig);
	vifrig_up(&rig, true);
}

static void set_hash(uint32_t flags)
{
	memcpy(list(), rss_key, sizeof(rss_key));
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, TOEPLITZ, 0, 0), OK);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, list_ref(), 40, 0), OK);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, flags, 0, 0), OK);
}

static void test_answers(void **state)
{
	uint32_t data;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL, .queues = 2, .control = true });
	for (uint32_t type = 0; type < 20; type++) {
		if (type == 0 || type > 7)
			assert_int_equal(ctrl((uint16_t)type, 0, list_ref(), 1), NOT_KNOWN);
	}
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0), NOT_KNOWN);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1, 0, 0), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 2, 0, 0), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, TOEPLITZ, 0, 0), OK);
	assert_int_equal(vifrig_control(&rig, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0, &data),
			 OK);
	assert_int_equal(data, ALL_HASHES);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 16, 0, 0), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, ALL_HASHES, 0, 0), OK);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, list_ref(), 41, 0), TOO_LONG);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 0x7ffffff0, 40, 0), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 0x7ffffff0, 0, 0), OK);
	assert_int_equal(
		vifrig_control(&rig, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0, &data),
		OK);
	assert_int_equal(data, 128);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 129, 0, 0), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 100, 0, 0), OK);
	memset(list(), 0, VIFRIG_PAGE);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, list_ref(), 100, 0), OK);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, list_ref(), 100, 1), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, list_ref(), 50, UINT32_MAX),
			 INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, list_ref(), 2000, 0), TOO_LONG);
	/* a queue that is not there */
	((uint32_t *)list())[7] = 2;
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, list_ref(), 7, 0), OK);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, list_ref(), 8, 0), INVALID);
	down();
}

/* The frame of the suite's first line, for IPv4 or IPv6. */
static size_t rss_frame(int family, int protocol)
{
	struct vifframe f = { .family = family, .protocol = protocol, .port = 2794, .payload = 8 };
	struct vifframe_where w;
	size_t len = vifframe_make(&f, frame, &w);

	frame[w.l4 + 2] = 1766 >> 8;
	frame[w.l4 + 3] = 1766 & 255;
	if (family == 4) {
		memcpy(frame + w.l3 + 12, (uint8_t[]){ 66, 9, 149, 187 }, 4);
		memcpy(frame + w.l3 + 16, (uint8_t[]){ 161, 142, 100, 80 }, 4);
	} else {
		memcpy(frame + w.l3 + 8, "\x3f\xfe\x25\x01\x02\x00\x1f\xff\0\0\0\0\0\0\0\x07", 16);
		memcpy(frame + w.l3 + 24, "\x3f\xfe\x25\x01\x02\x00\x00\x03\0\0\0\0\0\0\0\x01", 16);
	}
	return len;
}

static void expect_hash(int family, int protocol, uint32_t hash, uint8_t type)
{
	uint8_t value[4] = { (uint8_t)hash, (uint8_t)(hash >> 8), (uint8_t)(hash >> 16),
			     (uint8_t)(hash >> 24) };

	/* data, headroom, hash */
	vifrig_post_rx(q, VIFRIG_SLOTS - (q->rx_prod - q->rx_cons));
	vifrig_tap_send(q, NULL, frame, rss_frame(family, protocol));
	vifrig_await_rx(q, &packet);
	assert_true(packet.has_hash);
	assert_int_equal(packet.hash.u.hash.type, type);
	assert_int_equal(packet.hash.u.hash.algorithm, TOEPLITZ);
	assert_memory_equal(packet.hash.u.hash.value, value, 4);
}

static void expect_hashes(void)
{
	expect_hash(4, IPPROTO_TCP, 0x51ccc178, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP);
	expect_hash(4, IPPROTO_UDP, 0x323e8fc2, _XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	expect_hash(6, IPPROTO_TCP, 0x40207d3d, _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
	expect_hash(6, IPPROTO_UDP, 0x2cc18cd5, _XEN_NETIF_CTRL_HASH_TYPE_IPV6);
}

static void test_hash(void **state)
{
	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL, .control = true, .headroom = 256 });
	set_hash(ALL_HASHES);
	expect_hashes();
	assert_int_equal(packet.headroom, 256);
	/* the next worker knows all that */
	next_worker();
	expect_hashes();
	/* only some of the types */
	set_hash(XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	expect_hash(4, IPPROTO_TCP, 0x323e8fc2, _XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	vifrig_tap_send(q, NULL, frame, rss_frame(6, IPPROTO_TCP));
	vifrig_await_rx(q, &packet);
	assert_false(packet.has_hash);
	/* an empty key */
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 0, 0, 0), OK);
	expect_hash(4, IPPROTO_TCP, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	/* and no more */
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 0, 0, 0), OK);
	vifrig_tap_send(q, NULL, frame, rss_frame(4, IPPROTO_TCP));
	vifrig_await_rx(q, &packet);
	assert_false(packet.has_hash);
	down();
}

/* Whatever tap queue a packet comes from, it goes to the ring that its hash says. */
static void test_steering(void **state)
{
	uint32_t *mapping;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL, .control = true, .queues = 4 });
	set_hash(ALL_HASHES);
	for (unsigned int i = 0; i < 4; i++)
		vifrig_post_rx(&rig.queue[i], 128);
	for (unsigned int target = 0; target < 8; target++) {
		uint32_t hash = 0x51ccc178;
		uint32_t expected = hash % 4;

		if (target < 4) {
			/* by table: all entries but the one that counts lead elsewhere */
			assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 100, 0, 0),
					 OK);
			mapping = list();
			for (unsigned int i = 0; i < 100; i++)
				mapping[i] = i == hash % 100 ? target : (target + 1) % 4;
			assert_int_equal(
				ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, list_ref(), 100, 0), OK);
			expected = target;
		} else {
			assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 0, 0, 0),
					 OK);
		}
		if (target == 3)
			next_worker();
		for (unsigned int from = 0; from < 4; from++) {
			size_t len = rss_frame(4, IPPROTO_TCP);

			vifrig_tap_send(&rig.queue[from], NULL, frame, len);
			vifrig_await_rx(&rig.queue[expected], &packet);
			assert_int_equal(packet.len, len);
			assert_memory_equal(packet.data, frame, len);
		}
	}
	down();
}

static void put_list(uint32_t first, unsigned int n, uint16_t flags)
{
	struct xen_netif_gref *l = list();

	for (unsigned int i = 0; i < n; i++)
		l[i] = (struct xen_netif_gref){ rig.data_ref[first + i], flags, 0xffff };
}

/* Packets of a page each way; returns grant copies that it took. */
static uint64_t copies_of_traffic(unsigned int packets)
{
	struct virtio_net_hdr hdr;
	uint64_t before;
	size_t len;

	vifrig_stats(&rig);
	before = rig.stats.grant_copies;
	for (unsigned int i = 0; i < packets; i++) {
		memset(frame, (int)i & 0xfe, 3000);
		vifrig_send(q, frame, 3000, 0, NULL, NETIF_RSP_OKAY);
		assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
		assert_int_equal(len, 3000);
		assert_memory_equal(got, frame, 3000);
		vifrig_post_rx(q, 1);
		vifrig_tap_send(q, NULL, frame, 3000);
		vifrig_await_rx(q, &packet);
		assert_memory_equal(packet.data, frame, 3000);
	}
	vifrig_stats(&rig);
	return rig.stats.grant_copies - before;
}

static void test_static_grants(void **state)
{
	struct xen_netif_gref *l;
	unsigned int mapped;
	uint32_t data;

	(void)state;
	up(&(struct vifrig_options){
		.features = VIFRIG_ALL, .control = true, .static_grants = true, .queues = 2 });
	l = list();
	mapped = vifrig_mapped(&rig);
	assert_int_equal(
		vifrig_control(&rig, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 1, 0, 0, &data),
		OK);
	assert_int_equal(data, 1024);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 2, 0, 0), INVALID);
	assert_true(copies_of_traffic(20) > 0);

	/* transmit pages read-only, receive pages not; the list's own page stays out */
	put_list(0, VIFRIG_SLOTS - 1, XEN_NETIF_CTRLF_GREF_readonly);
	assert_int_equal(
		ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), VIFRIG_SLOTS - 1), OK);
	put_list(VIFRIG_SLOTS, VIFRIG_SLOTS, 0);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), VIFRIG_SLOTS),
			 OK);
	assert_int_equal(vifrig_mapped(&rig), mapped + 2 * VIFRIG_SLOTS - 1);
	assert_int_equal(copies_of_traffic(200), 0);
	assert_int_equal(rig.stats.static_grants, 2 * VIFRIG_SLOTS - 1);
	assert_true(rig.stats.static_hits >= 400);

	/* lists that are refused as a whole: twice the same, unknown flags, no grant, size */
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), 1), INVALID);
	put_list(2 * VIFRIG_SLOTS, 3, 0);
	l[2] = l[0];
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), 3), INVALID);
	put_list(2 * VIFRIG_SLOTS, 3, 0);
	l[2].flags = 2;
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), 3), INVALID);
	l[2].flags = 0;
	l[2].ref = 0x7ffffff0;
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), 3), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 2, list_ref(), 1), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), 0), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, list_ref(), 513), INVALID);
	assert_int_equal(ctrl(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, 0x7ffffff0, 1), INVALID);
	assert_int_equal(vifrig_mapped(&rig), mapped + 2 * VIFRIG_SLOTS - 1);

	/* the next worker has them mapped again */
	next_worker();
	assert_int_equal(vifrig_mapped(&rig), mapped + 2 * VIFRIG_SLOTS - 1);
	assert_true(copies_of_traffic(20) <= 1); /* the slot of the list's page */

	/* given back, one of them unknown: that is said entry by entry */
	put_list(VIFRIG_SLOTS, VIFRIG_SLOTS, 0);
	l[5].ref = 12345678;
	assert_int_equal(vifrig_control(&rig, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, 0, list_ref(),
					VIFRIG_SLOTS, &data),
			 OK);
	assert_int_equal(data, VIFRIG_SLOTS - 1);
	for (unsigned int i = 0; i < VIFRIG_SLOTS; i++)
		assert_int_equal(l[i].status, i == 5 ? INVALID : OK);
	assert_int_equal(vifrig_mapped(&rig), mapped + VIFRIG_SLOTS);
	assert_true(copies_of_traffic(20) >= 19);

	/* some are given back while nobody serves them: the rest is taken up */
	put_list(0, VIFRIG_SLOTS - 1, 0);
	vifrig_kill_worker(&rig);
	/* what a dead worker had mapped goes a moment later */
	for (int left = VIFRIG_TIMEOUT; left; left--) {
		if (loopfront_revoke(rig.lf, rig.data_ref[10]) == 0)
			break;
		assert_true(left > 1);
		loopfront_wait(rig.lf, rig.control_port, 1);
	}
	vifrig_up(&rig, true);
	assert_int_equal(vifrig_mapped(&rig), mapped + VIFRIG_SLOTS - 1);
	down();
}

static bool multicast_arrives(const uint8_t mac[6])
{
	struct vifframe f = { .family = 4, .protocol = IPPROTO_UDP, .payload = 8 };
	bool first;

	vifrig_post_rx(q, 2);
	memcpy(f.dest, mac, 6);
	vifrig_tap_send(q, NULL, frame, vifframe_make(&f, frame, NULL));
	/* one behind it that always arrives */
	memset(f.dest, 0xff, 6);
	vifrig_tap_send(q, NULL, frame, vifframe_make(&f, frame, NULL));
	vifrig_await_rx(q, &packet);
	first = memcmp(packet.data, mac, 6) == 0;
	if (first)
		vifrig_await_rx(q, &packet);
	assert_memory_equal(packet.data, f.dest, 6);
	return first;
}

static void change_multicast(uint8_t type, const uint8_t mac[6], int status)
{
	struct netif_extra_info extra = { .type = type };

	memcpy(extra.u.mcast.addr, mac, 6);
	/* a carrier: it has no data, and its other fields mean nothing */
	vifrig_send(q, frame, 0, 0, &extra, status);
}

static void test_multicast(void **state)
{
	uint8_t mac[6] = { 0x01, 0x00, 0x5e, 0, 0, 1 }, other[6] = { 0x33, 0x33, 0, 0, 0, 9 };
	const uint8_t add = XEN_NETIF_EXTRA_TYPE_MCAST_ADD, del = XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
	struct virtio_net_hdr hdr;
	size_t len;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL | WORKER_VIF_MULTICAST,
				     .multicast = true });
	assert_false(multicast_arrives(mac));
	change_multicast(add, mac, NETIF_RSP_OKAY);
	change_multicast(add, mac, NETIF_RSP_OKAY);
	assert_true(multicast_arrives(mac));
	assert_false(multicast_arrives(other));
	next_worker();
	assert_true(multicast_arrives(mac));
	assert_false(multicast_arrives(other));
	change_multicast(del, mac, NETIF_RSP_OKAY);
	assert_false(multicast_arrives(mac));
	/* the filter is off, and on again */
	assert_int_equal(vifrig_adjust(&rig, 0, false), 0);
	assert_true(multicast_arrives(other));
	assert_int_equal(vifrig_adjust(&rig, 0, true), 0);
	assert_false(multicast_arrives(other));
	/* no multicast address, and one too many */
	change_multicast(add, (const uint8_t[]){ 0, 1, 2, 3, 4, 5 }, NETIF_RSP_ERROR);
	for (unsigned int i = 0; i < 64; i++) {
		mac[5] = (uint8_t)i;
		change_multicast(add, mac, NETIF_RSP_OKAY);
	}
	change_multicast(add, other, NETIF_RSP_ERROR);
	assert_false(vifrig_tap_recv(q, &hdr, got, &len, 0));

	/* without the state everything arrives, rather than nothing */
	vifrig_kill_worker(&rig);
	assert_int_equal(ftruncate(rig.state_fd, 0), 0);
	vifrig_up(&rig, true);
	assert_true(multicast_arrives(other));
	/* nor because something else changes, or the next worker finds a state again */
	assert_int_equal(vifrig_adjust(&rig, 256, true), 0);
	assert_true(multicast_arrives(other));
	next_worker();
	assert_true(multicast_arrives(other));
	/* until the frontend starts over */
	assert_int_equal(vifrig_adjust(&rig, 256, false), 0);
	assert_int_equal(vifrig_adjust(&rig, 256, true), 0);
	assert_false(multicast_arrives(other));
	change_multicast(add, other, NETIF_RSP_OKAY);
	next_worker();
	assert_true(multicast_arrives(other));
	assert_false(multicast_arrives(mac));
	down();

	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	change_multicast(add, mac, NETIF_RSP_ERROR);
	assert_true(multicast_arrives(mac));
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),   cmocka_unit_test(test_hash),
		cmocka_unit_test(test_steering),  cmocka_unit_test(test_static_grants),
		cmocka_unit_test(test_multicast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
