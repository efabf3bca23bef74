// SPDX-License-Identifier: GPL-2.0-or-later
/* What systemd-timesyncd tells: asked of a stand-in for it and for the message bus. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>
#include <systemd/sd-bus.h>

#include "lib/cleanup.h"
#include "timesyncd.h"

#define PATH       "/org/freedesktop/timesync1"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define LIMIT_USEC ((uint64_t)20 * 1000000)

static struct {
	sd_event *event;
	sd_bus *client, *server;
	struct timesyncd timesyncd;
	unsigned int changes, calls;
	/* what the stand-in answers */
	bool absent, nonsense;
	unsigned int hold; /* calls that are not answered until release() */
	sd_bus_message *held;
	const char *name;
	uint32_t stratum;
	uint64_t packets;
} t;

static void append_message(sd_bus_message *m)
{
	static const uint8_t reference[] = { 192, 0, 2, 9 };

	assert_true(sd_bus_message_open_container(m, 'v', "(uuuuittayttttbtt)") >= 0);
	assert_true(sd_bus_message_open_container(m, 'r', "uuuuittayttttbtt") >= 0);
	assert_true(sd_bus_message_append(m, "uuuuitt", 0, 4, 4, t.stratum, -20, (uint64_t)1,
					  (uint64_t)2) >= 0);
	assert_true(sd_bus_message_append_array(m, 'y', reference, sizeof(reference)) >= 0);
	/* 10 ms each way, and a clock that is 250 ms behind */
	assert_true(sd_bus_message_append(m, "ttttbtt", (uint64_t)1000000, (uint64_t)1260000,
					  (uint64_t)1261000, (uint64_t)1021000, 0, t.packets,
					  (uint64_t)3) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
}

static void append_properties(sd_bus_message *m)
{
	assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
	assert_true(sd_bus_message_append(m, "{sv}", "LinkNTPServers", "as", 1, "192.0.2.1") >= 0);
	assert_true(sd_bus_message_append(m, "{sv}", "ServerName", t.nonsense ? "u" : "s",
					  t.nonsense ? (void *)7 : t.name) >= 0);
	assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
	assert_true(sd_bus_message_append(m, "s", "NTPMessage") >= 0);
	append_message(m);
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
}

static int reply(sd_bus_message *call)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

	if (t.absent)
		return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_SERVICE_UNKNOWN, "absent");
	assert_true(sd_bus_message_new_method_return(call, &m) >= 0);
	append_properties(m);
	return sd_bus_send(t.server, m, NULL);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello") > 0)
		return sd_bus_reply_method_return(m, "s", ":1.7");
	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", NULL) > 0)
		return sd_bus_reply_method_return(m, NULL);
	assert_true(sd_bus_message_is_method_call(m, PROPERTIES, "GetAll") > 0);
	assert_string_equal(sd_bus_message_get_destination(m), "org.freedesktop.timesync1");
	assert_int_equal(sd_bus_message_get_auto_start(m), 0);
	t.calls++;
	if (t.hold) {
		t.hold--;
		t.held = sd_bus_message_ref(m);
		return 1;
	}
	return reply(m);
}

static void on_changed(void *userdata)
{
	(void)userdata;
	t.changes++;
}

static bool is_changed(void)
{
	return t.changes > 0;
}

static bool is_asked(void)
{
	return t.calls > 0;
}

static void run_until(bool (*done)(void))
{
	uint64_t now, end;

	assert_true(sd_event_now(t.event, CLOCK_MONOTONIC, &now) >= 0);
	for (end = now + LIMIT_USEC; !done();) {
		assert_true(sd_event_run(t.event, LIMIT_USEC) >= 0);
		assert_true(sd_event_now(t.event, CLOCK_MONOTONIC, &now) >= 0);
		assert_true(now < end);
	}
	t.changes = t.calls = 0;
}

static void emit(const char *path, const char *interface, const char *member, const char *types,
		 ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	va_list ap;

	assert_true(sd_bus_message_new_signal(t.server, &m, path, interface, member) >= 0);
	assert_true(sd_bus_message_set_sender(m, strcmp(member, "NameOwnerChanged") == 0
							 ? "org.freedesktop.DBus"
							 : ":1.5") >= 0);
	va_start(ap, types);
	assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
	va_end(ap);
	assert_true(sd_bus_send(t.server, m, NULL) >= 0);
}

static void emit_answered(void)
{
	emit(PATH, PROPERTIES, "PropertiesChanged", "sa{sv}as", "org.freedesktop.timesync1.Manager",
	     0, 1, "NTPMessage");
}

static void emit_owner(const char *old, const char *new)
{
	emit("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "sss",
	     "org.freedesktop.timesync1", old, new);
}

static void open_end(sd_bus **bus, int fd)
{
	assert_true(sd_bus_new(bus) >= 0);
	assert_true(sd_bus_set_fd(*bus, fd, fd) >= 0);
}

static int set_up(void **state)
{
	sd_id128_t id = { .qwords = { 1, 2 } };
	int ends[2];

	(void)state;
	memset(&t, 0, sizeof(t));
	t.name = "ntp.example.org";
	t.stratum = 2;
	t.packets = 5;
	t.timesyncd.changed = on_changed;
	assert_true(sd_event_new(&t.event) >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	open_end(&t.server, ends[0]);
	assert_true(sd_bus_set_server(t.server, true, id) >= 0);
	assert_true(sd_bus_start(t.server) >= 0);
	assert_true(sd_bus_add_filter(t.server, NULL, on_call, NULL) >= 0);
	assert_true(sd_bus_attach_event(t.server, t.event, SD_EVENT_PRIORITY_NORMAL) >= 0);
	open_end(&t.client, ends[1]);
	assert_true(sd_bus_set_bus_client(t.client, true) >= 0);
	assert_true(sd_bus_start(t.client) >= 0);
	assert_true(sd_bus_attach_event(t.client, t.event, SD_EVENT_PRIORITY_NORMAL) >= 0);
	assert_true(timesyncd_setup(t.client, &t.timesyncd) >= 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sd_bus_message_unref(t.held);
	sd_bus_close_unref(t.client);
	sd_bus_close_unref(t.server);
	sd_event_unref(t.event);
	return 0;
}

static void test_told(void **state)
{
	struct time_status status = { .source = TIME_OTHER, .synchronised = true, .age = -1 };

	(void)state;
	run_until(is_changed);
	timesyncd_add(&t.timesyncd, &status);
	assert_int_equal(status.source, TIME_TIMESYNCD);
	assert_string_equal(status.reference, "ntp.example.org");
	assert_int_equal(status.stratum, 2);
	assert_true(status.has_offset);
	assert_true(fabs(status.offset + 0.25) < 1e-9);

	/* it answers to a server's next answer, too */
	t.name = "192.0.2.1";
	t.stratum = 3;
	emit_answered();
	run_until(is_changed);
	timesyncd_add(&t.timesyncd, &status);
	assert_string_equal(status.reference, "192.0.2.1");
	assert_int_equal(status.stratum, 3);
}

/* The kernel's word decides whether the clock is right; chronyd and ntpd go before. */
static void test_others_decide(void **state)
{
	struct time_status unset = { .source = TIME_NONE };
	struct time_status chrony = { .source = TIME_CHRONY,
				      .managed = true,
				      .synchronised = true };

	(void)state;
	run_until(is_changed);
	timesyncd_add(&t.timesyncd, &unset);
	assert_int_equal(unset.source, TIME_TIMESYNCD);
	assert_false(unset.has_offset);
	assert_string_equal(unset.reference, "");
	timesyncd_add(&t.timesyncd, &chrony);
	assert_int_equal(chrony.source, TIME_CHRONY);
	assert_string_equal(chrony.reference, "");
}

static void test_no_answer_yet(void **state)
{
	struct time_status status = { .source = TIME_TIMESYNCD, .synchronised = true };

	(void)state;
	t.packets = 0;
	run_until(is_changed);
	timesyncd_add(&t.timesyncd, &status);
	assert_string_equal(status.reference, "ntp.example.org");
	assert_false(status.has_offset);
	assert_int_equal(status.stratum, 0);
}

static void test_comes_and_goes(void **state)
{
	struct time_status status = { .source = TIME_OTHER, .synchronised = true };

	(void)state;
	t.absent = true;
	run_until(is_asked);
	t.absent = false;
	emit_owner("", ":1.5");
	run_until(is_changed);
	assert_true(t.timesyncd.present);
	t.absent = true;
	emit_owner(":1.5", "");
	run_until(is_changed);
	timesyncd_add(&t.timesyncd, &status);
	assert_int_equal(status.source, TIME_OTHER);
	assert_string_equal(status.reference, "");
}

static void test_nonsense(void **state)
{
	(void)state;
	run_until(is_changed);
	t.nonsense = true;
	emit_answered();
	run_until(is_changed);
	assert_false(t.timesyncd.present);
}

/* Whatever is announced while it is being asked, it is asked once more, and not each time. */
static void test_one_call_at_a_time(void **state)
{
	(void)state;
	t.hold = 1;
	run_until(is_asked);
	for (int i = 0; i < 10; i++)
		emit_answered();
	emit_owner("", ":1.5");
	/* in order, so the signals have arrived when this is answered */
	t.name = "later.example.org";
	assert_true(reply(t.held) >= 0);
	while (t.changes < 2)
		assert_true(sd_event_run(t.event, LIMIT_USEC) > 0);
	assert_int_equal(t.calls, 1);
	assert_false(t.timesyncd.asking || t.timesyncd.again);
	timesyncd_lost(&t.timesyncd);
	assert_false(t.timesyncd.present);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others_decide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_answer_yet, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_comes_and_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_call_at_a_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
