/* SPDX-License-Identifier: GPL-2.0-only */
/* One received packet, put together response by response. Pure. */
#ifndef XVIF_RX_PARSE_H
#define XVIF_RX_PARSE_H

#include "extra.h"
#include "wire.h"

/* Ring slots that one packet can take: its data, and one extra info of each type. */
#define XVIF_RX_MAX_SLOTS	(XVIF_MAX_SLOTS + XEN_NETIF_EXTRA_TYPE_MAX - 1)

/**
 * struct xvif_rx_frag - data in one slot
 * @at: ring slots after the packet's first
 * @offset: where the data begins in the frame
 * @len: bytes; @offset + @len is at most a frame
 */
struct xvif_rx_frag {
	u8 at;
	u16 offset;
	u16 len;
};

/**
 * struct xvif_rx_packet - a packet as far as its responses are known
 * @slots: ring slots it takes so far, at most %XVIF_RX_MAX_SLOTS
 * @parts: those for data, with the ones that the backend could not fill
 * @frags: entries of @frag
 * @len: bytes of data
 * @flags: XEN_NETRXF_* of the first response
 * @failed: the backend could not deliver all of it
 * @extra_next: the next response is an extra info
 * @more: data follows
 * @extras: extra infos
 * @frag: data
 */
struct xvif_rx_packet {
	u8 slots;
	u8 parts;
	u8 frags;
	u32 len;
	u16 flags;
	bool failed;
	bool extra_next;
	bool more;
	struct xvif_extras extras;
	struct xvif_rx_frag frag[XVIF_MAX_SLOTS];
};

/** enum xvif_rx_fed - what a response did to a packet */
enum xvif_rx_fed {
	XVIF_RX_MORE,	/* another one belongs to it */
	XVIF_RX_DONE,	/* it is complete */
	XVIF_RX_BAD,	/* protocol error */
};

void xvif_rx_begin(struct xvif_rx_packet *p);
enum xvif_rx_fed xvif_rx_feed(struct xvif_rx_packet *p, const struct xen_netif_rx_response *rsp,
			      u16 id, const char **what);

#endif /* XVIF_RX_PARSE_H */
