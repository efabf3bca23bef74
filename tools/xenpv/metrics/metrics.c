// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv metrics: figures of all guests for Prometheus, printed once or served on request. */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "lib/cleanup.h"
#include "xenpv/command.h"
#include "xenpv/host/follow.h"
#include "xenpv/metrics/http.h"
#include "xenpv/metrics/text.h"

/* Requests within this time, in microseconds, get the same answer. */
#define FRESH 1000000

#define PARTS (VIEW_AGENT | VIEW_DEVICES)

struct metrics {
	struct sources s;
	struct follow *follow;
	sd_event *event;
	char *text; /* of the last look */
	size_t size;
	uint64_t taken;
};

static int look(struct metrics *m, char **ret, size_t *ret_size, struct problem *p)
{
	int r = follow_look(m->follow, p);

	if (r < 0)
		return r;
	r = metrics_text(follow_view(m->follow), ret, ret_size);
	return r < 0 ? problem_set(p, EXIT_FAILED, r, "%m") : 0;
}

static int page(void *userdata, char **ret, size_t *ret_size, char *why, size_t why_size)
{
	struct metrics *m = userdata;
	struct problem p = { 0 };
	uint64_t now = 0;
	char *text;
	size_t size;

	sd_event_now(m->event, CLOCK_MONOTONIC, &now);
	if (!m->text || now - m->taken >= FRESH) {
		int r = look(m, &text, &size, &p);

		if (r < 0) {
			snprintf(why, why_size, "%s", p.text);
			return r;
		}
		free(m->text);
		m->text = text;
		m->size = size;
		m->taken = now;
	}
	*ret = malloc(m->size + 1);
	if (!*ret) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	memcpy(*ret, m->text, m->size + 1);
	*ret_size = m->size;
	return 0;
}

static int serve(struct metrics *m, const char *address, struct problem *p)
{
	struct http *http = NULL;
	char bound[96];
	int r = follow_open(&m->s, PARTS, &m->follow, p);

	if (r < 0)
		return r;
	r = http_open(m->event, address, "/metrics", page, m, &http);
	if (r == -EINVAL)
		return problem_set(p, EXIT_USAGE, r,
				   "xenpv metrics: --listen=%s is no address; write "
				   "127.0.0.1:9709 or [::1]:9709",
				   address);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "cannot listen on %s: %m", address);
	http_address(http, bound, sizeof(bound));
	printf("listening on %s\n", bound);
	fflush(stdout);
	sd_notify(0, "READY=1");
	r = sd_event_add_signal(m->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(m->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_loop(m->event);
	http_close(http);
	return r < 0 ? problem_set(p, EXIT_FAILED, r, "xenstore or the event loop failed: %m") : 0;
}

static int print_once(struct metrics *m, struct problem *p)
{
	_cleanup_free_ char *text = NULL;
	struct view view = { 0 };
	size_t size = 0;
	int r = view_gather(&m->s, PARTS, NULL, &view, p);

	if (r < 0)
		return r;
	r = metrics_text(&view, &text, &size);
	view_clear(&view);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%m");
	if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
		return problem_set(p, EXIT_FAILED, -EIO, "cannot write to the standard output: %m");
	return 0;
}

/* The same figures for a program that knows no Prometheus. */
static int print_view(struct metrics *m, struct problem *p)
{
	struct json_object *o, *guests;
	struct view view = { 0 };
	int r = view_gather(&m->s, PARTS, NULL, &view, p);

	if (r < 0)
		return r;
	o = json_object_new_object();
	guests = json_object_new_array();
	json_object_object_add(o, "host_memory_kib", json_object_new_uint64(view.host.memory_kib));
	json_object_object_add(o, "host_free_kib", json_object_new_uint64(view.host.free_kib));
	json_object_object_add(o, "host_cpus", json_object_new_int64(view.host.cpus));
	for (size_t i = 0; i < view.n; i++)
		json_object_array_add(guests, view_json(&view.guest[i], PARTS));
	json_object_object_add(o, "guests", guests);
	view_clear(&view);
	return print_json(o, EXIT_DONE) == EXIT_DONE
		       ? 0
		       : problem_set(p, EXIT_FAILED, -EIO, "cannot write to the standard output");
}

int cmd_metrics(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv metrics",
		.words = "",
		.summary = "Print figures of all guests in Prometheus' text format, or serve them.",
		.json = json,
	};
	struct metrics m = { 0 };
	const char *listen_on = NULL;
	const struct opt opts[] = {
		{ "listen", 'l', OPT_TEXT, &listen_on, "ADDR:PORT",
		  "serve http://ADDR:PORT/metrics" },
		SOURCES_OPTIONS(&m.s),
		{ 0 },
	};
	struct problem p = { 0 };
	sigset_t set;
	int status, r;

	if (!parse_options(&call, opts, 0, 0, &argc, &argv, &status))
		return status;
	if (listen_on && call.json) {
		complain("xenpv metrics: --listen serves Prometheus' format, not --json");
		return EXIT_USAGE;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (listen_on)
		sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_new(&m.event);
	if (r < 0)
		problem_set(&p, EXIT_FAILED, r, "%m");
	else
		r = sources_open(&m.s, m.event, &p);
	if (r >= 0)
		r = listen_on ? serve(&m, listen_on, &p)
			      : (call.json ? print_view(&m, &p) : print_once(&m, &p));
	if (r < 0)
		problem_print(&p);
	follow_close(m.follow);
	sources_close(&m.s);
	sd_event_unref(m.event);
	free(m.text);
	return r < 0 ? p.status : EXIT_DONE;
}
