// SPDX-License-Identifier: GPL-2.0-or-later
#include "freeze.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "freezer.h"
#include "hookrun.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "mounts.h"

#define RECOVERY_USEC ((uint64_t)10 * 1000000)

enum state {
	STATE_NONE, /* nothing was asked */
	STATE_FREEZING,
	STATE_FROZEN,
	STATE_THAWED,
	STATE_FAILED
};

struct freeze {
	sd_event *event;
	struct manager *manager;
	const struct settings *settings;
	const char *root;
	void (*changed)(void *userdata);
	void *userdata;

	char *seen; /* the request as last read, or NULL */
	enum state state;
	char id[FREEZE_ID_BYTES];
	uint32_t seconds; /* limit in force; 0: not said */
	uint32_t n;       /* file systems frozen */
	const char *reason;
	char *error;
	enum state outcome; /* to be told when the hooks after it have ended */
	bool ending;        /* a thaw was asked for, or the hooks after one run */
	bool over;          /* the file systems are thawed, but for what hangs */
	struct hookrun *hooks;
	struct freezer *freezer; /* also while something hangs after its freeze */
};

static bool take_word(const char **text, char *ret, size_t size)
{
	size_t n = strcspn(*text, " ");

	if (!n || n >= size)
		return false;
	memcpy(ret, *text, n);
	ret[n] = '\0';
	*text += n;
	*text += **text == ' ';
	return true;
}

int freeze_parse(const char *text, struct freeze_request *ret)
{
	struct freeze_request request = { 0 };
	char verb[8], id[FREEZE_ID_BYTES];

	*ret = request;
	if (!take_word(&text, verb, sizeof(verb)) || !take_word(&text, id, sizeof(id)) ||
	    id[strspn(id, "0123456789abcdef")])
		return -EINVAL;
	strcpy(request.id, id);
	strcpy(ret->id, id);
	if (strcmp(verb, "thaw") == 0 && !*text) {
		request.verb = FREEZE_THAW;
	} else if (strcmp(verb, "freeze") == 0 &&
		   parse_u32(text, 1, FREEZE_SECONDS_MAX, &request.seconds) >= 0) {
		request.verb = FREEZE_FREEZE;
	} else {
		return -EINVAL;
	}
	*ret = request;
	return 0;
}

static void set_error(struct freeze *freeze, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void set_error(struct freeze *freeze, const char *format, ...)
{
	va_list ap;
	int r;

	free(freeze->error);
	va_start(ap, format);
	r = vasprintf(&freeze->error, format, ap);
	va_end(ap);
	if (r < 0)
		freeze->error = NULL; /* undefined after a failure */
}

static void begin(struct freeze *freeze, const char *id, uint32_t seconds)
{
	free(freeze->error);
	freeze->error = NULL;
	freeze->reason = NULL;
	freeze->n = 0;
	freeze->seconds = seconds;
	freeze->ending = false;
	freeze->over = false;
	(void)snprintf(freeze->id, sizeof(freeze->id), "%s", id);
}

static void set_state(struct freeze *freeze, enum state state)
{
	freeze->state = state;
	freeze->changed(freeze->userdata);
}

static void on_hooks_after(void *userdata, int result)
{
	struct freeze *freeze = userdata;

	hookrun_free(freeze->hooks);
	freeze->hooks = NULL;
	if (result < 0)
		log_warning(result, "hooks after the thaw: %m");
	if (freeze->outcome == STATE_FAILED)
		log_warning(0, "not frozen: %s", freeze->error ?: "out of memory");
	else if (freeze->error)
		log_warning(0, "thawed %" PRIu32 " file systems (%s): %s", freeze->n,
			    freeze->reason, freeze->error);
	else
		log_info("thawed %" PRIu32 " file systems (%s)", freeze->n, freeze->reason);
	set_state(freeze, freeze->outcome);
}

/* Nothing is frozen any more: undo what the hooks before did, then tell. */
static void end(struct freeze *freeze, enum state outcome, const char *reason)
{
	int r;

	freeze->ending = true;
	freeze->outcome = outcome;
	freeze->reason = outcome == STATE_THAWED ? reason : NULL;
	r = hookrun_start(freeze->event, freeze->manager, HOOKS_THAW,
			  freeze->settings->freeze_timeout, on_hooks_after, freeze, &freeze->hooks);
	if (r < 0)
		on_hooks_after(freeze, r);
}

static void free_freezer(struct freeze *freeze)
{
	freezer_free(freeze->freezer);
	freeze->freezer = NULL;
}

static void explain(struct freeze *freeze, const struct freezer_news *news)
{
	if (news->event == FREEZER_FAILED)
		set_error(freeze, "%s cannot be frozen: %s", news->target ?: "a file system",
			  strerror(-news->error));
	else if (news->hangs && news->hung)
		set_error(freeze, "%s is not thawed yet: its disk does not answer", news->hung);
	else if (news->hangs)
		set_error(freeze, "nothing is frozen, but a disk does not answer");
	else if (news->event == FREEZER_LOST)
		set_error(freeze, "the process that held the freeze was killed");
}

/* Of a freeze that is over, or that an earlier agent has begun. */
static void on_rest(struct freeze *freeze, const struct freezer_news *news)
{
	if (news->event == FREEZER_LOST)
		log_warning(0,
			    "thawed %" PRIu32 " file systems that an agent before this one had "
			    "left frozen",
			    news->n);
	if (news->hung)
		log_warning(0, "%s is not thawed%s", news->hung,
			    news->hangs ? " yet: its disk does not answer"
					: ": see \"fsfreeze --unfreeze\"");
	if (news->hangs)
		return;
	if (news->event == FREEZER_ENDED && !news->hung)
		log_info("the disk answers again, and nothing is frozen any more");
	free_freezer(freeze);
}

static void on_freezer(void *userdata, const struct freezer_news *news)
{
	struct freeze *freeze = userdata;
	const char *reason = freeze->reason ?: "asked";

	if (!freeze_is_active(freeze) || freeze->over) {
		on_rest(freeze, news);
		return;
	}
	freeze->n = news->n;
	if (news->event == FREEZER_FROZEN) {
		/* No word in the log: the journal's own disk is frozen. */
		if (!freeze->ending)
			set_state(freeze, STATE_FROZEN);
		return;
	}
	explain(freeze, news);
	if (news->event == FREEZER_TIMEOUT)
		reason = "timeout";
	else if (news->event == FREEZER_LOST || news->hangs)
		reason = "error";
	/* What hangs is awaited, but not by the host and the hooks. */
	freeze->over = true;
	if (!news->hangs)
		free_freezer(freeze);
	end(freeze, news->event == FREEZER_FAILED ? STATE_FAILED : STATE_THAWED, reason);
}

static void on_hooks_before(void *userdata, int result)
{
	struct freeze *freeze = userdata;
	_cleanup_(mounts_clear) struct mounts mounts = { 0 };
	int r;

	hookrun_free(freeze->hooks);
	freeze->hooks = NULL;
	if (result < 0) {
		set_error(freeze, "hooks in freeze.d: %s",
			  result == -EIO ? "one failed, see the journal" : strerror(-result));
		end(freeze, STATE_FAILED, NULL);
		return;
	}
	if (freeze->ending) {
		end(freeze, STATE_THAWED, freeze->reason);
		return;
	}
	r = mounts_read(freeze->root, &mounts);
	if (r >= 0)
		r = freezer_start(freeze->event, &mounts, freeze->seconds, on_freezer, freeze,
				  &freeze->freezer);
	if (r < 0) {
		set_error(freeze, "cannot begin: %s",
			  r == -E2BIG ? "too many file systems" : strerror(-r));
		end(freeze, STATE_FAILED, NULL);
	}
}

static void start(struct freeze *freeze, const struct freeze_request *request)
{
	uint32_t limit = freeze->settings->freeze_limit;
	int r;

	begin(freeze, request->id, request->seconds < limit ? request->seconds : limit);
	log_info("freezing on the host's wish, for %" PRIu32 " s at most", freeze->seconds);
	set_state(freeze, STATE_FREEZING);
	r = hookrun_start(freeze->event, freeze->manager, HOOKS_FREEZE,
			  freeze->settings->freeze_timeout, on_hooks_before, freeze,
			  &freeze->hooks);
	if (r < 0) {
		set_error(freeze, "hooks in freeze.d: %s", strerror(-r));
		end(freeze, STATE_FAILED, NULL);
	}
}

/* What is under way ends as soon as it can; reported with @reason. */
static void thaw(struct freeze *freeze, const char *reason)
{
	if (!freeze_is_active(freeze) || freeze->ending)
		return;
	freeze->ending = true;
	freeze->reason = reason;
	if (freeze->freezer && !freeze->over)
		freezer_thaw(freeze->freezer);
}

static void refuse(struct freeze *freeze, const char *id, const char *why)
{
	begin(freeze, id, 0);
	set_error(freeze, "%s", why);
	log_warning(0, "the host's wish to freeze is refused: %s", why);
	set_state(freeze, STATE_FAILED);
}

void freeze_request(struct freeze *freeze, const char *text, bool old)
{
	struct freeze_request request;
	int r;

	if (!text) {
		free(freeze->seen);
		freeze->seen = NULL;
		return;
	}
	if (freeze->seen && strcmp(freeze->seen, text) == 0)
		return;
	free(freeze->seen);
	freeze->seen = strdup(text);
	r = freeze_parse(text, &request);
	if (r >= 0 && request.verb == FREEZE_THAW) {
		if (strcmp(request.id, freeze->id) == 0)
			thaw(freeze, "asked");
		return;
	}
	/* The host sees whose freeze it is, and says so itself. */
	if (freeze_is_active(freeze))
		return;
	if (r < 0)
		refuse(freeze, request.id,
		       "the request is not of the form \"freeze ID SECONDS\" or \"thaw ID\"");
	else if (old)
		refuse(freeze, request.id, "the request is older than the agent");
	else if (!freeze->settings->freeze)
		refuse(freeze, request.id, "forbidden by agent.conf in the guest");
	else if (freeze->freezer)
		refuse(freeze, request.id,
		       "an earlier freeze is not over yet; if that lasts, a disk does not answer");
	else
		start(freeze, &request);
}

void freeze_abort(struct freeze *freeze, const char *reason)
{
	thaw(freeze, reason);
}

bool freeze_is_active(const struct freeze *freeze)
{
	return freeze->state == STATE_FREEZING || freeze->state == STATE_FROZEN;
}

void freeze_reset(struct freeze *freeze)
{
	if (freeze_is_active(freeze))
		return;
	begin(freeze, "", 0);
	freeze->state = STATE_NONE;
}

int freeze_report_feature(const struct settings *settings, struct report *report)
{
	return report_add(report, FREEZE_FEATURE, settings->freeze ? "1" : NULL);
}

int freeze_report(const struct freeze *freeze, struct report *report)
{
	static const char *const names[] = {
		[STATE_FREEZING] = "freezing",
		[STATE_FROZEN] = "frozen",
		[STATE_THAWED] = "thawed",
		[STATE_FAILED] = "failed",
	};
	bool counted = freeze->state == STATE_FROZEN || freeze->state == STATE_THAWED;
	char seconds[16], n[16];
	const struct {
		const char *path, *value;
	} nodes[] = {
		{ FREEZE_PATH "/id", freeze->id },
		{ FREEZE_PATH "/seconds", freeze->seconds ? seconds : NULL },
		{ FREEZE_PATH "/filesystems", counted ? n : NULL },
		{ FREEZE_PATH "/error", freeze->error },
		{ FREEZE_PATH "/reason", freeze->state == STATE_THAWED ? freeze->reason : NULL },
		{ FREEZE_PATH "/state", names[freeze->state] },
	};
	int r;

	snprintf(seconds, sizeof(seconds), "%" PRIu32, freeze->seconds);
	snprintf(n, sizeof(n), "%" PRIu32, freeze->n);
	r = freeze_report_feature(freeze->settings, report);
	if (r >= 0 && freeze->state == STATE_NONE)
		return report_add(report, FREEZE_PATH, NULL);
	for (size_t i = 0; i < ELEMENTSOF(nodes) && r >= 0; i++)
		r = report_add(report, nodes[i].path, nodes[i].value);
	return r;
}

int freeze_new(sd_event *event, struct manager *manager, const struct settings *settings,
	       const char *root, void (*changed)(void *userdata), void *userdata,
	       struct freeze **ret)
{
	struct freeze *freeze = malloc(sizeof(*freeze));
	int r;

	if (!freeze)
		return -ENOMEM;
	*freeze = (struct freeze){
		.event = event,
		.manager = manager,
		.settings = settings,
		.root = root,
		.changed = changed,
		.userdata = userdata,
	};
	r = freezer_recover(event, on_freezer, freeze, &freeze->freezer);
	if (r < 0)
		log_warning(r, "what an earlier agent may have left frozen is not thawed: %m");
	*ret = freeze;
	return 0;
}

void freeze_free(struct freeze *freeze)
{
	if (!freeze)
		return;
	freezer_free(freeze->freezer);
	hookrun_free(freeze->hooks);
	free(freeze->error);
	free(freeze->seen);
	free(freeze);
}

struct recovery {
	struct freezer *freezer;
	sd_event *event;
};

static void on_recovered(void *userdata, const struct freezer_news *news)
{
	struct recovery *recovery = userdata;

	if (news->event == FREEZER_LOST)
		log_warning(0, "thawed %" PRIu32 " file systems that the agent had left frozen",
			    news->n);
	if (news->hung)
		log_warning(0, "%s is not thawed%s", news->hung,
			    news->hangs ? " yet: its disk does not answer" : "");
	if (!news->hangs)
		sd_event_exit(recovery->event, news->hung ? -EBUSY : 0);
}

static int recover(struct recovery *recovery)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	r = sd_event_new(&recovery->event);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(recovery->event, NULL, CLOCK_MONOTONIC, RECOVERY_USEC, 0,
				       NULL, (void *)(intptr_t)-EBUSY);
	if (r < 0)
		return r;
	r = freezer_recover(recovery->event, on_recovered, recovery, &recovery->freezer);
	return r > 0 ? sd_event_loop(recovery->event) : r;
}

int freeze_recover(void)
{
	struct recovery recovery = { 0 };
	int r = recover(&recovery);

	if (r < 0)
		log_error(r, "cannot thaw what the agent has left frozen: %m");
	freezer_free(recovery.freezer);
	sd_event_unref(recovery.event);
	return r;
}
