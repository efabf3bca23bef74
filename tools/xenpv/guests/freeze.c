// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenpv freeze, xenpv thaw: have the agent of a guest freeze its file systems, so that a copy of
 * its disks taken meanwhile is consistent. The nodes are described in docs/host-command.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "lib/xs.h"
#include "xenpv/command.h"
#include "xenpv/guests/await.h"

#define REQUEST     "control/xenpv/freeze"
#define ANSWER      "data/xenpv/freeze"
#define SECONDS     30 /* that a guest stays frozen, unless told otherwise */
#define SECONDS_MAX 600
#define TIMEOUT     30

struct freeze {
	struct await a;
	bool thaw, json;
	uint32_t seconds; /* the guest's own limit */
	char id[33];
	bool heard;
	char *state; /* final: frozen, thawed, failed; NULL: none came */
	char *error, *reason, *filesystems, *granted;
};

static char *answer(const struct freeze *f, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), ANSWER "/%s", key);
	return await_read(&f->a, path);
}

/* Is the answer there one to our request, and its last word? */
static int look(struct await *a)
{
	struct freeze *f = a->userdata;
	_cleanup_free_ char *id = answer(f, "id"), *state = answer(f, "state");
	struct hv_domain d;
	int r = a->s.hv.ops->domain(a->s.hv.data, a->domain.domid, &d);

	if (r < 0 || d.shutdown || d.dying)
		return problem_set(&a->problem, EXIT_OTHERWISE, -ESRCH,
				   "%s is not running any more", a->name);
	if (id && state && !strcmp(id, f->id)) {
		f->heard = f->heard || strcmp(state, "frozen") != 0 || !f->thaw;
		if (!strcmp(state, "thawed") || !strcmp(state, "failed") ||
		    (!f->thaw && !strcmp(state, "frozen"))) {
			f->state = TAKE_PTR(state);
			return 1;
		}
	}
	if (a->interrupted)
		return problem_set(&a->problem, EXIT_FAILED, -EINTR,
				   "%s: waits no longer; the agent thaws by itself", a->name);
	if (a->late)
		return problem_set(&a->problem, f->heard ? EXIT_LATE : EXIT_SILENT, -ETIMEDOUT,
				   f->heard ? "%s has not finished within %.0f s; the agent thaws "
					      "by itself"
					    : "%s: its agent did not answer within %.0f s",
				   a->name, await_seconds(a));
	return 0;
}

static int make_id(struct freeze *f)
{
	uint64_t n;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		return problem_set(&f->a.problem, EXIT_FAILED, -errno, "no random numbers: %m");
	snprintf(f->id, sizeof(f->id), "%016" PRIx64, n);
	return 0;
}

/* May it be asked for now? Finds the id to thaw. */
static int prepare(struct freeze *f)
{
	_cleanup_free_ char *able = NULL, *id = NULL, *state = NULL, *old = NULL;
	int r = await_able(&f->a, f->thaw ? "thaw" : "freeze");
	bool busy;

	if (r < 0)
		return r;
	able = await_read(&f->a, "data/xenpv/feature-freeze");
	if (!able || strcmp(able, "1") != 0)
		return problem_set(&f->a.problem, EXIT_REFUSED, -EOPNOTSUPP,
				   "%s has no agent that can freeze; install xenpv-agent in it, or "
				   "shut it down for the copy",
				   f->a.name);
	id = answer(f, "id");
	state = answer(f, "state");
	busy = id && state && (!strcmp(state, "frozen") || !strcmp(state, "freezing"));
	if (!f->thaw) {
		old = await_read(&f->a, REQUEST);
		if (!busy && (!old || !*old))
			return make_id(f);
		return problem_set(&f->a.problem, EXIT_REFUSED, -EBUSY,
				   "%s is %s already; wait, or run \"xenpv thaw %s\"", f->a.name,
				   busy ? state : "being frozen", f->a.name);
	}
	if (!busy) {
		/* one that nobody has answered is not to stand in the way of the next */
		(void)xsc_remove(f->a.s.xs, XBT_NULL, f->a.home, REQUEST);
		return problem_set(&f->a.problem, EXIT_REFUSED, -ENOENT,
				   "%s is not frozen; a time limit may have thawed it, and a copy "
				   "taken meanwhile is not to be trusted",
				   f->a.name);
	}
	/* it goes back to the guest that wrote it, but only in the form that we gave it */
	if (strlen(id) >= sizeof(f->id) || id[strspn(id, "0123456789abcdef")] || !*id)
		return problem_set(&f->a.problem, EXIT_FAILED, -EINVAL,
				   "%s: " ANSWER "/id is \"%.40s\", no id", f->a.name, id);
	strcpy(f->id, id);
	return 0;
}

static int ask(struct freeze *f)
{
	int r = await_watch(&f->a, ANSWER);

	if (r >= 0)
		r = await_watch(&f->a, "@releaseDomain");
	if (r < 0)
		return r;
	/* the last word about another request is not to be taken for one about this */
	if (!f->thaw)
		(void)xsc_remove(f->a.s.xs, XBT_NULL, f->a.home, ANSWER "/state");
	if (f->thaw)
		r = xsc_printf(f->a.s.xs, XBT_NULL, f->a.home, REQUEST, "thaw %s", f->id);
	else
		r = xsc_printf(f->a.s.xs, XBT_NULL, f->a.home, REQUEST, "freeze %s %u", f->id,
			       f->seconds);
	if (r < 0)
		return problem_set(&f->a.problem, EXIT_FAILED, r,
				   "%s: cannot write " REQUEST ": %m", f->a.name);
	return 0;
}

static int status_of(const struct freeze *f)
{
	if (!f->thaw)
		return !strcmp(f->state, "frozen") ? EXIT_DONE : EXIT_FAILED;
	/* thawed before it was asked: by its time limit, so the copy is worth nothing */
	return !strcmp(f->state, "thawed") && (!f->reason || !strcmp(f->reason, "asked"))
		       ? EXIT_DONE
		       : EXIT_FAILED;
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static void add_number(struct json_object *o, const char *key, const char *text)
{
	uint64_t n;

	json_object_object_add(
		o, key,
		text && parse_u64(text, 0, UINT64_MAX, &n) == 0 ? json_object_new_uint64(n) : NULL);
}

static int report(const struct freeze *f)
{
	int status = status_of(f);
	struct json_object *o;

	if (f->json) {
		o = json_object_new_object();
		add_text(o, "guest", f->a.name);
		json_object_object_add(o, "domid", json_object_new_int64(f->a.domain.domid));
		add_text(o, "id", f->id);
		add_text(o, "result", f->state);
		add_text(o, "reason", f->reason);
		add_text(o, "error", f->error);
		add_number(o, "filesystems", f->filesystems);
		add_number(o, "limit_seconds", f->granted);
		json_object_object_add(o, "seconds", json_object_new_double(await_seconds(&f->a)));
		return print_json(o, status);
	}
	if (status == EXIT_DONE && !f->thaw)
		printf("%s: frozen, %s file systems, for at most %s s\n", f->a.name,
		       f->filesystems ?: "?", f->granted ?: "?");
	else if (status == EXIT_DONE)
		printf("%s: thawed\n", f->a.name);
	else if (f->thaw)
		complain("%s was thawed before (%s); do not trust the copy", f->a.name,
			 f->reason ?: (f->error ?: f->state));
	else
		complain("%s could not be frozen: %s", f->a.name, f->error ?: f->state);
	return status;
}

static int run(struct freeze *f, const char *guest, uint32_t limit)
{
	bool asked = false;
	int r = await_open(&f->a, guest);

	if (r >= 0)
		r = prepare(f);
	if (r >= 0)
		r = ask(f);
	if (r >= 0) {
		asked = true;
		f->a.look = look;
		f->a.userdata = f;
		r = await_run(&f->a, limit);
	}
	if (asked)
		(void)xsc_remove(f->a.s.xs, XBT_NULL, f->a.home, REQUEST);
	if (r < 0) {
		problem_print(&f->a.problem);
		return f->a.problem.status;
	}
	f->error = answer(f, "error");
	f->reason = answer(f, "reason");
	f->filesystems = answer(f, "filesystems");
	f->granted = answer(f, "seconds");
	return report(f);
}

static void clear(struct freeze *f)
{
	await_close(&f->a);
	free(f->state);
	free(f->error);
	free(f->reason);
	free(f->filesystems);
	free(f->granted);
}

int cmd_freeze(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv freeze",
		.words = "GUEST",
		.summary = "Have a guest freeze its file systems until it is thawed.",
		.json = json,
	};
	struct freeze f = { .seconds = SECONDS };
	const char *timeout = NULL, *seconds = NULL;
	uint32_t limit;
	const struct opt opts[] = {
		{ "seconds", 's', OPT_TEXT, &seconds, "S",
		  "the guest thaws by itself after so many (30)" },
		{ "timeout", 't', OPT_TEXT, &timeout, "S", "wait so many seconds (30)" },
		SOURCES_OPTIONS(&f.a.s),
		{ 0 },
	};
	int status;

	if (!parse_options(&call, opts, 1, 1, &argc, &argv, &status))
		return status;
	if (!await_limit(call.path, timeout, TIMEOUT, &limit))
		return EXIT_USAGE;
	if (seconds && parse_u32(seconds, 1, SECONDS_MAX, &f.seconds) < 0) {
		complain("xenpv freeze: --seconds=%s is not a number from 1 to %d", seconds,
			 SECONDS_MAX);
		return EXIT_USAGE;
	}
	f.json = call.json;
	status = run(&f, argv[0], limit);
	clear(&f);
	return status;
}

int cmd_thaw(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv thaw",
		.words = "GUEST",
		.summary = "Have a guest thaw the file systems that it froze.",
		.json = json,
	};
	struct freeze f = { .thaw = true };
	const char *timeout = NULL;
	uint32_t limit;
	const struct opt opts[] = {
		{ "timeout", 't', OPT_TEXT, &timeout, "S", "wait so many seconds (30)" },
		SOURCES_OPTIONS(&f.a.s),
		{ 0 },
	};
	int status;

	if (!parse_options(&call, opts, 1, 1, &argc, &argv, &status))
		return status;
	if (!await_limit(call.path, timeout, TIMEOUT, &limit))
		return EXIT_USAGE;
	f.json = call.json;
	status = run(&f, argv[0], limit);
	clear(&f);
	return status;
}
