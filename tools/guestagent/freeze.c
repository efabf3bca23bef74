// SPDX-License-Identifier: GPL-2.0-or-later
#include "freeze.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "freezer.h"
#include "hookrun.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "mounts.h"

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
	struct hookrun *hooks;
	struct freezer *freezer;
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

static void on_freezer(void *userdata, enum freezer_event event, uint32_t n, int error,
		       const char *target)
{
	struct freeze *freeze = userdata;
	const char *asked = freeze->reason ?: "asked";

	freeze->n = n;
	if (event == FREEZER_FROZEN) {
		/* No word in the log: the journal's own disk is frozen. */
		if (!freeze->ending)
			set_state(freeze, STATE_FROZEN);
		return;
	}
	if (event == FREEZER_FAILED)
		set_error(freeze, "%s cannot be frozen: %s", target ?: "a file system",
			  strerror(-error));
	if (event == FREEZER_LOST)
		set_error(freeze, "the process that held the freeze was killed");
	freezer_free(freeze->freezer);
	freeze->freezer = NULL;
	switch (event) {
	case FREEZER_FAILED:
		end(freeze, STATE_FAILED, NULL);
		break;
	case FREEZER_TIMEOUT:
		end(freeze, STATE_THAWED, "timeout");
		break;
	case FREEZER_LOST:
		end(freeze, STATE_THAWED, "error");
		break;
	case FREEZER_THAWED:
	case FREEZER_FROZEN:
		end(freeze, STATE_THAWED, asked);
		break;
	}
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
	if (freeze->freezer)
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
		{ FREEZE_FEATURE, freeze->settings->freeze ? "1" : NULL },
		{ FREEZE_PATH "/id", freeze->id },
		{ FREEZE_PATH "/seconds", freeze->seconds ? seconds : NULL },
		{ FREEZE_PATH "/filesystems", counted ? n : NULL },
		{ FREEZE_PATH "/error", freeze->error },
		{ FREEZE_PATH "/reason", freeze->state == STATE_THAWED ? freeze->reason : NULL },
		{ FREEZE_PATH "/state", names[freeze->state] },
	};

	snprintf(seconds, sizeof(seconds), "%" PRIu32, freeze->seconds);
	snprintf(n, sizeof(n), "%" PRIu32, freeze->n);
	for (size_t i = 0; i < ELEMENTSOF(nodes); i++) {
		int r;

		if (i > 0 && freeze->state == STATE_NONE)
			return report_add(report, FREEZE_PATH, NULL);
		r = report_add(report, nodes[i].path, nodes[i].value);
		if (r < 0)
			return r;
	}
	return 0;
}

int freeze_new(sd_event *event, struct manager *manager, const struct settings *settings,
	       const char *root, void (*changed)(void *userdata), void *userdata,
	       struct freeze **ret)
{
	struct freeze *freeze = malloc(sizeof(*freeze));

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
