// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenpv shutdown, xenpv reboot: ask a guest's kernel, and follow what becomes of it.
 *
 * The host writes control/shutdown; the guest's kernel takes the word and empties the node
 * (drivers/xen/manage.c of Linux). What happens then is told by data/xenpv/shutdown, which the
 * agent keeps, and at the end by the hypervisor: the domain is shut down, with a reason, then gone.
 * After a reboot the toolstack makes a new domain of the same UUID.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "lib/xs.h"
#include "xenpv/command.h"
#include "xenpv/guests/await.h"
#include "xenpv/host/words.h"

#define TIMEOUT 300 /* seconds */

enum outcome {
	OUTCOME_NONE,
	OUTCOME_ASKED, /* without --wait */
	OUTCOME_STOPPED,
	OUTCOME_REBOOTED,
	OUTCOME_CRASHED,
	OUTCOME_SUSPENDED,
	OUTCOME_TIMEOUT, /* it is on its way, but slow */
	OUTCOME_SILENT,  /* the guest took no notice */
	OUTCOME_INTERRUPTED,
};

static const char *const outcomes[] = {
	[OUTCOME_NONE] = "none",
	[OUTCOME_ASKED] = "asked",
	[OUTCOME_STOPPED] = "stopped",
	[OUTCOME_REBOOTED] = "rebooted",
	[OUTCOME_CRASHED] = "crashed",
	[OUTCOME_SUSPENDED] = "suspended",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_SILENT] = "unanswered",
	[OUTCOME_INTERRUPTED] = "interrupted",
};

struct power {
	struct await a;
	bool reboot, json;
	const char *word;             /* for control/shutdown */
	bool heard;                   /* the guest has taken the word */
	char *state, *unit, *seconds; /* of the agent, as last seen */
	bool gone;
	uint32_t new_domid;
	enum outcome outcome;
};

static void say(const struct power *w, const char *what, const char *more)
{
	if (w->json)
		return;
	printf("%s: %s%s%s (%.0f s)\n", w->a.name, what, more ? " " : "", more ?: "",
	       await_seconds(&w->a));
	fflush(stdout);
}

static bool differ(const char *a, const char *b)
{
	return strcmp(a ?: "", b ?: "") != 0;
}

/* What the guest has told since we looked last. */
static void look_at_guest(struct power *w)
{
	_cleanup_free_ char *word = await_read(&w->a, "control/shutdown");
	_cleanup_free_ char *state = await_read(&w->a, "data/xenpv/shutdown/state");
	_cleanup_free_ char *unit = await_read(&w->a, "data/xenpv/shutdown/unit");
	char *seconds = await_read(&w->a, "data/xenpv/shutdown/seconds");

	if (seconds) {
		free(w->seconds);
		w->seconds = seconds;
	}
	if (!w->heard && (!word || !*word)) {
		w->heard = true;
		say(w, "has heard it", NULL);
	}
	if (state && strcmp(state, "running") != 0 &&
	    (differ(state, w->state) || differ(unit, w->unit)))
		say(w, !strcmp(state, "stopping") && unit ? "stopping, held up by" : state,
		    !strcmp(state, "stopping") ? unit : NULL);
	if (state) {
		free(w->state);
		w->state = TAKE_PTR(state);
	}
	if (w->state) { /* else the home is gone, and what was known is known still */
		free(w->unit);
		w->unit = TAKE_PTR(unit);
	}
}

/* The domain that the toolstack made of the same guest; 0 while there is none. */
static int find_successor(struct power *w, uint32_t *ret)
{
	_cleanup_free_ struct hv_domain *list = NULL;
	size_t n = 0;
	int r = w->a.s.hv.ops->domains(w->a.s.hv.data, &list, &n);

	if (r < 0)
		return problem_set(&w->a.problem, EXIT_FAILED, r,
				   "cannot ask Xen for its domains: %m");
	*ret = 0;
	for (size_t i = 0; i < n; i++)
		if (list[i].domid != w->a.domain.domid && !strcmp(list[i].uuid, w->a.domain.uuid) &&
		    !list[i].dying)
			*ret = list[i].domid;
	return 0;
}

static int done(struct power *w, enum outcome outcome)
{
	w->outcome = outcome;
	return 1;
}

/* The domain is at its end; what for? */
static int look_at_end(struct power *w, enum hv_reason reason)
{
	int r = find_successor(w, &w->new_domid);

	if (r < 0)
		return r;
	if (w->new_domid)
		return done(w, OUTCOME_REBOOTED);
	switch (reason) {
	case HV_REASON_CRASH:
		return done(w, OUTCOME_CRASHED);
	case HV_REASON_SUSPEND:
		return done(w, OUTCOME_SUSPENDED);
	case HV_REASON_REBOOT:
		if (!w->gone)
			say(w, "has stopped to start again", NULL);
		w->gone = true;
		return 0; /* the toolstack is to make a new one */
	default:
		break;
	}
	if (w->reboot && reason == HV_REASON_NONE)
		return 0; /* destroyed, to be made anew */
	return done(w, OUTCOME_STOPPED);
}

static int look(struct await *a)
{
	struct power *w = a->userdata;
	struct hv_domain d;
	int r = a->s.hv.ops->domain(a->s.hv.data, a->domain.domid, &d);

	if (r < 0 && r != -ENOENT)
		return problem_set(&a->problem, EXIT_FAILED, r, "cannot ask Xen for domain %u: %m",
				   a->domain.domid);
	if (r == 0)
		look_at_guest(w);
	if (r == -ENOENT || d.shutdown || d.dying)
		r = look_at_end(w, r == -ENOENT || !d.shutdown ? HV_REASON_NONE : d.reason);
	if (r != 0)
		return r;
	if (a->interrupted)
		return done(w, OUTCOME_INTERRUPTED);
	if (a->late)
		return done(w, w->heard ? OUTCOME_TIMEOUT : OUTCOME_SILENT);
	return 0;
}

static int request_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct power *w = userdata;
	_cleanup_free_ char *old = NULL;
	int r = xsc_read(xs, t, w->a.home, "control/shutdown", &old);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r >= 0 && *old)
		return -EBUSY;
	return xsc_write(xs, t, w->a.home, "control/shutdown", w->word);
}

static int withdraw_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct power *w = userdata;
	_cleanup_free_ char *old = NULL;
	int r = xsc_read(xs, t, w->a.home, "control/shutdown", &old);

	if (r < 0)
		return r;
	return strcmp(old, w->word) == 0 ? xsc_write(xs, t, w->a.home, "control/shutdown", "") : 0;
}

/* HVM guests without PV drivers are deaf; the drivers say that they listen. */
static int check_hears(struct power *w)
{
	_cleanup_free_ char *feature = NULL;
	char key[40];

	if (w->a.domain.type != HV_HVM)
		return 0;
	snprintf(key, sizeof(key), "control/feature-%s", w->word);
	feature = await_read(&w->a, key);
	if (feature && !strcmp(feature, "1"))
		return 0;
	return problem_set(&w->a.problem, EXIT_REFUSED, -EOPNOTSUPP,
			   "%s has no driver that listens (%s is not 1); stop it from inside, or "
			   "with \"xl shutdown -F\"",
			   w->a.name, key);
}

static int request(struct power *w)
{
	int r = await_able(&w->a, w->reboot ? "reboot" : "shut down");

	if (r >= 0)
		r = check_hears(w);
	if (r < 0)
		return r;
	r = xsc_transaction(w->a.s.xs, request_body, w);
	if (r == -EBUSY)
		return problem_set(
			&w->a.problem, EXIT_REFUSED, r,
			"%s has been asked before and has not answered yet; wait, or use "
			"\"xl destroy\"",
			w->a.name);
	if (r < 0)
		return problem_set(&w->a.problem, EXIT_FAILED, r,
				   "%s: cannot write control/shutdown: %m", w->a.name);
	say(w, w->reboot ? "asked to reboot" : "asked to shut down", NULL);
	return 0;
}

static int follow(struct power *w, uint32_t limit)
{
	static const char *const paths[] = { "control/shutdown", "data/xenpv/shutdown",
					     "@releaseDomain", "@introduceDomain" };
	int r = 0;

	w->a.look = look;
	w->a.userdata = w;
	for (size_t i = 0; i < ELEMENTSOF(paths) && r >= 0; i++)
		r = await_watch(&w->a, paths[i]);
	if (r >= 0)
		r = await_run(&w->a, limit);
	return r;
}

static int status_of(const struct power *w)
{
	switch (w->outcome) {
	case OUTCOME_ASKED:
		return EXIT_DONE;
	case OUTCOME_STOPPED:
		return w->reboot ? EXIT_OTHERWISE : EXIT_DONE;
	case OUTCOME_REBOOTED:
		return w->reboot ? EXIT_DONE : EXIT_OTHERWISE;
	case OUTCOME_TIMEOUT:
		return EXIT_LATE;
	case OUTCOME_SILENT:
		return EXIT_SILENT;
	case OUTCOME_CRASHED:
	case OUTCOME_SUSPENDED:
		return EXIT_OTHERWISE;
	default:
		return EXIT_FAILED;
	}
}

static int report_json(const struct power *w)
{
	struct json_object *o = json_object_new_object();
	double seconds;

	json_object_object_add(o, "guest", json_object_new_string(w->a.name));
	json_object_object_add(o, "domid", json_object_new_int64(w->a.domain.domid));
	json_object_object_add(o, "asked",
			       json_object_new_string(w->reboot ? "reboot" : "shutdown"));
	json_object_object_add(o, "result", json_object_new_string(outcomes[w->outcome]));
	json_object_object_add(o, "seconds", json_object_new_double(await_seconds(&w->a)));
	json_object_object_add(o, "guest_seconds",
			       w->seconds && parse_real(w->seconds, &seconds) == 0
				       ? json_object_new_double(seconds)
				       : NULL);
	json_object_object_add(o, "held_by", w->unit ? json_object_new_string(w->unit) : NULL);
	json_object_object_add(o, "new_domid",
			       w->new_domid ? json_object_new_int64(w->new_domid) : NULL);
	return print_json(o, status_of(w));
}

static int report(const struct power *w)
{
	char more[64] = "";

	if (w->json)
		return report_json(w);
	switch (w->outcome) {
	case OUTCOME_STOPPED:
		if (w->seconds)
			snprintf(more, sizeof(more), "within %.20s s by its own clock", w->seconds);
		say(w, "stopped", *more ? more : NULL);
		if (w->reboot)
			complain("%s has stopped and does not start again", w->a.name);
		break;
	case OUTCOME_REBOOTED:
		snprintf(more, sizeof(more), "as domain %u", w->new_domid);
		say(w, "started again", more);
		if (!w->reboot)
			complain("%s was to stop and has rebooted", w->a.name);
		break;
	case OUTCOME_TIMEOUT:
		complain("%s: %s after %.0f s%s%s; it may still finish", w->a.name,
			 w->gone ? "no new domain" : "still stopping", await_seconds(&w->a),
			 w->unit && !w->gone ? ", held up by " : "",
			 w->unit && !w->gone ? w->unit : "");
		break;
	case OUTCOME_SILENT:
		complain("%s took no notice within %.0f s, so the request was withdrawn; does it "
			 "still work, and has it PV drivers?",
			 w->a.name, await_seconds(&w->a));
		break;
	case OUTCOME_CRASHED:
	case OUTCOME_SUSPENDED:
		complain("%s has %s instead", w->a.name,
			 w->outcome == OUTCOME_CRASHED ? "crashed" : "been suspended");
		break;
	case OUTCOME_INTERRUPTED:
		complain("%s: waits no longer; the guest goes on with what it was asked",
			 w->a.name);
		break;
	default:
		break;
	}
	return status_of(w);
}

static int run(struct call *call, bool reboot, int argc, char **argv)
{
	struct power w = { .reboot = reboot, .word = reboot ? "reboot" : "poweroff" };
	const char *timeout = NULL;
	bool wait = false;
	uint32_t limit;
	const struct opt opts[] = {
		{ "wait", 'w', OPT_FLAG, &wait, NULL, "wait until it has, and show how it goes" },
		{ "timeout", 't', OPT_TEXT, &timeout, "S", "wait so many seconds (300)" },
		SOURCES_OPTIONS(&w.a.s),
		{ 0 },
	};
	int status, r;

	if (!parse_options(call, opts, 1, 1, &argc, &argv, &status))
		return status;
	w.json = call->json;
	if (!await_limit(call->path, timeout, TIMEOUT, &limit))
		return EXIT_USAGE;
	if (timeout && !wait) {
		complain("%s: --timeout without --wait", call->path);
		return EXIT_USAGE;
	}
	w.outcome = OUTCOME_ASKED;
	r = await_open(&w.a, argv[0]);
	if (r >= 0)
		r = request(&w);
	if (r >= 0 && wait) {
		w.outcome = OUTCOME_NONE;
		r = follow(&w, limit);
		if (w.outcome == OUTCOME_SILENT)
			(void)xsc_transaction(w.a.s.xs, withdraw_body, &w);
	}
	if (r < 0)
		problem_print(&w.a.problem);
	status = r < 0 ? w.a.problem.status : report(&w);
	await_close(&w.a);
	free(w.state);
	free(w.unit);
	free(w.seconds);
	return status;
}

int cmd_shutdown(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv shutdown",
		.words = "GUEST",
		.summary = "Ask a guest to shut down, and wait for it if wanted.",
		.json = json,
	};

	return run(&call, false, argc, argv);
}

int cmd_reboot(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv reboot",
		.words = "GUEST",
		.summary = "Ask a guest to reboot, and wait for it if wanted.",
		.json = json,
	};

	return run(&call, true, argc, argv);
}
