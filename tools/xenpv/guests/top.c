// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenpv top: what guests do, again and again.
 *
 * A refresh asks the hypervisor once and reads the devices' counters; names and devices are read
 * when xenstore says that they have changed.
 */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/command.h"
#include "xenpv/guests/top-screen.h"
#include "xenpv/guests/top-table.h"
#include "xenpv/host/follow.h"

#define DELAY_MAX 3600

struct top {
	sd_event *event;
	struct sources s;
	struct follow *follow;
	struct view before; /* the look before the last */
	double seconds;     /* between the two */
	uint64_t taken;     /* microseconds, monotonic */
	bool json, batch;
	struct screen screen;
	bool screen_open;
	uint64_t delay; /* microseconds */
	uint32_t left;  /* iterations, 0: without end */
	struct problem problem;
};

static void clock_text(char ret[16])
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm) || strftime(ret, 16, "%H:%M:%S", &tm) == 0)
		strcpy(ret, "--:--:--");
}

/* Look again; what was seen last becomes what was before. */
static int sample(struct top *t)
{
	struct view before = { 0 };
	uint64_t taken;
	int r;

	r = view_snapshot(follow_view(t->follow), &before);
	if (r < 0)
		return problem_set(&t->problem, EXIT_FAILED, r, "%m");
	view_clear(&t->before);
	t->before = before;
	r = follow_look(t->follow, &t->problem);
	if (r < 0)
		return r;
	sd_event_now(t->event, CLOCK_MONOTONIC, &taken);
	t->seconds = t->taken ? (double)(taken - t->taken) / 1e6 : 0;
	t->taken = taken;
	return 0;
}

static void print_table(const struct top_table *table, const char *clock)
{
	char head[TOP_HEAD][TOP_LINE], line[TOP_LINE];

	top_head(table->view, clock, head);
	for (int i = 0; i < TOP_HEAD; i++)
		puts(head[i]);
	top_columns(line);
	puts(line);
	for (size_t i = 0; i < table->n; i++) {
		top_line(table, &table->row[i], line);
		puts(line);
	}
}

static int print_line(struct json_object *o)
{
	int r = puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return r < 0 ? -EIO : 0;
}

static int output(struct top *t)
{
	struct top_table table;
	char clock[16];
	int r = top_table_make(follow_view(t->follow), t->seconds > 0 ? &t->before : NULL,
			       t->seconds > 0 ? t->seconds : 1, t->screen.sort, &table);

	if (r < 0)
		return problem_set(&t->problem, EXIT_FAILED, r, "%m");
	clock_text(clock);
	if (t->json)
		r = print_line(top_json(&table, clock, t->seconds));
	else if (t->batch)
		print_table(&table, clock);
	else
		screen_draw(&t->screen, &table, clock);
	top_table_clear(&table);
	if (t->batch && (r < 0 || fflush(stdout) != 0))
		return problem_set(&t->problem, EXIT_FAILED, -errno,
				   "cannot write to the standard output: %m");
	return 0;
}

static int stop(struct top *t, int r)
{
	return sd_event_exit(t->event, r < 0 ? t->problem.status : EXIT_DONE);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct top *t = userdata;
	int r = sample(t);

	(void)usec;
	if (r >= 0)
		r = output(t);
	if (r < 0 || (t->left && --t->left == 0))
		return stop(t, r);
	r = sd_event_source_set_time_relative(source, t->delay);
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return r < 0 ? stop(t, problem_set(&t->problem, EXIT_FAILED, r, "%m")) : 0;
}

static int on_key(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct top *t = userdata;
	enum screen_key key;
	bool redraw = false;

	(void)source;
	(void)fd;
	while ((key = screen_key(&t->screen)) != SCREEN_NONE) {
		if (key == SCREEN_QUIT)
			return stop(t, 0);
		redraw = true;
	}
	if (events & (EPOLLHUP | EPOLLERR))
		return stop(t, 0);
	if (redraw && output(t) < 0)
		return stop(t, -EIO);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct top *t = userdata;

	(void)source;
	if (si->ssi_signo != SIGWINCH)
		return stop(t, 0);
	if (t->screen_open) {
		screen_resized();
		if (output(t) < 0)
			return stop(t, -EIO);
	}
	return 0;
}

static int start(struct top *t)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGWINCH };
	sigset_t set;
	int r;

	sigemptyset(&set);
	for (size_t i = 0; i < ELEMENTSOF(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_new(&t->event);
	for (size_t i = 0; i < ELEMENTSOF(signals) && r >= 0; i++)
		r = sd_event_add_signal(t->event, NULL, signals[i], on_signal, t);
	if (r < 0)
		return problem_set(&t->problem, EXIT_FAILED, r, "%m");
	r = sources_open(&t->s, t->event, &t->problem);
	if (r >= 0)
		r = follow_open(&t->s, VIEW_DEVICES, &t->follow, &t->problem);
	return r;
}

static int run(struct top *t)
{
	int r;

	r = sample(t);
	if (r >= 0 && !t->batch) {
		r = screen_open(&t->screen);
		if (r < 0)
			return problem_set(&t->problem, EXIT_REFUSED, r,
					   "there is no terminal to draw on; use --batch or "
					   "--json");
		t->screen_open = true;
		r = output(t);
	}
	if (r < 0)
		return r;
	if (!t->batch)
		r = sd_event_add_io(t->event, NULL, STDIN_FILENO, EPOLLIN, on_key, t);
	if (r >= 0)
		r = sd_event_add_time_relative(t->event, NULL, CLOCK_MONOTONIC, t->delay, 1000,
					       on_timer, t);
	if (r >= 0)
		r = sd_event_loop(t->event);
	if (r < 0)
		return problem_set(&t->problem, EXIT_FAILED, r, "%m");
	t->problem.status = r;
	return r == EXIT_DONE ? 0 : -EIO;
}

static bool take_options(struct top *t, const char *delay, const char *iterations, const char *sort)
{
	uint32_t seconds = 3;

	if (delay && parse_u32(delay, 1, DELAY_MAX, &seconds) < 0) {
		complain("xenpv top: --delay=%s is not a number of seconds from 1 to %d", delay,
			 DELAY_MAX);
		return false;
	}
	t->delay = UINT64_C(1000000) * seconds;
	t->left = t->json && !t->batch ? 1 : 0;
	if (iterations && parse_u32(iterations, 1, UINT32_MAX, &t->left) < 0) {
		complain("xenpv top: --iterations=%s is not a number from 1 on", iterations);
		return false;
	}
	if (sort && top_sort_parse(sort, &t->screen.sort) < 0) {
		complain("xenpv top: --sort=%s is not one of domid, cpu, memory, iops, name", sort);
		return false;
	}
	t->batch = t->batch || t->json;
	return true;
}

int cmd_top(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv top",
		.words = "",
		.summary = "Show what guests do: CPU, memory, network, disks, rings.",
		.more = "With --json it prints one object, or with --iterations as many, each on a "
			"line.",
		.json = json,
	};
	struct top t = { 0 };
	const char *delay = NULL, *iterations = NULL, *sort = NULL;
	const struct opt opts[] = {
		{ "batch", 'b', OPT_FLAG, &t.batch, NULL, "print tables instead of a screen" },
		{ "delay", 'd', OPT_TEXT, &delay, "S", "seconds between two looks (3)" },
		{ "iterations", 'i', OPT_TEXT, &iterations, "N", "end after N tables" },
		{ "sort", 's', OPT_TEXT, &sort, "KEY", "domid, cpu, memory, iops or name" },
		SOURCES_OPTIONS(&t.s),
		{ 0 },
	};
	int status, r;

	if (!parse_options(&call, opts, 0, 0, &argc, &argv, &status))
		return status;
	t.json = call.json;
	if (!take_options(&t, delay, iterations, sort))
		return EXIT_USAGE;
	r = start(&t);
	if (r >= 0)
		r = run(&t);
	if (t.screen_open)
		screen_close();
	if (r < 0 && t.problem.text[0])
		problem_print(&t.problem);
	view_clear(&t.before);
	follow_close(t.follow);
	sources_close(&t.s);
	sd_event_unref(t.event);
	return r < 0 ? t.problem.status : EXIT_DONE;
}
