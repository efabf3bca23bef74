/* SPDX-License-Identifier: GPL-2.0-only */
/* Accounts of the guest's memory, kept in step with Xen's own. Pure. */
#ifndef XBAL_BOOKS_H
#define XBAL_BOOKS_H

#include <linux/types.h>

/*
 * Pages that Xen counts beside the guest's RAM: xenstore's ring, the console's,
 * video memory. A larger difference is no such thing.
 */
#define XBAL_SPECIAL_MAX	4096u

/**
 * struct xbal_books - the accounts, in pages
 * @ram: RAM that there is, whether populated or parked, in the units of memory/target
 * @parked: pages of it that are in the balloon
 * @promised: pages that the toolstack has announced and Xen fills on demand, out
 *	of a cache that is smaller: as many have to be released
 * @special: what Xen counts beyond @ram; meaningful when @promised is 0
 */
struct xbal_books {
	u64 ram;
	u64 parked;
	u64 promised;
	s64 special;
};

void xbal_books_open(struct xbal_books *b, bool translated, u64 static_max, u64 target,
		     u64 reservation);
void xbal_books_park(struct xbal_books *b, u64 pages, u64 reservation);
void xbal_books_return(struct xbal_books *b, u64 pages);
void xbal_books_added(struct xbal_books *b, u64 pages);
s64 xbal_books_check(struct xbal_books *b, u64 reservation);

/** xbal_books_owned - pages of RAM that the guest has, or believes to have */
static inline u64 xbal_books_owned(const struct xbal_books *b)
{
	return b->ram - b->parked;
}

#endif /* XBAL_BOOKS_H */
