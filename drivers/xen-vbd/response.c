// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>

#include "response.h"

/**
 * xvbd_slot_get - find the slot an id names
 * @slots: tags of the device
 * @id: id, from a backend or our own
 *
 * Return: slot, or NULL when we never give out such an id.
 */
struct xvbd_slot *xvbd_slot_get(const struct xvbd_slots *slots, u64 id)
{
	u64 queue = id >> XVBD_ID_TAG_BITS;
	u32 tag = id & (XVBD_MAX_DEPTH - 1);

	if (queue >= slots->nr_queues || tag >= slots->depth)
		return NULL;
	return &slots->slot[(size_t)queue * slots->depth + tag];
}

/**
 * xvbd_rsp_check - is a response possible?
 * @slots: tags of the device
 * @ring: ring it came from
 * @rsp: private copy of the response
 * @slot: receives the slot it names, or NULL
 *
 * Nothing is changed; the caller ends what %XVBD_RSP_OK approves.
 *
 * Return: the first thing wrong with it.
 */
enum xvbd_verdict xvbd_rsp_check(const struct xvbd_slots *slots, u16 ring,
				 const struct blkif_response *rsp, struct xvbd_slot **slot)
{
	struct xvbd_slot *s = xvbd_slot_get(slots, rsp->id);

	*slot = s;
	if (!s)
		return XVBD_RSP_BAD_ID;
	if (s->state != XVBD_SLOT_SENT)
		return XVBD_RSP_NOT_SENT;
	if (s->ring != ring)
		return XVBD_RSP_WRONG_RING;
	if (rsp->operation != s->op)
		return XVBD_RSP_BAD_OP;
	if (rsp->status != BLKIF_RSP_OKAY && rsp->status != BLKIF_RSP_ERROR &&
	    rsp->status != BLKIF_RSP_EOPNOTSUPP)
		return XVBD_RSP_BAD_STATUS;
	return XVBD_RSP_OK;
}

/**
 * xvbd_rsp_describe - say what is wrong with a response
 * @verdict: from xvbd_rsp_check()
 * @rsp: the response
 * @slot: slot it names, or NULL
 * @text: receives the message
 * @size: bytes of @text
 *
 * Return: as snprintf().
 */
int xvbd_rsp_describe(enum xvbd_verdict verdict, const struct blkif_response *rsp,
		      const struct xvbd_slot *slot, char *text, size_t size)
{
	switch (verdict) {
	case XVBD_RSP_OK:
		return snprintf(text, size, "valid response");
	case XVBD_RSP_BAD_ID:
		return snprintf(text, size, "response with unknown id %#llx", rsp->id);
	case XVBD_RSP_NOT_SENT:
		return snprintf(text, size, "response to id %#llx, which is not in flight",
				rsp->id);
	case XVBD_RSP_WRONG_RING:
		return snprintf(text, size, "response to id %#llx, which is in flight on ring %u",
				rsp->id, slot ? slot->ring : 0);
	case XVBD_RSP_BAD_OP:
		return snprintf(text, size, "response to id %#llx with operation %u, expected %u",
				rsp->id, rsp->operation, slot ? slot->op : 0);
	case XVBD_RSP_BAD_STATUS:
		return snprintf(text, size, "response to id %#llx with unknown status %d",
				rsp->id, rsp->status);
	}
	return snprintf(text, size, "response of unknown kind");
}
