// SPDX-License-Identifier: GPL-2.0-or-later
#include "timesyncd.h"

#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"

#define NAME        "org.freedesktop.timesync1"
#define PATH        "/org/freedesktop/timesync1"
#define MANAGER     NAME ".Manager"
#define OWNER_OF    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='"
#define STRATUM_MAX 15

static int ask(struct timesyncd *t, sd_bus *bus);

/* (uuuuittayttttbtt): leap, version, mode, stratum, precision, root delay and dispersion, ... */
static int read_message(struct timesyncd *t, sd_bus_message *m)
{
	uint32_t leap, version, mode, stratum;
	uint64_t delay, dispersion, origin, received, sent, arrived, packets, jitter;
	int32_t precision;
	int spike, r;

	r = sd_bus_message_enter_container(m, 'r', "uuuuittayttttbtt");
	if (r < 0)
		return r;
	r = sd_bus_message_read(m, "uuuuitt", &leap, &version, &mode, &stratum, &precision, &delay,
				&dispersion);
	if (r >= 0)
		r = sd_bus_message_skip(m, "ay"); /* reference of the server */
	if (r >= 0)
		r = sd_bus_message_read(m, "ttttbtt", &origin, &received, &sent, &arrived, &spike,
					&packets, &jitter);
	if (r < 0)
		return r;
	if (packets && stratum >= 1 && stratum <= STRATUM_MAX) {
		t->stratum = stratum;
		/* Both ways' mean: what is to be added to the clock, in microseconds. */
		t->offset = -((double)(int64_t)(received - origin) +
			      (double)(int64_t)(sent - arrived)) /
			    2e6;
	}
	return sd_bus_message_exit_container(m);
}

static int read_property(struct timesyncd *t, sd_bus_message *m)
{
	const char *name, *text;
	int r;

	r = sd_bus_message_read(m, "s", &name);
	if (r < 0)
		return r;
	if (strcmp(name, "ServerName") == 0) {
		r = sd_bus_message_read(m, "v", "s", &text);
		if (r >= 0)
			snprintf(t->server, sizeof(t->server), "%s", text);
	} else if (strcmp(name, "NTPMessage") == 0) {
		r = sd_bus_message_enter_container(m, 'v', "(uuuuittayttttbtt)");
		if (r >= 0)
			r = read_message(t, m);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	} else {
		r = sd_bus_message_skip(m, "v");
	}
	return r;
}

static int read_all(struct timesyncd *t, sd_bus_message *m)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = read_property(t, m);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

static void forget(struct timesyncd *t)
{
	t->present = false;
	t->server[0] = '\0';
	t->stratum = 0;
	t->offset = 0;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct timesyncd *t = userdata;
	bool was_present = t->present;
	int r;

	(void)error;
	t->asking = false;
	forget(t);
	if (!sd_bus_message_is_method_error(m, NULL)) {
		r = read_all(t, m);
		if (r < 0) {
			forget(t);
			log_info("timesyncd's answer is not understood: %s", strerror(-r));
		} else {
			t->present = true;
		}
	}
	if (t->present || was_present)
		t->changed(t->userdata);
	if (t->again && ask(t, sd_bus_message_get_bus(m)) < 0)
		log_info("timesyncd is not asked again before it tells of a change");
	return 0;
}

/* One call at a time; what is announced during it is asked for by another. */
static int ask(struct timesyncd *t, sd_bus *bus)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r;

	t->again = t->asking;
	if (t->asking)
		return 0;
	r = sd_bus_message_new_method_call(bus, &m, NAME, PATH, "org.freedesktop.DBus.Properties",
					   "GetAll");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", MANAGER);
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0)
		r = sd_bus_call_async(bus, NULL, m, on_answer, t, 0);
	if (r < 0)
		return r;
	t->asking = true;
	return 0;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (ask(userdata, sd_bus_message_get_bus(m)) < 0)
		log_info("timesyncd cannot be asked");
	return 0;
}

int timesyncd_setup(sd_bus *bus, struct timesyncd *t)
{
	int r;

	r = sd_bus_match_signal_async(bus, NULL, NAME, PATH, "org.freedesktop.DBus.Properties",
				      "PropertiesChanged", on_signal, NULL, t);
	if (r >= 0)
		r = sd_bus_add_match_async(bus, NULL, OWNER_OF NAME "'", on_signal, NULL, t);
	return r < 0 ? r : ask(t, bus);
}

void timesyncd_lost(struct timesyncd *t)
{
	t->asking = t->again = false;
	forget(t);
}

void timesyncd_add(const struct timesyncd *t, struct time_status *status)
{
	if (!t->present || status->managed)
		return;
	status->source = TIME_TIMESYNCD;
	if (!status->synchronised)
		return;
	snprintf(status->reference, sizeof(status->reference), "%s", t->server);
	if (t->stratum) {
		status->stratum = t->stratum;
		status->has_offset = true;
		status->offset = t->offset;
	}
}
