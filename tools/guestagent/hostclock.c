// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostclock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/rtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <time.h>

#include "lib/cleanup.h"

/* The clock id of an open PHC, as the kernel's documentation of PTP has it. */
#define PHC_CLOCK(fd) ((clockid_t)((((unsigned int)~(fd)) << 3) | 3))
/* Of several readings, the one that the system was interrupted least in counts. */
#define READINGS 5

/* Below, the kernel's pace of 500 microseconds a second takes 34 minutes at most. */
#define STEP_MIN_NSEC NSEC_PER_SEC
#define SLEW_MIN_NSEC (NSEC_PER_SEC / 1000)

#define ZONE_STEP     900
#define ZONE_SLACK    60
#define ZONE_MAX      (14 * 3600)

static int64_t nanoseconds(const struct timespec *ts)
{
	return ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
}

static int read_phc(int fd, struct hostclock *ret)
{
	struct hostclock best = { .accuracy = INT64_MAX };

	for (int i = 0; i < READINGS; i++) {
		struct timespec before, host, after;
		int64_t width;

		if (clock_gettime(CLOCK_REALTIME, &before) < 0 ||
		    clock_gettime(PHC_CLOCK(fd), &host) < 0 ||
		    clock_gettime(CLOCK_REALTIME, &after) < 0)
			return -errno;
		width = nanoseconds(&after) - nanoseconds(&before);
		if (width < 0 || width / 2 >= best.accuracy)
			continue;
		best.accuracy = width / 2;
		best.offset = nanoseconds(&before) + width / 2 - nanoseconds(&host);
	}
	if (best.accuracy == INT64_MAX)
		return -EAGAIN; /* the clock was set back meanwhile, each time */
	*ret = best;
	return 0;
}

static int read_rtc(int fd, bool local, struct hostclock *ret)
{
	struct rtc_time rtc;
	struct timespec now;
	time_t seconds;
	struct tm tm;

	if (ioctl(fd, RTC_RD_TIME, &rtc) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	tm = (struct tm){
		.tm_sec = rtc.tm_sec,
		.tm_min = rtc.tm_min,
		.tm_hour = rtc.tm_hour,
		.tm_mday = rtc.tm_mday,
		.tm_mon = rtc.tm_mon,
		.tm_year = rtc.tm_year,
		.tm_isdst = -1,
	};
	seconds = local ? mktime(&tm) : timegm(&tm);
	if (seconds == (time_t)-1)
		return -ERANGE;
	/* Its second began up to a second ago. */
	*ret = (struct hostclock){
		.offset = nanoseconds(&now) - (seconds * NSEC_PER_SEC + NSEC_PER_SEC / 2),
		.accuracy = NSEC_PER_SEC / 2,
		.rtc = true,
	};
	return 0;
}

static int open_device(const char *root, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/dev/%s", root, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int hostclock_read(const char *root, bool local, struct hostclock *ret)
{
	_cleanup_close_ int phc = -1, rtc = -1;
	int r = -ENOENT;

	phc = open_device(root, "ptp_xen");
	if (phc >= 0)
		r = read_phc(phc, ret);
	if (r >= 0)
		return r;
	rtc = open_device(root, "rtc0");
	if (rtc < 0)
		return rtc == -ENOENT ? r : rtc;
	return read_rtc(rtc, local, ret);
}

enum correction hostclock_decide(const struct hostclock *clock, bool managed, bool synchronised)
{
	int64_t distance = llabs(clock->offset);

	if (managed || distance <= clock->accuracy + SLEW_MIN_NSEC)
		return CORRECTION_NONE;
	if (distance >= STEP_MIN_NSEC)
		return clock->offset > 0 && synchronised && hostclock_zone(clock) ? CORRECTION_AHEAD
										  : CORRECTION_STEP;
	/* The RTC knows whole seconds only: less than one is better left alone. */
	return clock->rtc ? CORRECTION_NONE : CORRECTION_SLEW;
}

static int step(int64_t offset)
{
	struct timespec now;
	int64_t wanted;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	wanted = nanoseconds(&now) - offset;
	now.tv_sec = wanted / NSEC_PER_SEC;
	now.tv_nsec = wanted % NSEC_PER_SEC;
	return clock_settime(CLOCK_REALTIME, &now) < 0 ? -errno : 0;
}

static int slew(int64_t offset)
{
	struct timex timex = {
		.modes = ADJ_OFFSET_SINGLESHOT,
		.offset = -offset / 1000,
	};

	return adjtimex(&timex) < 0 ? -errno : 0;
}

int hostclock_apply(enum correction correction, const struct hostclock *clock)
{
	switch (correction) {
	case CORRECTION_STEP:
		return step(clock->offset);
	case CORRECTION_SLEW:
		return slew(clock->offset);
	case CORRECTION_NONE:
	case CORRECTION_AHEAD:
		break;
	}
	return 0;
}

const char *correction_name(enum correction correction)
{
	static const char *const names[] = {
		[CORRECTION_NONE] = "none",
		[CORRECTION_STEP] = "stepped",
		[CORRECTION_SLEW] = "slewed",
		[CORRECTION_AHEAD] = "ahead",
	};

	return names[correction];
}

int64_t hostclock_zone(const struct hostclock *clock)
{
	int64_t seconds = clock->offset / NSEC_PER_SEC, distance = llabs(seconds), zone;

	zone = (distance + ZONE_STEP / 2) / ZONE_STEP * ZONE_STEP;
	if (!zone || zone > ZONE_MAX || llabs(distance - zone) > ZONE_SLACK)
		return 0;
	/* What the host's clock is ahead of ours. */
	return seconds < 0 ? zone : -zone;
}
