// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>

#include "bracket.h"

/**
 * xptp_bracket_better - take the middle of a bracket if it is closer than the best so far
 * @b: bracket
 * @best: the best so far; .error is negative when there is none
 *
 * A bracket in which the realtime clock went back or jumped, or that took long,
 * is none: the clock was set, or the CPU was away.
 *
 * Return: true when @best was replaced.
 */
bool xptp_bracket_better(const struct xptp_bracket *b, struct xptp_cross *best)
{
	s64 raw = b->raw_after - b->raw_before, real = b->real_after - b->real_before;
	s64 error;

	if (raw < 0 || raw > XPTP_BRACKET_MAX_NS || real < 0)
		return false;
	/*
	 * The kernel lets the clock be slewed by a tenth, and chrony uses a twelfth. A
	 * smaller step within such a time is the caller's to see, by clock_was_set_seq.
	 */
	if (abs(real - raw) > raw / 8 + 2)
		return false;
	error = raw - raw / 2;
	if (best->error >= 0 && error >= best->error)
		return false;
	best->device = b->device;
	best->real = b->real_before + real / 2;
	best->raw = b->raw_before + raw / 2;
	best->error = error;
	return true;
}
