/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same over a real tap, in a network namespace of its own, with the kernel's UDP and
 * TCP at the other end: it checks our checksums and segments our large packets, and we
 * get its. Skipped where there is no tap to be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vifframe.h"
#include "vifrig.h"

static struct vifrig rig;
static struct vifrig_queue *q = &rig.queue[0];
static uint8_t frame[VIFRIG_MAX_FRAME];
static struct vifrig_packet packet;
static int udp = -1;

/* The MAC of the frames of vifframe.c that go to the host. */
static const uint8_t host_mac[6] = { 0x00, 0x16, 0x3e, 0, 0, 1 };

static int make_tap(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	strcpy(ifr.ifr_name, "vif1.3");
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void set_address(int sock, struct ifreq *ifr, unsigned long what, const char *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ifr->ifr_addr;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	if (ioctl(sock, what, ifr) < 0)
		vifrig_die("ioctl %#lx: %m", what);
}

/* 10.0.0.2 is the host, 10.0.0.1 the guest, whose MAC is known. */
static void configure(void)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };
	struct arpreq arp = { .arp_flags = ATF_COM | ATF_PERM, .arp_dev = "vif1.3" };
	struct sockaddr_in *in = (struct sockaddr_in *)&arp.arp_pa;

	strcpy(ifr.ifr_name, "vif1.3");
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, host_mac, 6);
	if (ioctl(sock, SIOCSIFHWADDR, &ifr) < 0)
		vifrig_die("MAC: %m");
	set_address(sock, &ifr, SIOCSIFADDR, "10.0.0.2");
	set_address(sock, &ifr, SIOCSIFNETMASK, "255.255.255.0");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		vifrig_die("up: %m");
	in->sin_family = AF_INET;
	inet_pton(AF_INET, "10.0.0.1", &in->sin_addr);
	memcpy(arp.arp_ha.sa_data, "\x00\x16\x3e\0\0\2", 6);
	if (ioctl(sock, SIOCSARP, &arp) < 0)
		vifrig_die("ARP: %m");
	close(sock);
}

static int set_up(void **state)
{
	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL });
	if (unshare(CLONE_NEWNET) < 0)
		return 0;
	close(q->tap_worker);
	q->tap_worker = make_tap();
	if (q->tap_worker >= 0) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(2000) };

		configure();
		udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (udp < 0 || bind(udp, (struct sockaddr *)&in, sizeof(in)) < 0)
			vifrig_die("UDP: %m");
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (q->tap_worker < 0)
		q->tap_worker = dup(q->tap);
	vifrig_free(&rig);
	return 0;
}

static void need_tap(void)
{
	if (udp < 0) {
		print_message("no tap to be had: %s\n", strerror(errno));
		skip();
	}
}

/* The next packet that is IPv4: the kernel has things of its own to say. */
static void await_ipv4(struct vifframe_where *ret)
{
	do {
		vifrig_post_rx(q, VIFRIG_SLOTS - (q->rx_prod - q->rx_cons));
		vifrig_await_rx(q, &packet);
	} while (packet.data[12] != 0x08 || packet.data[13] != 0);
	*ret = (struct vifframe_where){ 14, 34, 0 };
}

static void test_to_host(void **state)
{
	static uint8_t data[65536];
	struct pollfd p = { .fd = udp, .events = POLLIN };

	(void)state;
	need_tap();
	vifrig_up(&rig, false);
	for (unsigned int blank = 0; blank < 2; blank++) {
		struct vifframe f = {
			.family = 4, .protocol = IPPROTO_UDP, .payload = 1000, .blank = blank
		};
		size_t len = vifframe_make(&f, frame, NULL);

		vifrig_send(q, frame, len, blank ? NETTXF_csum_blank : 0, NULL, NETIF_RSP_OKAY);
		p.fd = udp;
		assert_int_equal(poll(&p, 1, VIFRIG_TIMEOUT), 1);
		assert_int_equal(recv(udp, data, sizeof(data), 0), 1000);
		for (size_t i = 0; i < 1000; i++)
			assert_int_equal(data[i], vifframe_byte(i));
	}
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_dropped, 0);
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	vifrig_stop_worker(&rig);
}

static void test_from_host(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1000) };
	struct vifframe_where w;
	uint8_t data[1000];

	(void)state;
	need_tap();
	inet_pton(AF_INET, "10.0.0.1", &to.sin_addr);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = vifframe_byte(i);
	/* one that takes blank checksums, one that does not, and its successor */
	for (unsigned int i = 0; i < 3; i++) {
		rig.o.features = i ? WORKER_VIF_RX_NOTIFY : VIFRIG_ALL;
		if (i < 2) {
			vifrig_reset_rings(&rig, 0);
			vifrig_up(&rig, false);
		} else {
			vifrig_kill_worker(&rig);
			vifrig_up(&rig, true);
		}
		assert_int_equal(
			sendto(udp, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(data));
		await_ipv4(&w);
		assert_int_equal(packet.len, 14 + 20 + 8 + sizeof(data));
		assert_memory_equal(packet.data + 42, data, sizeof(data));
		if (i == 0)
			assert_true(packet.flags & NETRXF_csum_blank);
		else
			assert_false(packet.flags & NETRXF_csum_blank);
		if (i > 0)
			assert_int_equal(vifframe_sum(packet.data, packet.len), 0xffff);
		if (i != 1) {
			assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
			vifrig_stop_worker(&rig);
		}
	}
}

/* A TCP connection of the host to a guest that says just enough. */
static uint32_t seq_of(size_t at)
{
	const uint8_t *p = packet.data + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Send a TCP segment of the guest; large ones with GSO. */
static void send_tcp(uint16_t host_port, uint32_t seq, uint32_t ack, uint8_t flags, size_t payload)
{
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
	struct vifframe f = { .family = 4,
			      .protocol = IPPROTO_TCP,
			      .payload = payload,
			      .flags = flags,
			      .port = 80,
			      .blank = true };
	struct vifframe_where w;
	size_t len = vifframe_make(&f, frame, &w);

	gso.u.gso.size = 1400;
	gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	frame[w.l4 + 2] = (uint8_t)(host_port >> 8);
	frame[w.l4 + 3] = (uint8_t)host_port;
	put32(frame + w.l4 + 4, seq);
	put32(frame + w.l4 + 8, ack);
	frame[w.l4 + 14] = 0xff;
	vifrig_send(q, frame, len, NETTXF_csum_blank | NETTXF_data_validated,
		    payload > 1400 ? &gso : NULL, NETIF_RSP_OKAY);
}

static void test_tcp(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
	static uint8_t data[60000];
	uint32_t iss, seen = 0;
	struct vifframe_where w;
	bool large = false;
	uint16_t port;
	size_t n = 0;
	int sock;

	(void)state;
	need_tap();
	rig.o.features = VIFRIG_ALL;
	vifrig_reset_rings(&rig, 0);
	vifrig_up(&rig, false);
	inet_pton(AF_INET, "10.0.0.1", &to.sin_addr);
	sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0);
	assert_int_equal(errno, EINPROGRESS);
	do
		await_ipv4(&w);
	while (packet.data[23] != IPPROTO_TCP);
	port = (uint16_t)(packet.data[34] << 8 | packet.data[35]);
	iss = seq_of(38);
	send_tcp(port, 5000, iss + 1, 0x12, 0);

	/* from the guest, larger than any segment */
	send_tcp(port, 5001, iss + 1, 0x18, 30000);
	while (n < 30000) {
		struct pollfd p = { .fd = sock, .events = POLLIN };
		ssize_t got;

		assert_int_equal(poll(&p, 1, VIFRIG_TIMEOUT), 1);
		got = recv(sock, data + n, sizeof(data) - n, 0);
		if (got < 0 && errno == EAGAIN)
			continue;
		assert_true(got > 0);
		n += (size_t)got;
	}
	for (size_t i = 0; i < 30000; i++)
		assert_int_equal(data[i], vifframe_byte(i));

	/* and back */
	assert_int_equal(send(sock, data, 30000, 0), 30000);
	while (seen < 30000) {
		uint32_t at, len, head;

		await_ipv4(&w);
		if (packet.data[23] != IPPROTO_TCP)
			continue;
		head = 34 + (packet.data[46] >> 4) * 4u;
		len = (uint32_t)(packet.data[16] << 8 | packet.data[17]) + 14 - head;
		at = seq_of(38) - (iss + 1);
		if (!len || at != seen)
			continue;
		assert_memory_equal(packet.data + head, data + at, len);
		large |= packet.has_gso;
		seen += len;
		send_tcp(port, 35001, iss + 1 + seen, 0x10, 0);
	}
	assert_true(large);
	close(sock);
	vifrig_stats(&rig);
	assert_int_equal(rig.stats.tx_dropped, 0);
	assert_int_equal(rig.stats.tx_errors, 0);
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	vifrig_stop_worker(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_host),
		cmocka_unit_test(test_from_host),
		cmocka_unit_test(test_tcp),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
