/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets go both ways unharmed, whatever their shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	assert_int_equal(vifrig_simple(&rig, WORKER_DETACH), 0);
	assert_false(rig.has_ring_error);
	vifrig_free(&rig);
}

/* What is in the tap has to be what is in frame, but for @skip bytes at @at. */
static struct virtio_net_hdr expect_tap(size_t len, size_t at, size_t skip)
{
	struct virtio_net_hdr hdr;
	size_t n;

	assert_true(vifrig_tap_recv(q, &hdr, got, &n, VIFRIG_TIMEOUT));
	assert_int_equal(n, len);
	if (skip) {
		assert_memory_equal(got, frame, at);
		assert_memory_equal(got + at + skip, frame + at + skip, len - at - skip);
	} else {
		assert_memory_equal(got, frame, len);
	}
	return hdr;
}

static void test_tx_shapes(void **state)
{
	uint32_t put = 0;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	for (unsigned int slots = 1; slots <= 18; slots++) {
		for (unsigned int shape = 0; shape < 4; shape++) {
			uint16_t sizes[18];
			size_t len = 0;

			for (unsigned int i = 0; i < slots; i++) {
				static const uint16_t last[] = { 1, 0, 700, 3000 };

				/* the first has a header at least, others may be empty */
				sizes[i] = i ? (uint16_t)(last[shape] + i) : 60;
				if (shape == 1)
					sizes[i] = i ? 0 : 14;
				len += sizes[i];
			}
			for (size_t i = 0; i < len; i++)
				frame[i] = vifframe_byte(i + slots);
			vifrig_put_frame(q, frame, len, sizes, slots, 0, NULL, 0);
			vifrig_push_tx(q);
			for (unsigned int i = 0; i < slots; i++) {
				struct netif_tx_response rsp = vifrig_await_tx(q);

				assert_int_equal(rsp.id, put++ % VIFRIG_SLOTS);
				assert_int_equal(rsp.status, NETIF_RSP_OKAY);
			}
			expect_tap(len, 0, 0);
		}
	}
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_packets, 18 * 4);
	assert_int_equal(rig.stats.tx_errors, 0);
	down();
}

static void test_tx_offload(void **state)
{
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	for (unsigned int variant = 0; variant < 16; variant++) {
		struct vifframe f = {
			.family = variant & 1 ? 6 : 4,
			.protocol = protocols[variant >> 1 & 1],
			.vlan = variant & 4,
			.extension = (variant & 9) == 9,
			.blank = true,
			.payload = 100 + variant,
			.padding = variant & 8,
		};
		struct vifframe_where w;
		size_t len = vifframe_make(&f, frame, &w);
		size_t field = w.l4 + (f.protocol == IPPROTO_TCP ? 16 : 6);
		struct virtio_net_hdr hdr;

		vifrig_send(q, frame, len, NETTXF_csum_blank | NETTXF_data_validated, NULL,
			    NETIF_RSP_OKAY);
		hdr = expect_tap(len - f.padding, field, 2);
		assert_int_equal(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		assert_int_equal(hdr.csum_start, w.l4);
		assert_int_equal(hdr.csum_start + hdr.csum_offset, field);
		assert_int_equal(got[field] << 8 | got[field + 1], vifframe_pseudo(frame, len));
	}

	/* validated only, and neither */
	size_t len = vifframe_make(&(struct vifframe){ .family = 4, .protocol = IPPROTO_UDP },
				   frame, NULL);

	vifrig_send(q, frame, len, NETTXF_data_validated, NULL, NETIF_RSP_OKAY);
	assert_int_equal(expect_tap(len, 0, 0).flags, VIRTIO_NET_HDR_F_DATA_VALID);
	vifrig_send(q, frame, len, 0, NULL, NETIF_RSP_OKAY);
	assert_int_equal(expect_tap(len, 0, 0).flags, 0);
	down();
}

static void test_tx_gso(void **state)
{
	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	for (int family = 4; family <= 6; family += 2) {
		struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
		struct vifframe_where w;
		struct virtio_net_hdr hdr;
		size_t len;

		len = vifframe_make(&(struct vifframe){ .family = family,
							.protocol = IPPROTO_TCP,
							.payload = 60000,
							.blank = true },
				    frame, &w);
		gso.u.gso.size = 1448;
		gso.u.gso.type = family == 4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
		/* some frontends forget the checksum's flag */
		for (unsigned int flag = 0; flag < 2; flag++) {
			vifrig_send(q, frame, len, flag ? NETTXF_csum_blank : 0, &gso,
				    NETIF_RSP_OKAY);
			hdr = expect_tap(len, w.l4 + 16, 2);
			assert_int_equal(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			assert_int_equal(hdr.gso_type, family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
								   : VIRTIO_NET_HDR_GSO_TCPV6);
			assert_int_equal(hdr.gso_size, 1448);
			assert_int_equal(hdr.hdr_len, w.payload);
			assert_int_equal(hdr.csum_start, w.l4);
			assert_int_equal(hdr.csum_offset, 16);
		}
	}
	down();
}

/* The ring goes round many times, across the wrap of its indices, with batches of all sizes. */
static void test_tx_many(void **state)
{
	uint32_t sent = 0, answered = 0, arrived = 0;
	struct counters_file file;
	struct virtio_net_hdr hdr;
	uint64_t bytes = 0;
	size_t len;

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL, .poll_us = 50 });
	vifrig_reset_rings(&rig, UINT32_MAX - 300);
	vifrig_up(&rig, false);
	while (arrived < 3000) {
		uint32_t burst = 1 + sent % 61;

		while (sent < 3000 && burst-- && q->tx_prod - q->tx_cons < VIFRIG_SLOTS) {
			uint16_t size = (uint16_t)(64 + sent % 1400);

			memset(frame, 0, size);
			memcpy(frame + 20, &sent, sizeof(sent));
			vifrig_put_frame(q, frame, size, &size, 1, 0, NULL, 0);
			sent++;
		}
		vifrig_push_tx(q);
		while (answered < sent) {
			assert_int_equal(vifrig_await_tx(q).status, NETIF_RSP_OKAY);
			answered++;
		}
		while (arrived < sent) {
			uint32_t number;

			assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
			memcpy(&number, got + 20, sizeof(number));
			assert_int_equal(number, arrived);
			assert_int_equal(len, 64 + arrived % 1400);
			arrived++;
		}
	}
	for (uint32_t i = 0; i < 3000; i++)
		bytes += 64 + i % 1400;
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_packets, 3000);
	assert_int_equal(rig.stats.tx_bytes, bytes);
	/* whoever reads the file sees the same, and the next worker goes on from there */
	vifrig_kill_worker(&rig);
	assert_int_equal(pread(rig.counters_fd, &file, sizeof(file), 0), sizeof(file));
	assert_int_equal(file.head.kind, COUNTERS_VIF);
	assert_int_equal(file.block[0].vif.tx_packets, 3000);
	assert_int_equal(file.block[0].vif.tx_bytes, bytes);
	vifrig_up(&rig, true);
	vifrig_send(q, frame, 60, 0, NULL, NETIF_RSP_OKAY);
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_packets, 3001);
	/* one event a pass at most, and a pass takes several */
	assert_true(rig.stats.events_sent < 3000);
	assert_true(rig.stats.grant_copies < 3000);
	down();
}

static void test_rx_shapes(void **state)
{
	static const size_t sizes[] = { 14,   60,    1514,  4096,  4097, 8192,
					9014, 40000, 61441, 65535, 65549 };

	(void)state;
	for (unsigned int headroom = 0; headroom <= 256; headroom += 256) {
		up(&(struct vifrig_options){ .features = VIFRIG_ALL, .headroom = headroom });
		for (unsigned int i = 0; i < ELEMENTSOF(sizes); i++) {
			size_t len = sizes[i];

			for (size_t b = 0; b < len; b++)
				frame[b] = vifframe_byte(b + i) & 0xfe;
			vifrig_post_rx(q, VIFRIG_SLOTS - (q->rx_prod - q->rx_cons));
			vifrig_tap_send(q, NULL, frame, len);
			vifrig_await_rx(q, &packet);
			assert_int_equal(packet.status, 0);
			assert_int_equal(packet.len, len);
			assert_memory_equal(packet.data, frame, len);
			assert_int_equal(packet.slots,
					 (len + headroom + VIFRIG_PAGE - 1) / VIFRIG_PAGE);
			assert_int_equal(packet.offset, headroom);
			assert_int_equal(packet.has_xdp, headroom > 0);
			assert_int_equal(packet.headroom, headroom);
			assert_false(packet.has_gso);
		}
		/* the frontend changes its mind */
		assert_int_equal(vifrig_adjust(&rig, 200, false), 0);
		vifrig_tap_send(q, NULL, frame, 100);
		vifrig_await_rx(q, &packet);
		assert_int_equal(packet.headroom, 200);
		assert_memory_equal(packet.data, frame, 100);
		down();
	}
}

static void test_rx_offload(void **state)
{
	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	vifrig_post_rx(q, VIFRIG_SLOTS);
	for (int family = 4; family <= 6; family += 2) {
		struct vifframe f = { .family = family, .protocol = IPPROTO_UDP, .payload = 99 };
		struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					      .csum_offset = 6 };
		struct vifframe_where w;
		size_t len;

		f.blank = true;
		len = vifframe_make(&f, frame, &w);
		hdr.csum_start = (uint16_t)w.l4;
		vifrig_tap_send(q, &hdr, frame, len);
		vifrig_await_rx(q, &packet);
		assert_int_equal(packet.flags, NETRXF_csum_blank | NETRXF_data_validated);
		assert_memory_equal(packet.data, frame, len);

		/* in a VLAN no frontend would find the field: it is filled */
		f.vlan = true;
		len = vifframe_make(&f, frame, &w);
		frame[w.l4 + 6] = (uint8_t)(vifframe_pseudo(frame, len) >> 8);
		frame[w.l4 + 7] = (uint8_t)vifframe_pseudo(frame, len);
		hdr.csum_start = (uint16_t)w.l4;
		vifrig_tap_send(q, &hdr, frame, len);
		vifrig_await_rx(q, &packet);
		assert_int_equal(packet.flags, 0);
		assert_int_equal(vifframe_sum(packet.data, packet.len), 0xffff);

		hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		vifrig_tap_send(q, &hdr, frame, len);
		vifrig_await_rx(q, &packet);
		assert_int_equal(packet.flags, NETRXF_data_validated);
	}
	for (int family = 4; family <= 6; family += 2) {
		struct vifframe f = { .family = family, .protocol = IPPROTO_TCP, .payload = 64000 };
		struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					      .gso_size = 1400,
					      .csum_offset = 16 };
		struct vifframe_where w;
		size_t len = vifframe_make(&f, frame, &w);

		hdr.gso_type = family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		hdr.csum_start = (uint16_t)w.l4;
		vifrig_post_rx(q, VIFRIG_SLOTS - (q->rx_prod - q->rx_cons));
		vifrig_tap_send(q, &hdr, frame, len);
		vifrig_await_rx(q, &packet);
		assert_int_equal(packet.len, len);
		assert_memory_equal(packet.data, frame, len);
		assert_true(packet.has_gso);
		assert_int_equal(packet.gso.u.gso.size, 1400);
		assert_int_equal(packet.gso.u.gso.type,
				 family == 4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6);
		assert_int_equal(packet.flags & NETRXF_csum_blank, NETRXF_csum_blank);
	}
	down();
}

/* A large packet that the frontend cannot take whole arrives as those of the wire. */
static void expect_segments(const struct vifframe *f, size_t mss)
{
	struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				      .gso_size = (uint16_t)mss,
				      .csum_offset = 16 };
	struct vifframe_where w;
	size_t len = vifframe_make(f, frame, &w), done = 0;
	unsigned int nr = 0;

	hdr.gso_type = f->family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	hdr.csum_start = (uint16_t)w.l4;
	vifrig_post_rx(q, VIFRIG_SLOTS - (q->rx_prod - q->rx_cons));
	vifrig_tap_send(q, &hdr, frame, len);
	while (done < f->payload) {
		size_t n = f->payload - done < mss ? f->payload - done : mss;
		bool last = done + n == f->payload;

		vifrig_await_rx(q, &packet);
		assert_int_equal(packet.len, w.payload + n);
		assert_false(packet.has_gso);
		assert_int_equal(packet.flags, NETRXF_data_validated);
		assert_int_equal(vifframe_sum(packet.data, packet.len), 0xffff);
		assert_memory_equal(packet.data + w.payload, frame + w.payload + done, n);
		/* sequence number, FIN and PSH at the end, CWR at the start */
		assert_int_equal(packet.data[w.l4 + 4] << 24 | packet.data[w.l4 + 5] << 16 |
					 packet.data[w.l4 + 6] << 8 | packet.data[w.l4 + 7],
				 77 + done);
		assert_int_equal(packet.data[w.l4 + 13],
				 0x10 | (last ? 0x09 : 0) | (nr ? 0 : 0x80));
		if (f->family == 4)
			assert_int_equal(packet.data[w.l3 + 5], (uint8_t)(0x34 + nr));
		done += n;
		nr++;
	}
	assert_false(vifrig_take_rx(q, &packet));
}

static void test_rx_segments(void **state)
{
	struct vifframe f = { .protocol = IPPROTO_TCP, .payload = 20001, .flags = 0x99 };

	(void)state;
	/* it cannot take any offload */
	up(&(struct vifrig_options){ .features = WORKER_VIF_RX_NOTIFY });
	for (f.family = 4; f.family <= 6; f.family += 2)
		expect_segments(&f, 1440);
	down();
	/* it can, but not in a VLAN */
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	f.vlan = true;
	for (f.family = 4; f.family <= 6; f.family += 2)
		expect_segments(&f, 1000);
	down();
}

/* A frontend that offers few buffers gets everything all the same, in order. */
static void test_rx_few_buffers(void **state)
{
	uint32_t sent = 0, number;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	for (uint32_t seen = 0; seen < 300; seen++) {
		while (sent < 300 && sent - seen < 40) {
			size_t len = sent % 7 == 6 ? 9000 : 100;

			memset(frame, 0, len);
			memcpy(frame + 20, &sent, sizeof(sent));
			vifrig_tap_send(q, NULL, frame, len);
			sent++;
		}
		/* one after the other, so that the worker has to ask for more each time */
		while (!vifrig_take_rx(q, &packet)) {
			if (q->rx_prod - q->rx_cons < 3)
				vifrig_post_rx(q, 1);
			else
				assert_int_equal(
					loopfront_wait(rig.lf, q->where.rx_evtchn, VIFRIG_TIMEOUT),
					0);
		}
		memcpy(&number, packet.data + 20, sizeof(number));
		assert_int_equal(number, seen);
	}
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.rx_packets, 300);
	assert_int_equal(rig.stats.rx_dropped, 0);
	down();
}

/* Without feature-rx-notify no event comes with new buffers, and they are found all the same. */
static void test_rx_no_notify(void **state)
{
	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL & ~WORKER_VIF_RX_NOTIFY });
	memset(frame, 0, 100);
	vifrig_tap_send(q, NULL, frame, 100);
	vifrig_post_rx_silently(q, 1);
	vifrig_await_rx(q, &packet);
	assert_int_equal(packet.len, 100);
	down();
}

static void test_both_ways(void **state)
{
	(void)state;
	for (unsigned int one = 0; one < 2; one++) {
		struct virtio_net_hdr hdr;
		size_t len;

		up(&(struct vifrig_options){
			.features = VIFRIG_ALL, .queues = 4, .one_channel = one, .poll_us = 20 });
		for (unsigned int round = 0; round < 50; round++) {
			for (unsigned int i = 0; i < 4; i++) {
				struct vifrig_queue *each = &rig.queue[i];

				memset(frame, (int)(round * 4 + i), 200);
				frame[0] = 0;
				vifrig_post_rx(each, 1);
				vifrig_tap_send(each, NULL, frame, 200);
				vifrig_send(each, frame, 200, 0, NULL, NETIF_RSP_OKAY);
				assert_true(vifrig_tap_recv(each, &hdr, got, &len, VIFRIG_TIMEOUT));
				assert_memory_equal(got, frame, 200);
				vifrig_await_rx(each, &packet);
				assert_memory_equal(packet.data, frame, 200);
			}
		}
		down();
	}
}

/* A tap that is full holds the guest up, and loses nothing. */
static void test_tap_full(void **state)
{
	uint32_t put = 0, answered = 0, arrived = 0, number;
	struct netif_tx_response rsp;
	struct virtio_net_hdr hdr;
	size_t len;

	(void)state;
	up(&(struct vifrig_options){ .features = VIFRIG_ALL });
	while (put < 4000) {
		uint16_t size = 4000;

		while (put < 4000 && q->tx_prod - q->tx_cons < VIFRIG_SLOTS) {
			memset(frame, 0, size);
			memcpy(frame + 20, &put, sizeof(put));
			vifrig_put_frame(q, frame, size, &size, 1, 0, NULL, 0);
			put++;
		}
		vifrig_push_tx(q);
		/* read only when nothing is answered any more */
		while (vifrig_take_tx(q, &rsp) ||
		       (q->tx_prod - q->tx_cons == VIFRIG_SLOTS &&
			loopfront_wait(rig.lf, q->where.tx_evtchn, 20) == 0))
			answered = q->tx_cons;
		if (q->tx_prod - q->tx_cons == VIFRIG_SLOTS) {
			for (unsigned int i = 0; i < 100; i++) {
				assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
				memcpy(&number, got + 20, sizeof(number));
				assert_int_equal(number, arrived);
				arrived++;
			}
		}
	}
	while (arrived < put) {
		assert_true(vifrig_tap_recv(q, &hdr, got, &len, VIFRIG_TIMEOUT));
		memcpy(&number, got + 20, sizeof(number));
		assert_int_equal(number, arrived);
		arrived++;
	}
	while (q->tx_cons != q->tx_prod)
		assert_int_equal(vifrig_await_tx(q).status, NETIF_RSP_OKAY);
	assert_true(answered > 0);
	down();
}

/*
 * What concerns the device is said once, by the first queue: each of those calls takes a lock
 * of the whole host. A pipe would refuse them.
 */
static void test_tap_set_up_once(void **state)
{
	struct vifrig_queue *second = &rig.queue[1];
	int ends[2];

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL, .queues = 2 });
	close(second->tap_worker);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	second->tap_worker = ends[0];
	vifrig_up(&rig, false);
	assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	memset(frame, 1, 100);
	vifrig_send(q, frame, 100, 0, NULL, NETIF_RSP_OKAY);
	expect_tap(100, 0, 0);
	down();
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tx_shapes),    cmocka_unit_test(test_tx_offload),
		cmocka_unit_test(test_tx_gso),       cmocka_unit_test(test_tx_many),
		cmocka_unit_test(test_rx_shapes),    cmocka_unit_test(test_rx_offload),
		cmocka_unit_test(test_rx_segments),  cmocka_unit_test(test_rx_few_buffers),
		cmocka_unit_test(test_rx_no_notify), cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_tap_full),     cmocka_unit_test(test_tap_set_up_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
