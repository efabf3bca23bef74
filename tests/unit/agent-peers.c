// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent-peers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include <systemd/sd-bus.h>

#include "lib/cleanup.h"

struct peer {
	sd_event *event;
	sd_event_source *listener;
	sd_bus *bus;
	char path[108];
	bool is_bus;
	bool called;
	bool asked_time;
	const struct job_info *jobs;
	size_t n_jobs;
	bool refuse_lock;
	int lock; /* our end of the pipe whose other end is the lock */
};

static int reply_jobs(struct peer *peer, sd_bus_message *m)
{
	sd_bus_message *reply = NULL;
	int r;

	assert_true(sd_bus_message_new_method_return(m, &reply) >= 0);
	assert_true(sd_bus_message_open_container(reply, 'a', "(usssoo)") >= 0);
	for (size_t i = 0; i < peer->n_jobs; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/org/freedesktop/systemd1/job/%u", peer->jobs[i].id);
		assert_true(sd_bus_message_append(reply, "(usssoo)", peer->jobs[i].id,
						  peer->jobs[i].unit, peer->jobs[i].type,
						  peer->jobs[i].state, path,
						  "/org/freedesktop/systemd1/unit/x") >= 0);
	}
	assert_true(sd_bus_message_close_container(reply) >= 0);
	r = sd_bus_send(peer->bus, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int reply_lock(struct peer *peer, sd_bus_message *m)
{
	const char *what, *who, *why, *mode;
	int ends[2], r;

	assert_true(sd_bus_message_read(m, "ssss", &what, &who, &why, &mode) > 0);
	assert_string_equal(what, "shutdown:sleep");
	assert_string_equal(mode, "delay");
	if (peer->refuse_lock)
		return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "refused");
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	close_fd(&peer->lock);
	peer->lock = ends[0];
	r = sd_bus_reply_method_return(m, "h", ends[1]);
	close(ends[1]);
	return r;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct peer *peer = userdata;

	(void)error;
	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello") > 0)
		return sd_bus_reply_method_return(m, "s", ":1.7");
	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", NULL) > 0)
		return sd_bus_reply_method_return(m, NULL);
	/* There is no timesyncd; that it is asked for it shows. */
	if (sd_bus_message_get_destination(m) &&
	    strcmp(sd_bus_message_get_destination(m), "org.freedesktop.timesync1") == 0) {
		peer->asked_time = true;
		return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_SERVICE_UNKNOWN, "absent");
	}
	peer->called = true;
	if (sd_bus_message_is_method_call(m, "org.freedesktop.systemd1.Manager", "ListJobs") > 0)
		return reply_jobs(peer, m);
	if (sd_bus_message_is_method_call(m, "org.freedesktop.login1.Manager", "Inhibit") > 0)
		return reply_lock(peer, m);
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct peer *peer = userdata;
	sd_id128_t id = { .qwords = { 1, 2 } };
	int connection;

	(void)source;
	(void)revents;
	connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(connection >= 0);
	peer->bus = sd_bus_close_unref(peer->bus);
	assert_true(sd_bus_new(&peer->bus) >= 0);
	assert_true(sd_bus_set_fd(peer->bus, connection, connection) >= 0);
	assert_true(sd_bus_set_server(peer->bus, true, id) >= 0);
	assert_true(sd_bus_negotiate_fds(peer->bus, true) >= 0);
	assert_true(sd_bus_start(peer->bus) >= 0);
	assert_true(sd_bus_add_filter(peer->bus, NULL, on_message, peer) >= 0);
	assert_true(sd_bus_attach_event(peer->bus, peer->event, SD_EVENT_PRIORITY_NORMAL) >= 0);
	return 0;
}

struct peer *peer_new(sd_event *event, const char *path, bool bus)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct peer *peer = calloc(1, sizeof(*peer));
	int fd;

	assert_non_null(peer);
	peer->event = event;
	peer->is_bus = bus;
	peer->lock = -1;
	snprintf(peer->path, sizeof(peer->path), "%s", path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_true(sd_event_add_io(event, &peer->listener, fd, EPOLLIN, on_connection, peer) >= 0);
	assert_true(sd_event_source_set_io_fd_own(peer->listener, true) >= 0);
	return peer;
}

void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	peer_drop(peer);
	sd_event_source_disable_unref(peer->listener);
	unlink(peer->path);
	close_fd(&peer->lock);
	free(peer);
}

bool peer_ready(const struct peer *peer)
{
	return peer && peer->called && (peer->asked_time || !peer->is_bus);
}

void peer_drop(struct peer *peer)
{
	peer->bus = sd_bus_close_unref(peer->bus);
	peer->called = peer->asked_time = false;
}

void peer_set_jobs(struct peer *peer, const struct job_info *jobs, size_t n)
{
	peer->jobs = jobs;
	peer->n_jobs = n;
}

static void emit(struct peer *peer, const char *path, const char *interface, const char *member,
		 const char *types, ...)
{
	sd_bus_message *m = NULL;
	va_list ap;

	assert_non_null(peer->bus);
	assert_true(sd_bus_message_new_signal(peer->bus, &m, path, interface, member) >= 0);
	if (peer->is_bus)
		assert_true(sd_bus_message_set_sender(m, ":1.5") >= 0);
	va_start(ap, types);
	assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
	va_end(ap);
	assert_true(sd_bus_send(peer->bus, m, NULL) >= 0);
	sd_bus_message_unref(m);
}

#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

void peer_emit_job_new(struct peer *peer, uint32_t id, const char *unit)
{
	emit(peer, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobNew", "uos", id, SYSTEMD_PATH "/job/1", unit);
}

void peer_emit_job_removed(struct peer *peer, uint32_t id, const char *unit, const char *result)
{
	emit(peer, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved", "uoss", id, SYSTEMD_PATH "/job/1",
	     unit, result);
}

void peer_emit_job_running(struct peer *peer, uint32_t id)
{
	char path[64];

	snprintf(path, sizeof(path), SYSTEMD_PATH "/job/%u", id);
	emit(peer, path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
	     "org.freedesktop.systemd1.Job", 1, "State", "s", "running", 0);
}

bool peer_lock_held(const struct peer *peer)
{
	struct pollfd poller = { .fd = peer->lock, .events = POLLIN };

	/* A pipe whose writing ends are all closed hangs up. */
	return peer->lock >= 0 && poll(&poller, 1, 0) == 0;
}

void peer_refuse_lock(struct peer *peer)
{
	peer->refuse_lock = true;
}

void peer_emit_prepare(struct peer *peer, bool start)
{
	emit(peer, "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
	     "PrepareForShutdown", "b", (int)start);
}

void peer_emit_sleep(struct peer *peer, bool start)
{
	emit(peer, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep",
	     "b", (int)start);
}
