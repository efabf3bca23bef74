/* SPDX-License-Identifier: GPL-2.0-only */
/* Which reading of a clock between two readings of another is the best. Pure. */
#ifndef XPTP_BRACKET_H
#define XPTP_BRACKET_H

#include <linux/types.h>

/* The system's clock ran on, undisturbed, for no longer than this. */
#define XPTP_BRACKET_MAX_NS	1000000

/**
 * struct xptp_bracket - the device's clock between two readings of the system's
 * @device: device's clock, in nanoseconds
 * @real_before: realtime clock of the system before it
 * @real_after: and after it
 * @raw_before: raw monotonic clock of the system before it
 * @raw_after: and after it
 */
struct xptp_bracket {
	s64 device;
	s64 real_before;
	s64 real_after;
	s64 raw_before;
	s64 raw_after;
};

/**
 * struct xptp_cross - clocks at one moment, in nanoseconds
 * @device: device's clock
 * @real: realtime clock of the system
 * @raw: raw monotonic clock of the system
 * @error: the true moment is no further away than this
 */
struct xptp_cross {
	s64 device;
	s64 real;
	s64 raw;
	s64 error;
};

bool xptp_bracket_better(const struct xptp_bracket *b, struct xptp_cross *best);

#endif /* XPTP_BRACKET_H */
