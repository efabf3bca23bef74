// SPDX-License-Identifier: GPL-2.0-or-later
#include "logind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buslink.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define LOGIND_NAME    "org.freedesktop.login1"
#define LOGIND_PATH    "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"

struct logind {
	struct bus_link link;
	sd_event *event;
	struct shutdown *shutdown;
	void (*changed)(void *userdata);
	void *userdata;
	struct timesyncd *timesyncd; /* or NULL */
	bool wanted; /* the lock is wanted: held, asked for, or as soon as there is a bus */
	bool asking; /* a call of Inhibit() is under way */
	int lock;    /* descriptor that is the lock, or -1 */
};

static int on_lock(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	int fd, r;

	(void)error;
	logind->asking = false;
	if (sd_bus_message_is_method_error(m, NULL)) {
		const sd_bus_error *e = sd_bus_message_get_error(m);

		/* A guest without logind is told of the shutdown by systemd alone. */
		log_info("no delay lock from logind: %s", e->message ?: e->name);
		return 0;
	}
	r = sd_bus_message_read(m, "h", &fd);
	if (r < 0) {
		log_warning(r, "logind's answer to Inhibit is not understood: %m");
		return 0;
	}
	if (!logind->wanted || logind->lock >= 0)
		return 0; /* the descriptor goes with the message, and so does the lock */
	logind->lock = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (logind->lock < 0)
		log_warning(-errno, "cannot keep logind's delay lock: %m");
	return 0;
}

static int ask(struct logind *logind, sd_bus *bus)
{
	int r;

	r = sd_bus_call_method_async(bus, NULL, LOGIND_NAME, LOGIND_PATH, LOGIND_MANAGER, "Inhibit",
				     on_lock, logind, "ssss", "shutdown:sleep", "xenpv-agent",
				     "Tells the Xen host that the guest stops or sleeps", "delay");
	if (r < 0)
		return r;
	logind->asking = true;
	return 0;
}

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	uint64_t now;
	int start, r;

	(void)error;
	r = sd_bus_message_read(m, "b", &start);
	if (r >= 0)
		r = sd_event_now(logind->event, CLOCK_BOOTTIME, &now);
	if (r < 0) {
		log_warning(r, "logind's signal PrepareForShutdown is not understood: %m");
		return 0;
	}
	if (start)
		shutdown_request(logind->shutdown, now);
	else
		shutdown_cancel(logind->shutdown);
	logind->changed(logind->userdata);
	return 0;
}

static int on_sleep(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct logind *logind = userdata;
	int start, r;

	(void)error;
	r = sd_bus_message_read(m, "b", &start);
	if (r < 0) {
		log_warning(r, "logind's signal PrepareForSleep is not understood: %m");
		return 0;
	}
	logind->shutdown->suspending = start;
	logind->changed(logind->userdata);
	return 0;
}

static int logind_setup(sd_bus *bus, void *userdata)
{
	struct logind *logind = userdata;
	int r;

	r = sd_bus_match_signal_async(bus, NULL, LOGIND_NAME, LOGIND_PATH, LOGIND_MANAGER,
				      "PrepareForShutdown", on_prepare, NULL, logind);
	if (r < 0)
		return r;
	r = sd_bus_match_signal_async(bus, NULL, LOGIND_NAME, LOGIND_PATH, LOGIND_MANAGER,
				      "PrepareForSleep", on_sleep, NULL, logind);
	if (r < 0)
		return r;
	if (logind->timesyncd) {
		r = timesyncd_setup(bus, logind->timesyncd);
		if (r < 0)
			return r;
	}
	return logind->wanted ? ask(logind, bus) : 0;
}

static bool logind_lost(void *userdata)
{
	struct logind *logind = userdata;

	logind->asking = false;
	if (logind->timesyncd)
		timesyncd_lost(logind->timesyncd);
	/* While the system stops, a new connection would only start the message bus anew. */
	return !logind->shutdown->requested;
}

static const struct bus_link_ops logind_ops = {
	.setup = logind_setup,
	.lost = logind_lost,
};

void logind_hold(struct logind *logind)
{
	int r;

	if (logind->wanted)
		return;
	logind->wanted = true;
	if (!logind->link.bus || sd_bus_is_open(logind->link.bus) <= 0) {
		bus_link_resume(&logind->link);
		return;
	}
	if (logind->asking)
		return;
	r = ask(logind, logind->link.bus);
	if (r < 0)
		log_warning(r, "cannot ask logind for a delay lock: %m");
}

void logind_release(struct logind *logind)
{
	logind->wanted = false;
	close_fd(&logind->lock);
}

int logind_new(sd_event *event, const char *address, struct shutdown *shutdown,
	       void (*changed)(void *userdata), void *userdata, struct timesyncd *timesyncd,
	       struct logind **ret)
{
	struct logind *logind;
	int r;

	logind = malloc(sizeof(*logind));
	if (!logind)
		return -ENOMEM;
	*logind = (struct logind){
		.link = {
			.name = "logind",
			.address = address,
			.broker = true,
			.ops = &logind_ops,
			.userdata = logind,
		},
		.event = event,
		.shutdown = shutdown,
		.changed = changed,
		.userdata = userdata,
		.timesyncd = timesyncd,
		.wanted = true,
		.lock = -1,
	};
	r = bus_link_open(&logind->link, event);
	if (r < 0) {
		logind_free(logind);
		return r;
	}
	*ret = logind;
	return 0;
}

void logind_free(struct logind *logind)
{
	if (!logind)
		return;
	bus_link_close(&logind->link);
	close_fd(&logind->lock);
	free(logind);
}
