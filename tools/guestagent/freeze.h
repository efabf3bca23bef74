/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Freezing on the host's wish.
 *
 * The host writes control/xenpv/freeze: "freeze <id> <seconds>" or "thaw <id>", where <id> is
 * 1 to 32 of [0-9a-f]; the agent answers below data/xenpv/freeze:
 *
 *   idle --freeze--> freezing --> frozen --thaw, limit, shutdown--> thawed
 *                       |                                            (hooks have ended)
 *                       +--> failed (nothing is frozen)
 *
 * "state" is written last of all. While one freeze is under way, another is ignored.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "manager.h"
#include "report.h"
#include "settings.h"

#define FREEZE_REQUEST  "control/xenpv/freeze"
#define FREEZE_PATH     "data/xenpv/freeze"
#define FREEZE_FEATURE  "data/xenpv/feature-freeze"
#define FREEZE_ID_BYTES 33

enum freeze_verb {
	FREEZE_FREEZE,
	FREEZE_THAW
};

struct freeze_request {
	enum freeze_verb verb;
	char id[FREEZE_ID_BYTES];
	uint32_t seconds; /* of FREEZE_FREEZE */
};

/*
 * freeze_parse - read a request
 *
 * Errors: -EINVAL (not of the form above, or seconds beyond FREEZE_SECONDS_MAX); then
 * @ret->id holds the id if that could be read, and "" otherwise.
 */
int freeze_parse(const char *text, struct freeze_request *ret);

struct freeze;

/*
 * freeze_new - be ready to freeze
 * @root: "" for the running system
 * @changed: the report is another now; called from the event loop and freeze_request()
 *
 * Thaws what an agent left that was killed. @settings and @manager have to outlive it.
 * Errors: -ENOMEM.
 */
int freeze_new(sd_event *event, struct manager *manager, const struct settings *settings,
	       const char *root, void (*changed)(void *userdata), void *userdata,
	       struct freeze **ret);

/*
 * freeze_request - the request node holds @text, or is absent if that is NULL
 * @old: it was there before the agent, or before the guest went on after a suspension
 *
 * A text seen before is ignored, so this may be called at any time.
 */
void freeze_request(struct freeze *freeze, const char *text, bool old);

/* Thaw now; @reason, a constant, is told the host: "shutdown", "error". */
void freeze_abort(struct freeze *freeze, const char *reason);

/* Are file systems frozen, or being frozen? */
bool freeze_is_active(const struct freeze *freeze);

/* Forget the result of what is over; the host that asked is another one now. */
void freeze_reset(struct freeze *freeze);

/* Add FREEZE_FEATURE to @report. -ENOMEM. */
int freeze_report_feature(const struct settings *settings, struct report *report);

/* Add that and the nodes, FREEZE_PATH as absent if there is nothing to say. -ENOMEM. */
int freeze_report(const struct freeze *freeze, struct report *report);

/*
 * freeze_recover - thaw what an agent left that was killed, and wait until that is done
 *
 * Ten seconds at most. For a process that is no agent. Errors: -EBUSY (a disk does not answer,
 * or it took longer), negative errno; logged.
 */
int freeze_recover(void);

/* Thaw if need be, and wait until that is done, as freezer_free(). */
void freeze_free(struct freeze *freeze);
