/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "testback-vif.h"

int tap_open(uint32_t domid, uint32_t handle)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "vif%u.%u", domid, handle);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* Where the checksum begins and is, if it is one that may be left to us. */
static bool find_checksum(const uint8_t *frame, size_t len, struct virtio_net_hdr *hdr)
{
	uint16_t type;
	size_t start;
	uint8_t proto;

	if (len < sizeof(struct ether_header) + sizeof(struct ip6_hdr))
		return false;
	memcpy(&type, frame + offsetof(struct ether_header, ether_type), sizeof(type));
	start = sizeof(struct ether_header);
	if (ntohs(type) == ETHERTYPE_IP) {
		proto = frame[start + offsetof(struct iphdr, protocol)];
		start += (frame[start] & 15u) * 4u;
	} else if (ntohs(type) == ETHERTYPE_IPV6) {
		proto = frame[start + offsetof(struct ip6_hdr, ip6_nxt)];
		start += sizeof(struct ip6_hdr);
	} else {
		return false;
	}
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return false;
	hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = (uint16_t)start;
	hdr->csum_offset = proto == IPPROTO_TCP ? offsetof(struct tcphdr, check)
						: offsetof(struct udphdr, check);
	return true;
}

void tap_write(int fd, const void *frame, size_t len, bool blank)
{
	struct virtio_net_hdr hdr = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { (void *)(uintptr_t)frame, len } };

	if (blank && !find_checksum(frame, len, &hdr))
		return;
	/* A tap that is down, or full, loses frames as any network does. */
	if (writev(fd, iov, 2) < 0 && errno != EIO && errno != EAGAIN)
		fprintf(stderr, "%s: tap: frame of %zu bytes: %s\n", program, len, strerror(errno));
}

ssize_t tap_read(int fd, void *frame, size_t size)
{
	struct virtio_net_hdr hdr;
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { frame, size } };
	ssize_t n = readv(fd, iov, 2);

	if (n < 0)
		return -errno;
	return n < (ssize_t)sizeof(hdr) ? -EIO : n - (ssize_t)sizeof(hdr);
}
