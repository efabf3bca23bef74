// SPDX-License-Identifier: GPL-2.0-or-later
#include "clockwatch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "hostclock.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* Less is the time between two readings of clocks. */
#define STEP_MIN_NSEC (NSEC_PER_SEC / 1000)

static int64_t clock_nsec(clockid_t clock)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* Slewing moves both clocks, and so does a suspension: only a step moves them apart. */
static int64_t distance_now(void)
{
	return clock_nsec(CLOCK_REALTIME) - clock_nsec(CLOCK_BOOTTIME);
}

static int arm(int fd)
{
	/* It never ends by itself: 2^62 ns would be 2116. */
	const struct itimerspec never = { .it_value.tv_sec = LONG_MAX / NSEC_PER_SEC / 2 };

	if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0)
		return -errno;
	return 0;
}

int clockwatch_update(struct clockwatch *watch, int64_t distance, int64_t now)
{
	int64_t step = distance - watch->distance;

	watch->distance = distance;
	if (llabs(step) < STEP_MIN_NSEC)
		return 0;
	watch->steps++;
	watch->last_step = step;
	watch->last_when = now;
	return 1;
}

static int on_timer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct clockwatch *watch = userdata;
	uint64_t expired;
	int r;

	(void)source;
	(void)revents;
	if (read(fd, &expired, sizeof(expired)) < 0 && errno == EAGAIN)
		return 0;
	/* Armed first, so that a step between both is seen now or then. */
	r = arm(fd);
	if (r < 0) {
		log_warning(r, "steps of the clock will not be noticed any more: %m");
		clockwatch_stop(watch);
		return 0;
	}
	if (clockwatch_update(watch, distance_now(), time(NULL)) > 0) {
		log_info("the clock was stepped by %+.3f s", (double)watch->last_step / 1e9);
		watch->stepped(watch->userdata);
	}
	return 0;
}

int clockwatch_start(struct clockwatch *watch, sd_event *event, void (*stepped)(void *userdata),
		     void *userdata)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = arm(fd);
	if (r < 0)
		return r;
	watch->stepped = stepped;
	watch->userdata = userdata;
	watch->distance = distance_now();
	r = sd_event_add_io(event, &watch->source, fd, EPOLLIN, on_timer, watch);
	if (r < 0)
		return r;
	r = sd_event_source_set_io_fd_own(watch->source, true);
	if (r < 0) {
		clockwatch_stop(watch);
		return r;
	}
	(void)TAKE_FD(fd);
	return 0;
}

void clockwatch_stop(struct clockwatch *watch)
{
	watch->source = sd_event_source_disable_unref(watch->source);
}
