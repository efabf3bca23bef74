/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of a transmit ring, whatever is in them: a packet that is accepted stays within
 * its pages and its own size, and what its headers claim stays within the frame.
 *
 * Input: how many slots wait, the slots, then the frame.
 */
#include <errno.h>
#include <stdint.h>

#include <xen/io/netif.h>

#include "fuzz.h"
#include "host/host.h"
#include "worker/vif-request.h"

#define SLOTS 256u

static void check_frags(const struct vif_tx_request *req, uint32_t pending)
{
	uint32_t sum = 0;

	MUST_HOLD(req->slots >= 1 && req->slots <= pending && req->slots <= VIF_MAX_SLOTS);
	if (req->kind != VIF_TX_PACKET)
		return;
	MUST_HOLD(req->nr_frags >= 1 && req->nr_frags <= VIF_MAX_FRAGS);
	MUST_HOLD(req->nr_frags <= req->slots);
	MUST_HOLD(req->size >= PACKET_ETH_HEADER && req->size <= XEN_NETIF_MAX_TX_SIZE);
	for (uint32_t i = 0; i < req->nr_frags; i++) {
		MUST_HOLD(req->frag[i].offset + (uint32_t)req->frag[i].len <= HOST_PAGE_SIZE);
		sum += req->frag[i].len;
	}
	MUST_HOLD(sum == req->size);
	if (req->offload.gso_type != XEN_NETIF_GSO_TYPE_NONE)
		MUST_HOLD(req->offload.gso_size > 0);
}

static void check_header(const struct virtio_net_hdr *hdr, size_t len)
{
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		MUST_HOLD(hdr->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM);
		MUST_HOLD(hdr->gso_size >= OFFLOAD_MIN_GSO && hdr->hdr_len <= len);
	}
	if (hdr->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM)
		MUST_HOLD(hdr->csum_start + hdr->csum_offset + 2u <= len);
}

static void send(struct input *in, const struct vif_tx_request *req)
{
	uint8_t *frame = malloc(req->size);
	struct virtio_net_hdr hdr;
	size_t len = req->size;
	const char *why = NULL;
	int r;

	take_bytes(in, frame, req->size);
	r = offload_from_guest(frame, &len, &req->offload, &hdr, &why);
	MUST_HOLD(r == 0 || (r == -EINVAL && why));
	MUST_HOLD(len <= req->size);
	if (r == 0)
		check_header(&hdr, len);
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint32_t pending = take_u8(&in), first = take_u32(&in);
	uint8_t *page = aligned_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
	char text[WORKER_ERROR_SIZE] = "";
	struct vif_tx_request req;
	struct ring ring;

	memset(page, 0, HOST_PAGE_SIZE);
	MUST_HOLD(ring_attach(&ring, page, 1, &vif_abi_tx, first, first) == 0);
	MUST_HOLD(ring.slots == SLOTS);
	for (uint32_t i = 0; i < pending; i++)
		take_bytes(&in, page + ABI_RING_HEADER + ((first + i) & (SLOTS - 1)) * 12, 12);
	memcpy(page, (uint32_t[]){ first + pending }, 4);
	while (pending) {
		int r = vif_tx_parse(&ring, pending, &req, text);

		if (r < 0) {
			MUST_HOLD(r == -EPROTO && text[0]);
			break;
		}
		check_frags(&req, pending);
		if (req.kind == VIF_TX_PACKET)
			send(&in, &req);
		ring.req_cons += req.slots;
		pending -= req.slots;
	}
	free(page);
	return 0;
}
