/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet that begins at a slot of a transmit ring: copies its slots once, puts
 * them together and judges them (netif.h, "Guest transmit"). Pure but for the ring.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/offload.h"
#include "worker/proto.h"
#include "worker/ring.h"

#define VIF_MAX_FRAGS  18u /* XEN_NETIF_NR_SLOTS_MIN: what every backend takes */
#define VIF_FATAL      20u /* old frontends go a little beyond; more than that is nonsense */
#define VIF_MAX_EXTRAS 16u
#define VIF_MAX_SLOTS  (VIF_FATAL + VIF_MAX_EXTRAS)

/* Type 5 and its meaning are known to Linux, but missing from Xen's netif.h. */
#define VIF_EXTRA_XDP 5

/* Layouts of the three rings for ring.h: all of them have one page. */
extern const struct abi vif_abi_tx, vif_abi_rx, vif_abi_control;

struct vif_frag {
	uint32_t gref;
	uint16_t offset;
	uint16_t len; /* may be 0; offset + len is within the page */
};

enum vif_tx_kind {
	VIF_TX_PACKET,
	VIF_TX_BAD,       /* answer all of it with NETIF_RSP_ERROR; ret->why */
	VIF_TX_MCAST_ADD, /* no packet: ret->mac joins the list */
	VIF_TX_MCAST_DEL,
};

struct vif_tx_request {
	enum vif_tx_kind kind;
	const char *why;
	uint32_t slots; /* of the ring, extra infos included */
	uint32_t size;  /* of the packet, bytes */
	uint32_t nr_frags;
	struct vif_frag frag[VIF_MAX_FRAGS];
	struct offload_info offload;
	uint8_t mac[6];
	uint16_t id[VIF_MAX_SLOTS]; /* of each slot */
	uint64_t extra;             /* bit N: slot N is an extra info and is answered as such */
};

/*
 * vif_tx_parse - the packet at ring->req_cons
 * @pending: of ring_pending(), at least 1
 * @text: says what was wrong, with the value
 *
 * Returns 0, and nothing of the ring is consumed: the caller takes ret->slots off it.
 * -EPROTO: nothing sensible can follow such a slot; the ring has to be stopped.
 */
int vif_tx_parse(const struct ring *ring, uint32_t pending, struct vif_tx_request *ret,
		 char text[static WORKER_ERROR_SIZE]);

/* What goes into one slot of a receive ring. */
struct vif_rx_slot {
	uint16_t offset;
	uint16_t len;
};

/*
 * vif_rx_layout - spread a packet over pages
 * @headroom: bytes kept free at the start of the first page, below HOST_PAGE_SIZE
 *
 * Returns the number of slots, or 0: it takes more than VIF_MAX_FRAGS.
 */
uint32_t vif_rx_layout(uint32_t len, uint32_t headroom,
		       struct vif_rx_slot ret[static VIF_MAX_FRAGS]);
