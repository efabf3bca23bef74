// SPDX-License-Identifier: GPL-2.0-or-later
/* Time keepers' answers, the host's clock, steps, and what is made of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent-root.h"
#include "chrony.h"
#include "clockwatch.h"
#include "hostclock.h"
#include "lib/cleanup.h"
#include "ntpctl.h"
#include "timesync.h"

#define SEC NSEC_PER_SEC
#define MS  (NSEC_PER_SEC / 1000)

/*
 * An answer of chronyd 4.3 to sequence 0x12345678, with PHC0 as reference and 0.25 s to
 * be added to the clock, of which chronyc says "slow of NTP time".
 */
static const char chrony_phc[] = "06020000002100050000000000000000123456780000000000000000"
				 "50484330"
				 "00000000000000000000000000000000"
				 "00000000"
				 "00010000"
				 "000000006b0b8b4b28665b87"
				 "00800000"
				 "dd36ac65"
				 "00000000000000000000000000000000000000000000000000000000";

static void from_hex(const char *hex, uint8_t bytes[static CHRONY_PACKET_BYTES])
{
	assert_int_equal(strlen(hex), 2 * CHRONY_PACKET_BYTES);
	for (size_t i = 0; i < CHRONY_PACKET_BYTES; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
}

static void test_chrony_request(void **state)
{
	uint8_t packet[CHRONY_PACKET_BYTES];
	static const uint8_t head[] = { 6, 1, 0, 0, 0, 33, 0, 0, 0x12, 0x34, 0x56, 0x78 };

	(void)state;
	chrony_request(packet, 0x12345678);
	assert_memory_equal(packet, head, sizeof(head));
	for (size_t i = sizeof(head); i < sizeof(packet); i++)
		assert_int_equal(packet[i], 0);
}

static void test_chrony_reply(void **state)
{
	static const uint8_t ipv4[] = { 192, 0, 2, 1 };
	struct chrony_tracking tracking;
	uint8_t packet[CHRONY_PACKET_BYTES];

	(void)state;
	from_hex(chrony_phc, packet);
	assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking), 0);
	assert_true(tracking.phc && tracking.synchronised);
	assert_string_equal(tracking.reference, "PHC0");
	assert_int_equal(tracking.stratum, 1);
	assert_true(tracking.offset == -0.25);
	assert_int_equal((int64_t)tracking.reference_time, 0x6b0b8b4b);

	/* as packaging/chrony/xenpv.conf calls it, and another refclock */
	memcpy(packet + 28, "XEN", 4);
	assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking), 0);
	assert_true(tracking.phc && tracking.synchronised);
	assert_string_equal(tracking.reference, "XEN");
	memcpy(packet + 28, "GPS", 4);
	assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking), 0);
	assert_false(tracking.phc);

	/* -0.5 to be added, from a server on the network */
	packet[68] = 0;
	packet[68] = 0x01;
	packet[69] = 0;
	memcpy(packet + 32, ipv4, sizeof(ipv4));
	packet[49] = 1;
	assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking), 0);
	assert_false(tracking.phc);
	assert_string_equal(tracking.reference, "192.0.2.1");
	assert_true(tracking.offset == 0.5);

	packet[55] = 3; /* leap: not synchronised */
	assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking), 0);
	assert_false(tracking.synchronised);
	packet[55] = 0;
	memcpy(packet + 28, (uint8_t[]){ 0x7f, 0x7f, 1, 1 }, 4);
	assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking), 0);
	assert_false(tracking.synchronised);
	assert_string_equal(tracking.reference, "local");
}

static void test_chrony_refuses(void **state)
{
	struct chrony_tracking tracking = { .stratum = 77 };
	uint8_t packet[CHRONY_PACKET_BYTES];

	(void)state;
	from_hex(chrony_phc, packet);
	for (size_t size = 0; size < sizeof(packet); size++)
		assert_int_equal(chrony_reply(packet, size, 0x12345678, &tracking), -EBADMSG);
	assert_int_equal(chrony_reply(packet, sizeof(packet), 1, &tracking), -EBADMSG);
	for (size_t i = 0; i < 8; i++) {
		from_hex(chrony_phc, packet);
		packet[i] ^= 0x40;
		assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking),
				 i == 2 || i == 3 ? 0 : -EBADMSG);
	}
	from_hex(chrony_phc, packet);
	packet[9] = 2; /* status: not authorised */
	assert_int_equal(chrony_reply(packet, sizeof(packet), 0x12345678, &tracking), -EACCES);
}

/* An answer of mode 6 with these variables. */
static size_t ntp_packet(uint8_t *packet, uint8_t flags, const char *text)
{
	size_t n = strlen(text);

	memset(packet, 0, NTPCTL_BYTES);
	packet[0] = 0x16;
	packet[1] = 0x80 | flags | 2;
	packet[2] = 0x12;
	packet[3] = 0x34;
	packet[10] = (uint8_t)(n >> 8);
	packet[11] = (uint8_t)n;
	memcpy(packet + NTPCTL_BYTES, text, n);
	return NTPCTL_BYTES + n;
}

static void test_ntpd(void **state)
{
	static const char text[] =
		"version=\"ntpd 4.2.8p15, stratum=9\", processor=\"x86_64\", leap=0, stratum=3,\r\n"
		"precision=-24, refid=192.0.2.9, reftime=0xeb0b8b4b.80000000, offset=-12.500000";
	uint8_t packet[NTPCTL_BYTES + NTPCTL_REPLY_MAX];
	struct ntp_system system = { 0 };
	size_t n;

	(void)state;
	n = ntp_packet(packet, 0, text);
	assert_int_equal(ntpctl_reply(packet, n, 0x1234, &system), 0);
	assert_true(system.synchronised);
	assert_int_equal(system.stratum, 3);
	assert_string_equal(system.reference, "192.0.2.9");
	assert_true(fabs(system.offset - 0.0125) < 1e-12);
	assert_int_equal((int64_t)system.reference_time, 0xeb0b8b4b - 2208988800);

	for (size_t size = 0; size < n; size++)
		assert_int_equal(ntpctl_reply(packet, size, 0x1234, &system), -EBADMSG);
	assert_int_equal(ntpctl_reply(packet, n, 0x1235, &system), -EBADMSG);
	n = ntp_packet(packet, 0x40, "");
	assert_int_equal(ntpctl_reply(packet, n, 0x1234, &system), -EACCES);
	for (const char *const *bad =
		     (const char *const[]){ "", "stratum=", "stratum=x", "stratum=3x", "stratum=-1",
					    "stratum=\"", "a=\"stratum=3", "=,=,", "stratum=1e99",
					    "stratum=nan", NULL };
	     *bad; bad++) {
		n = ntp_packet(packet, 0, *bad);
		assert_int_equal(ntpctl_reply(packet, n, 0x1234, &system), -EBADMSG);
	}
	n = ntp_packet(packet, 0, "stratum=16, leap=3");
	assert_int_equal(ntpctl_reply(packet, n, 0x1234, &system), 0);
	assert_false(system.synchronised);
}

static void test_decisions(void **state)
{
	static const struct {
		int64_t offset, accuracy;
		bool rtc, managed, synchronised;
		enum correction expected;
	} cases[] = {
		{ 0, 100, false, false, false, CORRECTION_NONE },
		{ 900000, 100, false, false, false, CORRECTION_NONE },
		/* less than a second is slewed, never stepped back */
		{ -20 * MS, 100, false, false, false, CORRECTION_SLEW },
		{ 20 * MS, 100, false, false, false, CORRECTION_SLEW },
		{ -999 * MS, 100, false, false, false, CORRECTION_SLEW },
		{ 999 * MS, 100, false, false, false, CORRECTION_SLEW },
		/* a second or more is not awaited, whether ahead or behind */
		{ -SEC, 100, false, false, false, CORRECTION_STEP },
		{ SEC, 100, false, false, false, CORRECTION_STEP },
		{ 59 * SEC, 100, false, false, true, CORRECTION_STEP },
		{ -3600 * SEC, 100, false, false, false, CORRECTION_STEP },
		{ 3600 * SEC, 100, false, false, false, CORRECTION_STEP },
		{ 2000 * SEC, 100, false, false, true, CORRECTION_STEP },
		/* but for the host's clock in another time zone */
		{ 3600 * SEC, 100, false, false, true, CORRECTION_AHEAD },
		{ 3600 * SEC, SEC / 2, true, false, true, CORRECTION_AHEAD },
		{ -3600 * SEC, 100, false, false, true, CORRECTION_STEP },
		/* never against a daemon */
		{ -3600 * SEC, 100, false, true, true, CORRECTION_NONE },
		{ 59 * SEC, 100, false, true, true, CORRECTION_NONE },
		{ 59 * SEC, 100, false, true, false, CORRECTION_NONE },
		{ -20 * MS, 100, false, true, true, CORRECTION_NONE },
		/* an RTC of whole seconds */
		{ -900 * MS, SEC / 2, true, false, false, CORRECTION_NONE },
		{ 900 * MS, SEC / 2, true, false, false, CORRECTION_NONE },
		{ -1100 * MS, SEC / 2, true, false, false, CORRECTION_STEP },
		{ 1100 * MS, SEC / 2, true, false, false, CORRECTION_STEP },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct hostclock clock = { cases[i].offset, cases[i].accuracy, cases[i].rtc };

		assert_int_equal(hostclock_decide(&clock, cases[i].managed, cases[i].synchronised),
				 cases[i].expected);
	}
}

static void test_zones(void **state)
{
	static const struct {
		int64_t offset, zone;
	} cases[] = {
		{ 0, 0 },
		{ 5 * SEC, 0 },
		{ -3600 * SEC, 3600 },
		{ 3600 * SEC, -3600 },
		{ -3610 * SEC, 3600 },
		{ -3000 * SEC, 0 },
		{ 20700 * SEC, -20700 },
		{ 86400 * SEC, 0 },
		{ -14 * 3600 * SEC, 50400 },
		{ 400 * SEC, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct hostclock clock = { .offset = cases[i].offset };

		assert_int_equal(hostclock_zone(&clock), cases[i].zone);
	}
}

static void test_steps(void **state)
{
	struct clockwatch watch = { .distance = 1000 * SEC };

	(void)state;
	assert_int_equal(clockwatch_update(&watch, 1000 * SEC + 5000, 1), 0);
	assert_int_equal(clockwatch_update(&watch, 1003 * SEC, 2), 1);
	assert_int_equal(watch.last_step, 3 * SEC - 5000);
	assert_int_equal(clockwatch_update(&watch, 900 * SEC, 3), 1);
	assert_int_equal(watch.steps, 2);
	assert_int_equal(watch.last_step, -103 * SEC);
	assert_int_equal(watch.last_when, 3);
}

/* A chronyd or ntpd that answers once, as @answer makes it. */
struct server {
	int fd;
	uint16_t port;
	bool ntp;
	pthread_t thread;
};

static void *serve(void *userdata)
{
	struct server *server = userdata;
	uint8_t request[256], reply[NTPCTL_BYTES + NTPCTL_REPLY_MAX];
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	struct pollfd poller = { .fd = server->fd, .events = POLLIN };
	ssize_t n;
	size_t size = CHRONY_PACKET_BYTES;

	if (poll(&poller, 1, 20000) != 1)
		return NULL;
	n = recvfrom(server->fd, request, sizeof(request), 0, (struct sockaddr *)&address, &length);
	if (n < NTPCTL_BYTES)
		return NULL;
	if (server->ntp) {
		size = ntp_packet(reply, 0, "stratum=2, offset=1.5, leap=0, refid=GPS");
		memcpy(reply + 2, request + 2, 2);
	} else {
		from_hex(chrony_phc, reply);
		memcpy(reply + 16, request + 8, 4);
	}
	(void)sendto(server->fd, reply, size, 0, (struct sockaddr *)&address, length);
	return NULL;
}

static void start_server(struct server *server, bool ntp)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);

	server->ntp = ntp;
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(server->fd >= 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* A port on which nobody is. */
static uint16_t free_port(void)
{
	struct server server = { 0 };
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);

	server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &length), 0);
	close(server.fd);
	return ntohs(address.sin_port);
}

static void check_report(const struct root *root, const struct time_status *status,
			 const char *const *expected)
{
	_cleanup_(report_clear) struct report report = { 0 };

	assert_int_equal(time_report(root->path, status, NULL, NULL, &report), 0);
	for (; *expected; expected += 2) {
		char path[64];
		const char *value;

		snprintf(path, sizeof(path), "data/xenpv/time/%s", expected[0]);
		value = report_find(&report, path);
		if (!value)
			fail_msg("%s is not reported", path);
		assert_string_equal(value, expected[1]);
	}
}

static void test_sources(void **state)
{
	const struct root *root = *state;
	struct server chrony = { 0 }, ntpd = { 0 };
	struct time_ports ports;
	struct time_status status;

	root_file(root, "sys/devices/system/clocksource/clocksource0/current_clocksource", "xen\n");
	start_server(&chrony, false);
	ports = (struct time_ports){ chrony.port, free_port() };
	time_read(root->path, &ports, &status);
	pthread_join(chrony.thread, NULL);
	close(chrony.fd);
	assert_true(status.managed);
	check_report(root, &status,
		     (const char *const[]){ "clocksource", "xen", "source", "phc", "synchronised",
					    "1", "stratum", "1", "offset", "-0.250000000",
					    "reference", "PHC0", "rtc", "utc", NULL });

	root_file(root, "etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n");
	start_server(&ntpd, true);
	ports = (struct time_ports){ free_port(), ntpd.port };
	time_read(root->path, &ports, &status);
	pthread_join(ntpd.thread, NULL);
	close(ntpd.fd);
	assert_true(status.managed);
	check_report(root, &status,
		     (const char *const[]){ "source", "ntpd", "stratum", "2", "offset",
					    "-0.001500000", "reference", "GPS", "rtc", "local",
					    NULL });
}

/* A chronyd that is there but silent keeps its clock. */
static void test_silent_daemon(void **state)
{
	const struct root *root = *state;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	struct time_status status;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct time_ports ports = { .ntp = free_port() };

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	ports.chrony = ntohs(address.sin_port);
	time_read(root->path, &ports, &status);
	assert_true(status.managed);
	assert_int_equal(status.source, TIME_CHRONY);
	assert_false(status.synchronised);
}

/* One that listens on no port of the loopback interface is known by its process. */
static void test_unasked_daemon(void **state)
{
	static const char *const names[] = { "chronyd", "ntpd" };
	const struct root *root = *state;

	assert_false(time_daemon_runs(root->path));
	root_file(root, "proc/1/comm", "systemd\n");
	root_file(root, "proc/2/stat", "ended meanwhile\n");
	root_file(root, "proc/3/comm", "chronyd-helper\n");
	root_file(root, "proc/4x/comm", "chronyd\n");
	root_file(root, "proc/sys/comm", "chronyd\n");
	assert_false(time_daemon_runs(root->path));
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s\n", names[i]);
		root_file(root, "proc/4711/comm", text);
		assert_true(time_daemon_runs(root->path));
		root_remove(root, "proc/4711/comm");
		assert_false(time_daemon_runs(root->path));
	}
}

static void test_wrong_localtime(void **state)
{
	const struct root *root = *state;
	struct time_status status = {
		.source = TIME_CHRONY,
		.synchronised = true,
		.age = -1,
		.has_host = true,
		.host = { .offset = -7200 * SEC },
	};

	check_report(root, &status,
		     (const char *const[]){ "host-offset", "-7200.000000000", "localtime",
					    "wrong: the host's clock is +7200 s", NULL });
	status.host.offset = 3 * SEC;
	check_report(root, &status, (const char *const[]){ "localtime", "right", NULL });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chrony_request),
		cmocka_unit_test(test_chrony_reply),
		cmocka_unit_test(test_chrony_refuses),
		cmocka_unit_test(test_ntpd),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_steps),
		cmocka_unit_test_setup_teardown(test_sources, root_set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_silent_daemon, root_set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_unasked_daemon, root_set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_localtime, root_set_up, root_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
