// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "books.h"

static s64 bounded_special(s64 difference)
{
	return difference >= 0 && difference <= XBAL_SPECIAL_MAX ? difference : 0;
}

/**
 * xbal_books_open - begin the accounts of a guest that has nothing parked
 * @b: receives them
 * @translated: Xen translates frame numbers (HVM, PVH), so memory can be
 *	populated on demand
 * @static_max: memory/static-max, 0 when unknown
 * @target: memory/target, 0 when unknown
 * @reservation: XENMEM_current_reservation
 *
 * A translated guest is started with RAM for static-max. If Xen's figure is
 * lower, the difference is memory that exists in the map only. A PV guest is
 * started with what it has.
 */
void xbal_books_open(struct xbal_books *b, bool translated, u64 static_max, u64 target,
		     u64 reservation)
{
	*b = (struct xbal_books){ 0 };
	if (!translated || !static_max) {
		b->special = target ? bounded_special((s64)reservation - (s64)target) : 0;
		b->ram = reservation - b->special;
		return;
	}
	b->ram = static_max;
	if (reservation >= static_max) {
		b->special = bounded_special((s64)reservation - (s64)static_max);
		/* Too much for special pages: Xen's figure is what counts. */
		b->ram = reservation - b->special;
		return;
	}
	if (target)
		b->special = bounded_special((s64)reservation - (s64)target);
	b->promised = static_max - (reservation - b->special);
}

/**
 * xbal_books_park - pages have gone into the balloon
 * @b: accounts
 * @pages: how many
 * @reservation: XENMEM_current_reservation afterwards
 *
 * The first ones make good what was promised. When that is done, Xen's figure
 * says how many special pages there are.
 */
void xbal_books_park(struct xbal_books *b, u64 pages, u64 reservation)
{
	bool was_promised = b->promised;

	b->parked = min(b->parked + pages, b->ram);
	b->promised -= min(b->promised, pages);
	if (was_promised && !b->promised)
		b->special = bounded_special((s64)reservation - (s64)xbal_books_owned(b));
}

/**
 * xbal_books_return - pages have come back from the balloon
 * @b: accounts
 * @pages: how many
 */
void xbal_books_return(struct xbal_books *b, u64 pages)
{
	b->parked -= min(b->parked, pages);
}

/**
 * xbal_books_added - RAM has been added, all of it parked
 * @b: accounts
 * @pages: how many
 */
void xbal_books_added(struct xbal_books *b, u64 pages)
{
	b->ram += pages;
	b->parked += pages;
}

/**
 * xbal_books_check - compare with Xen's figure, and follow it
 * @b: accounts
 * @reservation: XENMEM_current_reservation
 *
 * While memory is promised there is nothing to compare.
 *
 * Return: pages by which Xen's figure was higher; the accounts agree afterwards.
 */
s64 xbal_books_check(struct xbal_books *b, u64 reservation)
{
	s64 drift = (s64)reservation - (s64)xbal_books_owned(b) - b->special;

	if (b->promised || !drift)
		return 0;
	if (drift < 0 && (u64)-drift > xbal_books_owned(b))
		drift = -(s64)xbal_books_owned(b);
	b->ram += drift;
	return drift;
}
