// SPDX-License-Identifier: GPL-2.0-or-later
#include "buslink.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/log.h"

#define DBUS_LOCAL "org.freedesktop.DBus.Local"

/* A peer that takes connections and drops them is asked less and less often. */
#define DELAY_MIN_USEC ((uint64_t)1000000)
#define DELAY_MAX_USEC ((uint64_t)300 * 1000000)

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

static void drop(struct bus_link *link)
{
	link->bus = sd_bus_close_unref(link->bus);
}

static int schedule(struct bus_link *link)
{
	int r;

	r = sd_event_source_set_time_relative(link->retry, link->delay);
	if (r < 0)
		return r;
	link->delay = link->delay < DELAY_MAX_USEC / 2 ? 2 * link->delay : DELAY_MAX_USEC;
	return sd_event_source_set_enabled(link->retry, SD_EVENT_ONESHOT);
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus_link *link = userdata;

	(void)m;
	(void)error;
	log_debug("%s: connected to %s", link->name, link->address);
	link->delay = DELAY_MIN_USEC;
	return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus_link *link = userdata;
	int r;

	(void)m;
	(void)error;
	log_debug("%s: connection to %s ended", link->name, link->address);
	if (!link->ops->lost(link->userdata)) {
		/* Freed by bus_link_resume() or bus_link_close(): it is being dispatched now. */
		return 0;
	}
	r = schedule(link);
	if (r < 0)
		log_warning(r, "%s: cannot connect again: %m", link->name);
	return 0;
}

static int match_local(struct bus_link *link, sd_bus *bus, const char *member,
		       sd_bus_message_handler_t handler)
{
	return sd_bus_match_signal(bus, NULL, DBUS_LOCAL, NULL, DBUS_LOCAL, member, handler, link);
}

static int connect_once(struct bus_link *link)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
	int r;

	r = sd_bus_new(&bus);
	if (r < 0)
		return r;
	r = sd_bus_set_description(bus, link->name);
	if (r < 0)
		return r;
	r = sd_bus_set_address(bus, link->address);
	if (r < 0)
		return r;
	r = sd_bus_set_bus_client(bus, link->broker);
	if (r < 0)
		return r;
	r = sd_bus_set_watch_bind(bus, true);
	if (r < 0)
		return r;
	r = sd_bus_set_connected_signal(bus, true);
	if (r < 0)
		return r;
	r = sd_bus_start(bus);
	if (r < 0)
		return r;
	r = match_local(link, bus, "Connected", on_connected);
	if (r < 0)
		return r;
	r = match_local(link, bus, "Disconnected", on_disconnected);
	if (r < 0)
		return r;
	r = sd_bus_attach_event(bus, link->event, SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		return r;
	r = link->ops->setup(bus, link->userdata);
	if (r < 0)
		return r;
	link->bus = TAKE_PTR(bus);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bus_link *link = userdata;
	int r;

	(void)source;
	(void)usec;
	drop(link);
	r = connect_once(link);
	if (r < 0) {
		log_debug("%s: cannot connect to %s: %s", link->name, link->address, strerror(-r));
		r = schedule(link);
	}
	if (r < 0)
		log_warning(r, "%s: cannot connect again: %m", link->name);
	return 0;
}

int bus_link_open(struct bus_link *link, sd_event *event)
{
	int r;

	link->event = sd_event_ref(event);
	link->delay = DELAY_MIN_USEC;
	r = sd_event_add_time_relative(event, &link->retry, CLOCK_MONOTONIC, 0, 0, on_retry, link);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(link->retry, link->name);
	return 0;
}

void bus_link_resume(struct bus_link *link)
{
	int enabled;

	if (link->bus && sd_bus_is_open(link->bus) > 0)
		return;
	if (sd_event_source_get_enabled(link->retry, &enabled) > 0)
		return;
	link->delay = DELAY_MIN_USEC;
	if (schedule(link) < 0)
		log_warning(0, "%s: cannot connect again", link->name);
}

void bus_link_close(struct bus_link *link)
{
	link->retry = sd_event_source_disable_unref(link->retry);
	drop(link);
	link->event = sd_event_unref(link->event);
}
