/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/offload.h"

#include <errno.h>
#include <netinet/in.h>

#include <xen/io/netif.h>

static int fail(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

int offload_from_guest(uint8_t *frame, size_t *len, const struct offload_info *info,
		       struct virtio_net_hdr *ret, const char **ret_why)
{
	struct virtio_net_hdr hdr = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct packet p;

	if (!info->csum_blank && info->gso_type == XEN_NETIF_GSO_TYPE_NONE) {
		if (info->validated)
			hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		*ret = hdr;
		return 0;
	}
	packet_parse(frame, *len, &p);
	if (!p.protocol)
		return fail(ret_why, "left a checksum blank that is not of TCP or UDP");
	if (info->gso_type != XEN_NETIF_GSO_TYPE_NONE) {
		bool v4 = info->gso_type == XEN_NETIF_GSO_TYPE_TCPV4;

		if (p.protocol != IPPROTO_TCP || p.family != (v4 ? 4 : 6))
			return fail(ret_why, "asks to segment what is not TCP over that IP");
		if (info->gso_size < OFFLOAD_MIN_GSO)
			return fail(ret_why, "asks for segments that are too small");
		hdr.gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		hdr.gso_size = info->gso_size;
		hdr.hdr_len = (uint16_t)p.payload;
	}
	*len = p.end;
	packet_blank_csum(frame, &p);
	hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr.csum_start = (uint16_t)p.l4;
	hdr.csum_offset = (uint16_t)packet_csum_offset(&p);
	*ret = hdr;
	return 0;
}

/* Would the frontend find the field by looking at the headers, as it has to? */
static bool finds_csum(const struct packet *p, const struct virtio_net_hdr *hdr,
		       const struct offload_caps *caps)
{
	if (!p->protocol || p->vlan)
		return false;
	if (!(p->family == 4 ? caps->csum4 : caps->csum6))
		return false;
	return hdr->csum_start == p->l4 && hdr->csum_offset == packet_csum_offset(p);
}

enum offload_verdict offload_to_guest(uint8_t *frame, size_t len, const struct packet *packet,
				      const struct virtio_net_hdr *hdr,
				      const struct offload_caps *caps,
				      struct offload_info *ret_info)
{
	struct offload_info info = { .gso_type = XEN_NETIF_GSO_TYPE_NONE };
	bool blank = hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	unsigned int gso = hdr->gso_type & ~(unsigned int)VIRTIO_NET_HDR_GSO_ECN;
	bool v4 = gso == VIRTIO_NET_HDR_GSO_TCPV4;

	if (gso != VIRTIO_NET_HDR_GSO_NONE) {
		if (!v4 && gso != VIRTIO_NET_HDR_GSO_TCPV6)
			return OFFLOAD_DROP;
		if (packet->protocol != IPPROTO_TCP || packet->family != (v4 ? 4 : 6) ||
		    !hdr->gso_size)
			return OFFLOAD_DROP;
		if (packet->end - packet->payload > hdr->gso_size) {
			if (packet->vlan || !(v4 ? caps->gso4 : caps->gso6) || !blank)
				return OFFLOAD_SEGMENT;
			info.gso_type = v4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
			info.gso_size = hdr->gso_size;
		}
	}
	if (blank && finds_csum(packet, hdr, caps)) {
		info.csum_blank = true;
		info.validated = true;
	} else if (blank) {
		if (info.gso_type != XEN_NETIF_GSO_TYPE_NONE)
			return OFFLOAD_SEGMENT;
		if (packet_finish_csum(frame, len, hdr->csum_start, hdr->csum_offset) < 0)
			return OFFLOAD_DROP;
	} else if (hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		info.validated = true;
	}
	*ret_info = info;
	return OFFLOAD_PASS;
}
