/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame on its way to the guest, with any header before it: parsed, hashed, its
 * checksum filled, spread over slots or cut up; all within its bytes.
 *
 * Input: what the frontend can take, headroom, hash, header, frame.
 */
#include <stdint.h>

#include <xen/io/netif.h>

#include "fuzz.h"
#include "host/host.h"
#include "net/segment.h"
#include "worker/vif-hash.h"
#include "worker/vif-request.h"

static void check_packet(const struct packet *p, size_t len)
{
	MUST_HOLD(p->family == 0 || p->family == 4 || p->family == 6);
	if (!p->family)
		return;
	MUST_HOLD(p->l3 >= PACKET_ETH_HEADER && p->l3 <= p->end && p->end <= len);
	if (p->protocol) {
		MUST_HOLD(p->l3 < p->l4 && p->l4 + 8 <= p->payload && p->payload <= p->end);
		MUST_HOLD(p->l4 + packet_csum_offset(p) + 2 <= p->payload);
	}
}

static void check_layout(uint32_t len, uint32_t headroom)
{
	struct vif_rx_slot slot[VIF_MAX_FRAGS];
	uint32_t n = vif_rx_layout(len, headroom, slot), sum = 0;

	MUST_HOLD(n >= 1 && n <= VIF_MAX_FRAGS);
	for (uint32_t i = 0; i < n; i++) {
		MUST_HOLD(slot[i].len >= 1 && slot[i].offset + slot[i].len <= (int)HOST_PAGE_SIZE);
		MUST_HOLD(slot[i].offset == (i ? 0 : headroom));
		sum += slot[i].len;
	}
	MUST_HOLD(sum == len);
}

static void check_segments(const uint8_t *frame, const struct packet *p, uint32_t size)
{
	uint32_t payload = p->end - p->payload, sum = 0, n = 0;
	uint8_t *out = malloc(p->payload + size);
	struct segment s;

	segment_begin(&s, frame, p, size);
	/* a few thousand of the smallest prove no more than these */
	while (segment_left(&s) && n++ < 64) {
		size_t len = segment_next(&s, out);
		struct packet q;

		MUST_HOLD(len > p->payload && len <= p->payload + size);
		packet_parse(out, len, &q);
		MUST_HOLD(q.protocol == p->protocol && q.l4 == p->l4 && q.end == len);
		sum += (uint32_t)len - p->payload;
	}
	MUST_HOLD(sum == payload || n > 64);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t bits = take_u8(&in), type = 99;
	struct offload_caps caps = { bits & 1, bits & 2, bits & 4, bits & 8 };
	uint32_t headroom = take_u32(&in) % HOST_PAGE_SIZE, hash;
	struct vif_hash_config config = { .algorithm = 1, .flags = bits >> 4 };
	struct offload_info info = { 0 };
	static struct vif_hash h;
	struct virtio_net_hdr hdr;
	enum offload_verdict v;
	struct packet p;
	uint8_t *frame;
	size_t len;

	take_bytes(&in, config.key, 4);
	take_bytes(&in, &hdr, sizeof(hdr));
	len = in.size;
	if (len < PACKET_ETH_HEADER || len > PACKET_MAX)
		return 0;
	frame = malloc(len);
	take_bytes(&in, frame, len);

	packet_parse(frame, len, &p);
	check_packet(&p, len);
	vif_hash_init(&h, &config);
	if (vif_hash_packet(&h, frame, &p, &hash, &type))
		MUST_HOLD(type < 4 && config.flags & 1u << type);
	else
		MUST_HOLD(hash == 0);
	MUST_HOLD(vif_hash_queue(&h, hash, 3) < 3);
	check_layout((uint32_t)len, headroom);

	v = offload_to_guest(frame, len, &p, &hdr, &caps, &info);
	if (v == OFFLOAD_SEGMENT) {
		MUST_HOLD(p.protocol && hdr.gso_size && p.end - p.payload > hdr.gso_size);
		check_segments(frame, &p, hdr.gso_size);
	} else if (v == OFFLOAD_PASS && info.csum_blank) {
		MUST_HOLD(p.protocol && (p.family == 4 ? caps.csum4 : caps.csum6));
	}
	if (v == OFFLOAD_PASS && info.gso_type != XEN_NETIF_GSO_TYPE_NONE)
		MUST_HOLD(info.gso_size && info.csum_blank);
	free(frame);
	return 0;
}
