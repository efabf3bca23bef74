/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's clock as the guest can see it, and putting the system's clock right by it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NSEC_PER_SEC ((int64_t)1000000000)

struct hostclock {
	int64_t offset;   /* nanoseconds that the system clock is ahead of the host's */
	int64_t accuracy; /* nanoseconds by which that may be wrong */
	bool rtc;         /* from the emulated RTC, of whole seconds, and not the PHC */
};

/*
 * hostclock_read - compare the system clock with the host's
 * @root: "" for the running system
 * @local: the RTC runs in local time
 *
 * /dev/ptp_xen if there is one, else the RTC of an HVM guest. Errors: -ENOENT (neither),
 * negative errno.
 */
int hostclock_read(const char *root, bool local, struct hostclock *ret);

enum correction {
	CORRECTION_NONE,
	CORRECTION_STEP, /* at once, in either direction */
	CORRECTION_SLEW, /* a little faster or slower until it is right, never back */
	CORRECTION_AHEAD /* ahead by what looks like a time zone: left alone */
};

/*
 * hostclock_decide - what to do with the clock after a resume
 * @managed: chronyd or ntpd runs: the clock is theirs
 * @synchronised: somebody had set the clock before the suspension
 *
 * A second or more is a step: the guest was away, or is on another host, and at the pace of
 * slewing it would be wrong for hours. Less is slewed, since programs take a clock that jumps
 * back worse than one that is a little ahead; a second takes 34 minutes. A clock that was set
 * well and is ahead by a time zone is not stepped back: it is the host's that is wrong then. Pure.
 */
enum correction hostclock_decide(const struct hostclock *clock, bool managed, bool synchronised);

/*
 * hostclock_apply - change the system clock by @clock's offset
 *
 * Errors: negative errno of clock_settime() and adjtimex(), which need CAP_SYS_TIME.
 */
int hostclock_apply(enum correction correction, const struct hostclock *clock);

const char *correction_name(enum correction correction);

/*
 * hostclock_zone - by how many seconds does the host's clock look like another time zone's?
 *
 * Not 0 if a well set system clock is, to within a minute, a multiple of a quarter of an
 * hour away from the host's: then one of both takes local time for UTC. Pure.
 */
int64_t hostclock_zone(const struct hostclock *clock);
