/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic of a shared ring as its frontend sees it. Pure: no Xen call, no
 * access to shared memory. Indices are free-running 32-bit counters, as in
 * xen/interface/io/ring.h.
 */
#ifndef XENPV_RINGMATH_H
#define XENPV_RINGMATH_H

#include <linux/log2.h>
#include <linux/types.h>

/**
 * xenpv_ring_entries - number of slots in a ring of given size
 * @bytes: size of the shared area
 * @header: bytes before the first slot
 * @slot: bytes of one slot
 *
 * Return: the largest power of two that fits, or 0 when none does.
 */
static inline u32 xenpv_ring_entries(size_t bytes, size_t header, size_t slot)
{
	size_t n;

	if (!slot || bytes < header + slot)
		return 0;
	n = (bytes - header) / slot;
	return rounddown_pow_of_two(n);
}

/**
 * xenpv_ring_unused - slots into which a request may be written
 * @nr_ents: size of the ring
 * @prod_pvt: index after the last request written
 * @cons: index of the next response to be consumed
 */
static inline u32 xenpv_ring_unused(u32 nr_ents, u32 prod_pvt, u32 cons)
{
	return nr_ents - (prod_pvt - cons);
}

/**
 * xenpv_ring_rsp_prod_ok - is a producer index read from the peer possible?
 * @cons: index of the next response to be consumed
 * @published: index after the last request the peer was shown
 * @rsp_prod: the peer's producer index, copied once from the ring
 *
 * A peer can answer no more requests than it was given, and cannot take an
 * answer back: anything else is a protocol error.
 */
static inline bool xenpv_ring_rsp_prod_ok(u32 cons, u32 published, u32 rsp_prod)
{
	return rsp_prod - cons <= published - cons;
}

/**
 * xenpv_ring_must_notify - does publishing requests need a notification?
 * @old: index published before
 * @new: index published now
 * @req_event: the peer's wish, read after publishing and a full barrier
 *
 * True when @req_event lies in (@old, @new] (ring.h, "Notification
 * hold-off"). A peer that lies hurts only itself.
 */
static inline bool xenpv_ring_must_notify(u32 old, u32 new, u32 req_event)
{
	return (u32)(new - req_event) < (u32)(new - old);
}

/**
 * struct xenpv_eoi - what is known about an event channel since its last EOI
 * @progress: a response was consumed, by whatever context
 * @owed: the peer was told where to notify next and had answered already, so
 *	that one more interrupt, with nothing left to do, is on its way
 *
 * Guarded by the lock of the ring's consumer.
 */
struct xenpv_eoi {
	bool progress;
	bool owed;
};

/**
 * xenpv_eoi_spurious - is the interrupt now ended to be called spurious?
 * @eoi: state; consumed
 *
 * Calling an interrupt spurious makes Linux delay the next one (XSA-391), so
 * only one that no progress explains is.
 */
static inline bool xenpv_eoi_spurious(struct xenpv_eoi *eoi)
{
	bool spurious = !eoi->progress && !eoi->owed;

	/* An interrupt without progress uses up the one that was owed. */
	if (!eoi->progress)
		eoi->owed = false;
	eoi->progress = false;
	return spurious;
}

#endif /* XENPV_RINGMATH_H */
