/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab-clock: what a PTP hardware clock says, beside the system's clock.
 *
 *   lab-clock read DEVICE    one line: name, and offsets device - system in nanoseconds,
 *                            by each of the three ways to ask, with the width of the
 *                            window; "-" and an errno where it failed
 *   lab-clock set DEVICE     try to set and to slew it; prints an errno for each
 *   lab-clock find NAME      the path of the clock with this name
 *   lab-clock step SECONDS   step the system's clock
 *   lab-clock follow DEVICE  step the system's clock to the device's
 *   lab-clock tsc READINGS   the time stamp counter and the system's clock at one moment, in
 *                            ticks and nanoseconds, and the width of the window in ticks: the
 *                            narrowest of so many
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ptp_clock.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define SAMPLES 10

struct window {
	int64_t offset, width; /* nanoseconds */
};

static int64_t ns(const struct ptp_clock_time *t)
{
	return t->sec * INT64_C(1000000000) + t->nsec;
}

static int64_t timespec_ns(const struct timespec *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

static clockid_t clock_of(int fd)
{
	return (clockid_t)((~(unsigned int)fd << 3) | 3);
}

static int open_clock(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "lab-clock: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static void keep_best(struct window *best, int64_t before, int64_t device, int64_t after)
{
	int64_t width = after - before;

	if (width < 0 || (best->width >= 0 && width >= best->width))
		return;
	best->width = width;
	best->offset = device - (before + width / 2);
}

static bool extended(int fd, struct window *best)
{
	struct ptp_sys_offset_extended req = { .n_samples = SAMPLES };

	if (ioctl(fd, PTP_SYS_OFFSET_EXTENDED, &req) < 0)
		return false;
	for (int i = 0; i < SAMPLES; i++)
		keep_best(best, ns(&req.ts[i][0]), ns(&req.ts[i][1]), ns(&req.ts[i][2]));
	return true;
}

static bool precise(int fd, struct window *best)
{
	struct ptp_sys_offset_precise req;

	memset(&req, 0, sizeof(req));
	if (ioctl(fd, PTP_SYS_OFFSET_PRECISE, &req) < 0)
		return false;
	best->width = 0;
	best->offset = ns(&req.device) - ns(&req.sys_realtime);
	return true;
}

static bool plain(int fd, struct window *best)
{
	for (int i = 0; i < SAMPLES; i++) {
		struct timespec before, device, after;

		if (clock_gettime(CLOCK_REALTIME, &before) < 0 ||
		    clock_gettime(clock_of(fd), &device) < 0 ||
		    clock_gettime(CLOCK_REALTIME, &after) < 0)
			return false;
		keep_best(best, timespec_ns(&before), timespec_ns(&device), timespec_ns(&after));
	}
	return true;
}

static int read_clock(const char *path)
{
	static const struct {
		const char *name;
		bool (*ask)(int fd, struct window *best);
	} ways[] = { { "extended", extended }, { "precise", precise }, { "plain", plain } };
	int fd = open_clock(path);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct window best = { .width = -1 };

		errno = 0;
		if (ways[i].ask(fd, &best) && best.width >= 0)
			printf("%s %" PRId64 " %" PRId64 "\n", ways[i].name, best.offset,
			       best.width);
		else
			printf("%s - %d\n", ways[i].name, errno);
	}
	close(fd);
	return 0;
}

static int set_clock(const char *path)
{
	struct timespec ts = { .tv_sec = 1000000000 };
	struct timex tx = { .modes = ADJ_SETOFFSET, .time = { .tv_sec = 1 } };
	struct timex freq = { .modes = ADJ_FREQUENCY, .freq = 65536 };
	int fd = open_clock(path);

	printf("set %s\n", clock_settime(clock_of(fd), &ts) < 0 ? strerror(errno) : "done");
	printf("adjust %s\n", clock_adjtime(clock_of(fd), &tx) < 0 ? strerror(errno) : "done");
	printf("slew %s\n", clock_adjtime(clock_of(fd), &freq) < 0 ? strerror(errno) : "done");
	close(fd);
	return 0;
}

static int find_clock(const char *name)
{
	for (int i = 0; i < 16; i++) {
		char path[64], text[64] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/ptp/ptp%d/clock_name", i);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (!fgets(text, sizeof(text), file))
			text[0] = '\0';
		fclose(file);
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, name) == 0) {
			printf("/dev/ptp%d\n", i);
			return 0;
		}
	}
	fprintf(stderr, "lab-clock: there is no PTP clock \"%s\"\n", name);
	return 1;
}

/* By so much, whatever time this takes. */
static int shift_system(int64_t offset)
{
	int64_t seconds = offset / 1000000000, rest = offset % 1000000000;
	struct timex tx = { .modes = ADJ_SETOFFSET | ADJ_NANO };

	if (rest < 0) {
		rest += 1000000000;
		seconds--;
	}
	tx.time.tv_sec = seconds;
	tx.time.tv_usec = rest;
	if (adjtimex(&tx) >= 0)
		return 0;
	fprintf(stderr, "lab-clock: cannot set the clock: %s\n", strerror(errno));
	return 1;
}

static int step_system(const char *text)
{
	return shift_system((int64_t)(strtod(text, NULL) * 1e9));
}

static int follow(const char *path)
{
	struct window best = { .width = -1 };
	int fd = open_clock(path);

	if (!extended(fd, &best) || best.width < 0) {
		fprintf(stderr, "lab-clock: %s: cannot be read beside the system's\n", path);
		return 1;
	}
	close(fd);
	return shift_system(best.offset);
}

static int read_tsc(const char *text)
{
	uint64_t width = UINT64_MAX, tsc = 0;
	int64_t now = 0;

	for (long i = strtol(text, NULL, 10); i > 0; i--) {
		struct timespec ts;
		uint64_t before, after;

		before = __rdtsc();
		clock_gettime(CLOCK_REALTIME, &ts);
		after = __rdtsc();
		if (after - before >= width)
			continue;
		width = after - before;
		tsc = before + width / 2;
		now = timespec_ns(&ts);
	}
	printf("%" PRIu64 " %" PRId64 " %" PRIu64 "\n", tsc, now, width);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const char *argument);
	} commands[] = { { "read", read_clock },  { "set", set_clock }, { "find", find_clock },
			 { "step", step_system }, { "follow", follow }, { "tsc", read_tsc } };

	for (size_t i = 0; argc == 3 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argv[2]);
	fprintf(stderr, "Usage: lab-clock read|set|follow DEVICE | find NAME | step SECONDS |"
			" tsc READINGS\n");
	return 2;
}
