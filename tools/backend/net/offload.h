/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between what netif.h says of a packet's checksum and segmentation and what
 * struct virtio_net_hdr says of it, which is how a tap has it. Pure.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/packet.h"

/*
 * Segments below this would make thousands of packets of one. It is the least that TCP
 * may send (RFC 879 takes 536 for granted) by a wide margin.
 */
#define OFFLOAD_MIN_GSO 32u

/* What the frontend can take. */
struct offload_caps {
	bool csum4, csum6; /* checksums left blank */
	bool gso4, gso6;   /* TCP packets beyond the MTU */
};

/* What a packet carries beside its bytes, in terms of netif.h. */
struct offload_info {
	bool csum_blank;
	bool validated;
	uint8_t gso_type;  /* XEN_NETIF_GSO_TYPE_* */
	uint16_t gso_size; /* payload of a segment, bytes */
};

/*
 * offload_from_guest - make the header that goes before the frame into the tap
 * @len: bytes of the frame; padding behind the IP packet is cut off when the
 *   checksum is left blank, since it would be summed
 *
 * The blank field is filled as the kernel expects it, whatever the guest left in it.
 * Returns 0, or -EINVAL with @ret_why: the packet is no such packet as it claims.
 */
int offload_from_guest(uint8_t *frame, size_t *len, const struct offload_info *info,
		       struct virtio_net_hdr *ret, const char **ret_why);

enum offload_verdict {
	OFFLOAD_PASS,    /* as it is, with what ret_info says */
	OFFLOAD_SEGMENT, /* cut it up (segment.h): the frontend cannot take it whole */
	OFFLOAD_DROP,    /* the header contradicts the frame */
};

/*
 * offload_to_guest - judge a packet that came from the tap
 * @packet: of packet_parse(); filled by the caller
 *
 * A blank checksum that the frontend cannot take, or would not find, is computed here.
 */
enum offload_verdict offload_to_guest(uint8_t *frame, size_t len, const struct packet *packet,
				      const struct virtio_net_hdr *hdr,
				      const struct offload_caps *caps,
				      struct offload_info *ret_info);
