// SPDX-License-Identifier: GPL-2.0-or-later
#include "timesync.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#include "chrony.h"
#include "file.h"
#include "lib/cleanup.h"
#include "ntpctl.h"

#define TIME_PATH   "data/xenpv/time/"
#define ANSWER_MSEC 100
#define CLOCKSOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
/* Touched by systemd-timesyncd at each synchronisation. */
#define TIMESYNCD "/run/systemd/timesync/synchronized"

const struct time_ports time_ports_default = { .chrony = CHRONY_PORT, .ntp = NTP_PORT };

/* One datagram there and one back, on the loopback interface. Returns its size. */
static ssize_t ask(uint16_t port, const void *request, size_t size, void *reply, size_t max)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct pollfd poller = { .events = POLLIN };
	_cleanup_close_ int fd = -1;
	ssize_t n;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, request, size, 0) < 0)
		return -errno;
	poller.fd = fd;
	if (poll(&poller, 1, ANSWER_MSEC) < 0)
		return -errno;
	n = recv(fd, reply, max, 0); /* nobody there is ECONNREFUSED */
	return n < 0 ? -errno : n;
}

static void set_age(struct time_status *status, double when)
{
	double age = (double)time(NULL) - when;

	status->age = when > 0 && age >= 0 && age < INT32_MAX ? (int64_t)age : -1;
}

static bool read_chrony(uint16_t port, struct time_status *status)
{
	/* A number that an answer to somebody else does not have by chance. */
	uint32_t sequence = (uint32_t)time(NULL) ^ (uint32_t)getpid() << 16;
	uint8_t request[CHRONY_PACKET_BYTES], reply[2 * CHRONY_PACKET_BYTES];
	struct chrony_tracking tracking;
	ssize_t n;

	chrony_request(request, sequence);
	n = ask(port, request, sizeof(request), reply, sizeof(reply));
	if (n < 0 || chrony_reply(reply, (size_t)n, sequence, &tracking) < 0) {
		/* It may refuse to tell, or speak a later protocol, and is there all the same. */
		status->managed = n > 0 || n == -EAGAIN;
		if (status->managed)
			status->source = TIME_CHRONY;
		return status->managed;
	}
	status->managed = true;
	status->source = tracking.phc ? TIME_PHC : TIME_CHRONY;
	status->synchronised = tracking.synchronised;
	if (tracking.synchronised) {
		status->has_offset = true;
		status->offset = tracking.offset;
		status->stratum = tracking.stratum;
		set_age(status, tracking.reference_time);
		snprintf(status->reference, sizeof(status->reference), "%s", tracking.reference);
	}
	return true;
}

static bool read_ntpd(uint16_t port, struct time_status *status)
{
	uint16_t sequence = (uint16_t)(time(NULL) ^ getpid());
	uint8_t request[NTPCTL_REQUEST_BYTES], reply[NTPCTL_BYTES + NTPCTL_REPLY_MAX];
	struct ntp_system system;
	ssize_t n;

	ntpctl_request(request, sequence);
	n = ask(port, request, sizeof(request), reply, sizeof(reply));
	if (n < 0 || ntpctl_reply(reply, (size_t)n, sequence, &system) < 0) {
		status->managed = n > 0 || n == -EAGAIN;
		if (status->managed)
			status->source = TIME_NTPD;
		return status->managed;
	}
	status->managed = true;
	status->source = TIME_NTPD;
	status->synchronised = system.synchronised;
	if (system.synchronised) {
		status->has_offset = true;
		status->offset = system.offset;
		status->stratum = system.stratum;
		set_age(status, system.reference_time);
		snprintf(status->reference, sizeof(status->reference), "%s", system.reference);
	}
	return true;
}

static void read_kernel(const char *root, struct time_status *status)
{
	struct timex timex = { .modes = 0 };
	char path[PATH_MAX];
	struct stat st;

	if (adjtimex(&timex) < 0)
		return;
	status->synchronised = !(timex.status & STA_UNSYNC);
	if (!status->synchronised)
		return;
	status->source = TIME_OTHER;
	(void)snprintf(path, sizeof(path), "%s" TIMESYNCD, root);
	if (stat(path, &st) >= 0) {
		status->source = TIME_TIMESYNCD;
		set_age(status, (double)st.st_mtim.tv_sec);
	}
}

/* The third line of hwclock's /etc/adjtime; the RTC is in UTC unless it says otherwise. */
static bool rtc_is_local(const char *root)
{
	_cleanup_free_ char *text = NULL;
	const char *line;

	if (file_read(&text, "%s/etc/adjtime", root) < 0)
		return false;
	line = strchr(text, '\n');
	line = line ? strchr(line + 1, '\n') : NULL;
	return line && strncmp(line + 1, "LOCAL", 5) == 0;
}

void time_read(const char *root, const struct time_ports *ports, struct time_status *ret)
{
	*ret = (struct time_status){ .age = -1 };
	if (!read_chrony(ports->chrony, ret) && !read_ntpd(ports->ntp, ret))
		read_kernel(root, ret);
	ret->rtc_local = rtc_is_local(root);
	ret->has_host = hostclock_read(root, ret->rtc_local, &ret->host) >= 0;
}

bool time_daemon_runs(const char *root)
{
	static const char digits[] = "0123456789";
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/proc", root);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		_cleanup_free_ char *name = NULL;

		if (entry->d_name[strspn(entry->d_name, digits)])
			continue;
		/* It may have ended meanwhile. */
		if (file_read_line(&name, "%s/proc/%s/comm", root, entry->d_name) >= 0)
			found = strcmp(name, "chronyd") == 0 || strcmp(name, "ntpd") == 0;
	}
	closedir(dir);
	return found;
}

static int report_source(const struct time_status *status, struct report *report)
{
	static const char *const names[] = {
		[TIME_NONE] = "none",           [TIME_PHC] = "phc",
		[TIME_CHRONY] = "chrony",       [TIME_NTPD] = "ntpd",
		[TIME_TIMESYNCD] = "timesyncd", [TIME_OTHER] = "other",
	};
	int r;

	r = report_add(report, TIME_PATH "source", names[status->source]);
	if (r >= 0)
		r = report_add(report, TIME_PATH "synchronised", status->synchronised ? "1" : "0");
	if (r >= 0 && status->reference[0])
		r = report_add(report, TIME_PATH "reference", status->reference);
	if (r >= 0 && status->stratum)
		r = report_addf(report, TIME_PATH "stratum", "%" PRIu32, status->stratum);
	if (r >= 0 && status->has_offset)
		r = report_addf(report, TIME_PATH "offset", "%+.9f", status->offset);
	if (r >= 0 && status->age >= 0)
		r = report_addf(report, TIME_PATH "age", "%" PRId64, status->age);
	return r;
}

static int report_host(const struct time_status *status, struct report *report)
{
	int64_t zone;
	int r;

	if (!status->has_host)
		return 0;
	r = report_addf(report, TIME_PATH "host-offset", status->host.rtc ? "%+.0f" : "%+.9f",
			(double)status->host.offset / 1e9);
	/* Not set by somebody, the system clock was taken from the host's, right or wrong. */
	if (r < 0 || !status->synchronised)
		return r;
	zone = hostclock_zone(&status->host);
	if (!zone)
		return report_add(report, TIME_PATH "localtime", "right");
	return report_addf(report, TIME_PATH "localtime",
			   "wrong: the host's clock is %+" PRId64 " s", zone);
}

static int report_steps(const struct clockwatch *watch, struct report *report)
{
	int r;

	if (!watch)
		return 0;
	r = report_addf(report, TIME_PATH "steps", "%" PRIu32, watch->steps);
	if (r < 0 || !watch->steps)
		return r;
	return report_addf(report, TIME_PATH "last-step", "%+.3f %" PRId64,
			   (double)watch->last_step / 1e9, watch->last_when);
}

int time_report(const char *root, const struct time_status *status, const struct clockwatch *watch,
		const char *correction, struct report *report)
{
	_cleanup_free_ char *clocksource = NULL;
	int r;

	(void)file_read_line(&clocksource, "%s" CLOCKSOURCE, root);
	r = report_add(report, TIME_PATH "clocksource", clocksource);
	if (r >= 0)
		r = report_source(status, report);
	if (r >= 0)
		r = report_add(report, TIME_PATH "rtc", status->rtc_local ? "local" : "utc");
	if (r >= 0)
		r = report_host(status, report);
	if (r >= 0)
		r = report_steps(watch, report);
	if (r >= 0 && correction)
		r = report_add(report, TIME_PATH "correction", correction);
	return r;
}
