/* SPDX-License-Identifier: GPL-2.0-only */
/* Request ids, and the validation of what a backend answers. Pure. */
#ifndef XVBD_RESPONSE_H
#define XVBD_RESPONSE_H

#include <linux/types.h>
#include <xen/interface/io/blkif.h>

struct request;

/* The id carries the hardware queue above the tag. */
#define XVBD_ID_TAG_BITS	16
#define XVBD_MAX_DEPTH		65536u

/**
 * enum xvbd_slot_state - where a request is
 * @XVBD_SLOT_FREE: not with the backend
 * @XVBD_SLOT_SENT: the backend has it and owes a response
 * @XVBD_SLOT_HELD: answered, but not to be completed yet: a page of it is
 *	still mapped, or a test asked for a lost completion
 */
enum xvbd_slot_state {
	XVBD_SLOT_FREE,
	XVBD_SLOT_SENT,
	XVBD_SLOT_HELD,
};

/**
 * struct xvbd_slot - one tag of one hardware queue
 * @rq: request; valid unless free
 * @state: see &enum xvbd_slot_state
 * @op: operation the response must name
 * @ring: ring it was sent on
 *
 * Written by the submitter while free, by the ring's consumer while sent.
 */
struct xvbd_slot {
	struct request *rq;
	u8 state;
	u8 op;
	u16 ring;
};

/**
 * struct xvbd_slots - all tags of a device
 * @nr_queues: hardware queues
 * @depth: tags a queue
 * @slot: @nr_queues * @depth slots
 */
struct xvbd_slots {
	u32 nr_queues;
	u32 depth;
	struct xvbd_slot *slot;
};

/** enum xvbd_verdict - what a response is */
enum xvbd_verdict {
	XVBD_RSP_OK,
	XVBD_RSP_BAD_ID,
	XVBD_RSP_NOT_SENT,
	XVBD_RSP_WRONG_RING,
	XVBD_RSP_BAD_OP,
	XVBD_RSP_BAD_STATUS,
};

static inline u64 xvbd_id(u32 queue, u32 tag)
{
	return (u64)queue << XVBD_ID_TAG_BITS | tag;
}

struct xvbd_slot *xvbd_slot_get(const struct xvbd_slots *slots, u64 id);
enum xvbd_verdict xvbd_rsp_check(const struct xvbd_slots *slots, u16 ring,
				 const struct blkif_response *rsp, struct xvbd_slot **slot);
int xvbd_rsp_describe(enum xvbd_verdict verdict, const struct blkif_response *rsp,
		      const struct xvbd_slot *slot, char *text, size_t size);

#endif /* XVBD_RESPONSE_H */
