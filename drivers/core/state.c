// SPDX-License-Identifier: GPL-2.0-only
#include <linux/export.h>
#include <linux/kernel.h>

#include "state.h"

#define GO(act, to)	{ XENPV_ACT_##act, XENPV_##to }

/*
 * How a reconnect runs: Closing, Closed, Initialising on our side make a
 * backend that is still online go Closing, Closed, InitWait (blkif.h,
 * "STATE DIAGRAMS"). A backend that already shows InitWait is a new one.
 */
static const struct xenpv_step table[XENPV_NR_STATES][XENPV_NR_EVENTS] = {
	[XENPV_INITIALISING] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(NONE, INITIALISING),
		[XENPV_EV_BACK_INITIALISING]	= GO(NONE, INITIALISING),
		[XENPV_EV_BACK_INITWAIT]	= GO(SETUP, INITIALISED),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, INITIALISING),
		/* It still serves the rings of an earlier connection. */
		[XENPV_EV_BACK_CONNECTED]	= GO(RECOVER, RECLOSING),
		/* It may have missed our steps; then they are taken again. */
		[XENPV_EV_BACK_CLOSING]		= GO(PATIENCE, INITIALISING),
		[XENPV_EV_BACK_CLOSED]		= GO(PATIENCE, INITIALISING),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, INITIALISING),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, INITIALISING),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_FAULT]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_REFUSED]		= GO(BREAK, BROKEN),
		[XENPV_EV_EXPIRE]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_OUTAGE]		= GO(GIVEUP, FAILED),
		[XENPV_EV_KICK]			= GO(NONE, INITIALISING),
		[XENPV_EV_RESUME]		= GO(RESUME, INITIALISING),
		[XENPV_EV_RENEW]		= GO(NONE, INITIALISING),
	},
	[XENPV_INITIALISED] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_INITIALISING]	= GO(NONE, INITIALISED),
		[XENPV_EV_BACK_INITWAIT]	= GO(NONE, INITIALISED),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, INITIALISED),
		[XENPV_EV_BACK_CONNECTED]	= GO(CONNECT, CONNECTED),
		[XENPV_EV_BACK_CLOSING]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_CLOSED]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, INITIALISED),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, INITIALISED),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_FAULT]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_REFUSED]		= GO(BREAK, BROKEN),
		[XENPV_EV_EXPIRE]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_OUTAGE]		= GO(GIVEUP, FAILED),
		[XENPV_EV_KICK]			= GO(NONE, INITIALISED),
		[XENPV_EV_RESUME]		= GO(RESUME, INITIALISING),
		[XENPV_EV_RENEW]		= GO(RECOVER, RECLOSING),
	},
	[XENPV_CONNECTED] = {
		/* On resume the old backend's path may be looked at once more. */
		[XENPV_EV_BACK_UNKNOWN]		= GO(PATIENCE, CONNECTED),
		[XENPV_EV_BACK_INITIALISING]	= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_INITWAIT]	= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, CONNECTED),
		[XENPV_EV_BACK_CONNECTED]	= GO(REREAD, CONNECTED),
		[XENPV_EV_BACK_CLOSING]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_CLOSED]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, CONNECTED),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(REREAD, CONNECTED),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_FAULT]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_REFUSED]		= GO(BREAK, BROKEN),
		[XENPV_EV_EXPIRE]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_OUTAGE]		= GO(NONE, CONNECTED),
		[XENPV_EV_KICK]			= GO(KICK, CONNECTED),
		[XENPV_EV_RESUME]		= GO(RESUME, INITIALISING),
		[XENPV_EV_RENEW]		= GO(RECOVER, RECLOSING),
	},
	[XENPV_RECLOSING] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(CLOSE, RECLOSED),
		[XENPV_EV_BACK_INITIALISING]	= GO(RESTART, INITIALISING),
		[XENPV_EV_BACK_INITWAIT]	= GO(RESTART, INITIALISING),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, RECLOSING),
		[XENPV_EV_BACK_CONNECTED]	= GO(NONE, RECLOSING),
		[XENPV_EV_BACK_CLOSING]		= GO(CLOSE, RECLOSED),
		[XENPV_EV_BACK_CLOSED]		= GO(CLOSE, RECLOSED),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, RECLOSING),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, RECLOSING),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_FAULT]		= GO(NONE, RECLOSING),
		[XENPV_EV_REFUSED]		= GO(BREAK, BROKEN),
		[XENPV_EV_EXPIRE]		= GO(CLOSE, RECLOSED),
		[XENPV_EV_OUTAGE]		= GO(GIVEUP, FAILED),
		[XENPV_EV_KICK]			= GO(NONE, RECLOSING),
		[XENPV_EV_RESUME]		= GO(RESUME, INITIALISING),
		[XENPV_EV_RENEW]		= GO(NONE, RECLOSING),
	},
	[XENPV_RECLOSED] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(RESTART, INITIALISING),
		[XENPV_EV_BACK_INITIALISING]	= GO(RESTART, INITIALISING),
		[XENPV_EV_BACK_INITWAIT]	= GO(RESTART, INITIALISING),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, RECLOSED),
		[XENPV_EV_BACK_CONNECTED]	= GO(NONE, RECLOSED),
		[XENPV_EV_BACK_CLOSING]		= GO(NONE, RECLOSED),
		[XENPV_EV_BACK_CLOSED]		= GO(RESTART, INITIALISING),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, RECLOSED),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, RECLOSED),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_FAULT]		= GO(NONE, RECLOSED),
		[XENPV_EV_REFUSED]		= GO(BREAK, BROKEN),
		[XENPV_EV_EXPIRE]		= GO(RESTART, INITIALISING),
		[XENPV_EV_OUTAGE]		= GO(GIVEUP, FAILED),
		[XENPV_EV_KICK]			= GO(NONE, RECLOSED),
		[XENPV_EV_RESUME]		= GO(RESUME, INITIALISING),
		[XENPV_EV_RENEW]		= GO(NONE, RECLOSED),
	},
	[XENPV_SHUT] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(RELEASE, CLOSED),
		[XENPV_EV_BACK_INITIALISING]	= GO(RELEASE, CLOSED),
		[XENPV_EV_BACK_INITWAIT]	= GO(RELEASE, CLOSED),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, SHUT),
		[XENPV_EV_BACK_CONNECTED]	= GO(NONE, SHUT),
		[XENPV_EV_BACK_CLOSING]		= GO(NONE, SHUT),
		[XENPV_EV_BACK_CLOSED]		= GO(RELEASE, CLOSED),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, SHUT),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, SHUT),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(NONE, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(RELEASE, CLOSED),
		[XENPV_EV_FAULT]		= GO(NONE, SHUT),
		[XENPV_EV_REFUSED]		= GO(NONE, SHUT),
		[XENPV_EV_EXPIRE]		= GO(RELEASE, CLOSED),
		[XENPV_EV_OUTAGE]		= GO(RELEASE, CLOSED),
		[XENPV_EV_KICK]			= GO(NONE, SHUT),
		[XENPV_EV_RESUME]		= GO(RELEASE, CLOSED),
		[XENPV_EV_RENEW]		= GO(NONE, SHUT),
	},
	[XENPV_CLOSED] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(NONE, CLOSED),
		[XENPV_EV_BACK_INITIALISING]	= GO(NONE, CLOSED),
		[XENPV_EV_BACK_INITWAIT]	= GO(NONE, CLOSED),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, CLOSED),
		[XENPV_EV_BACK_CONNECTED]	= GO(NONE, CLOSED),
		[XENPV_EV_BACK_CLOSING]		= GO(NONE, CLOSED),
		[XENPV_EV_BACK_CLOSED]		= GO(NONE, CLOSED),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, CLOSED),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, CLOSED),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(NONE, CLOSED),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(NONE, CLOSED),
		[XENPV_EV_FAULT]		= GO(NONE, CLOSED),
		[XENPV_EV_REFUSED]		= GO(NONE, CLOSED),
		[XENPV_EV_EXPIRE]		= GO(NONE, CLOSED),
		[XENPV_EV_OUTAGE]		= GO(NONE, CLOSED),
		[XENPV_EV_KICK]			= GO(NONE, CLOSED),
		[XENPV_EV_RESUME]		= GO(NONE, CLOSED),
		[XENPV_EV_RENEW]		= GO(NONE, CLOSED),
	},
	[XENPV_FAILED] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(NONE, FAILED),
		[XENPV_EV_BACK_INITIALISING]	= GO(NONE, FAILED),
		[XENPV_EV_BACK_INITWAIT]	= GO(RESTART, INITIALISING),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, FAILED),
		[XENPV_EV_BACK_CONNECTED]	= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_CLOSING]		= GO(NONE, FAILED),
		[XENPV_EV_BACK_CLOSED]		= GO(RECOVER, RECLOSING),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, FAILED),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, FAILED),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_FAULT]		= GO(NONE, FAILED),
		[XENPV_EV_REFUSED]		= GO(BREAK, BROKEN),
		[XENPV_EV_EXPIRE]		= GO(NONE, FAILED),
		[XENPV_EV_OUTAGE]		= GO(NONE, FAILED),
		[XENPV_EV_KICK]			= GO(NONE, FAILED),
		[XENPV_EV_RESUME]		= GO(RESUME, INITIALISING),
		[XENPV_EV_RENEW]		= GO(NONE, FAILED),
	},
	[XENPV_BROKEN] = {
		[XENPV_EV_BACK_UNKNOWN]		= GO(NONE, BROKEN),
		[XENPV_EV_BACK_INITIALISING]	= GO(NONE, BROKEN),
		[XENPV_EV_BACK_INITWAIT]	= GO(NONE, BROKEN),
		[XENPV_EV_BACK_INITIALISED]	= GO(NONE, BROKEN),
		[XENPV_EV_BACK_CONNECTED]	= GO(NONE, BROKEN),
		[XENPV_EV_BACK_CLOSING]		= GO(NONE, BROKEN),
		[XENPV_EV_BACK_CLOSED]		= GO(NONE, BROKEN),
		[XENPV_EV_BACK_RECONFIGURING]	= GO(NONE, BROKEN),
		[XENPV_EV_BACK_RECONFIGURED]	= GO(NONE, BROKEN),
		[XENPV_EV_OFFLINE_CLOSING]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_OFFLINE_CLOSED]	= GO(SHUTDOWN, SHUT),
		[XENPV_EV_FAULT]		= GO(NONE, BROKEN),
		[XENPV_EV_REFUSED]		= GO(NONE, BROKEN),
		[XENPV_EV_EXPIRE]		= GO(NONE, BROKEN),
		[XENPV_EV_OUTAGE]		= GO(NONE, BROKEN),
		[XENPV_EV_KICK]			= GO(NONE, BROKEN),
		[XENPV_EV_RESUME]		= GO(RESUME, INITIALISING),
		[XENPV_EV_RENEW]		= GO(NONE, BROKEN),
	},
};

#undef GO

/**
 * xenpv_state_next - look up what an event means in a state
 * @state: state now
 * @event: what happened
 *
 * Return: the cell; nothing to do for values outside the table.
 */
struct xenpv_step xenpv_state_next(enum xenpv_state state, enum xenpv_event event)
{
	struct xenpv_step stay = { XENPV_ACT_NONE, state };

	if ((unsigned int)state >= XENPV_NR_STATES || (unsigned int)event >= XENPV_NR_EVENTS)
		return stay;
	return table[state][event];
}
EXPORT_SYMBOL_GPL(xenpv_state_next);

/**
 * xenpv_backend_event - name what a backend's state node says
 * @xenbus_state: number read from the node
 * @online: the backend's "online" node is not 0
 *
 * Return: an event; a number no header knows counts as Unknown.
 */
enum xenpv_event xenpv_backend_event(unsigned int xenbus_state, bool online)
{
	if (xenbus_state > XENPV_EV_BACK_RECONFIGURED)
		return XENPV_EV_BACK_UNKNOWN;
	if (!online && xenbus_state == XENPV_EV_BACK_CLOSING)
		return XENPV_EV_OFFLINE_CLOSING;
	if (!online && xenbus_state == XENPV_EV_BACK_CLOSED)
		return XENPV_EV_OFFLINE_CLOSED;
	return xenbus_state;
}
EXPORT_SYMBOL_GPL(xenpv_backend_event);

/**
 * xenpv_state_settled - does the state wait for news rather than for a reply?
 * @state: state
 *
 * After entering any other state the backend's present state is looked at
 * once more, because it may have moved before we did.
 */
bool xenpv_state_settled(enum xenpv_state state)
{
	return state == XENPV_CONNECTED || state == XENPV_CLOSED ||
	       state == XENPV_FAILED || state == XENPV_BROKEN;
}
EXPORT_SYMBOL_GPL(xenpv_state_settled);

/** xenpv_state_name - a state's name, for people; "?" outside the enum */
const char *xenpv_state_name(enum xenpv_state state)
{
	static const char * const names[XENPV_NR_STATES] = {
		[XENPV_INITIALISING] = "Initialising",
		[XENPV_INITIALISED] = "Initialised",
		[XENPV_CONNECTED] = "Connected",
		[XENPV_RECLOSING] = "Reconnecting (Closing)",
		[XENPV_RECLOSED] = "Reconnecting (Closed)",
		[XENPV_SHUT] = "Detaching",
		[XENPV_CLOSED] = "Closed",
		[XENPV_FAILED] = "Failed",
		[XENPV_BROKEN] = "Broken",
	};

	return (unsigned int)state < XENPV_NR_STATES ? names[state] : "?";
}
EXPORT_SYMBOL_GPL(xenpv_state_name);

/** xenpv_event_name - an event's name, for people; "?" outside the enum */
const char *xenpv_event_name(enum xenpv_event event)
{
	static const char * const names[XENPV_NR_EVENTS] = {
		[XENPV_EV_BACK_UNKNOWN] = "backend gone",
		[XENPV_EV_BACK_INITIALISING] = "backend Initialising",
		[XENPV_EV_BACK_INITWAIT] = "backend InitWait",
		[XENPV_EV_BACK_INITIALISED] = "backend Initialised",
		[XENPV_EV_BACK_CONNECTED] = "backend Connected",
		[XENPV_EV_BACK_CLOSING] = "backend Closing",
		[XENPV_EV_BACK_CLOSED] = "backend Closed",
		[XENPV_EV_BACK_RECONFIGURING] = "backend Reconfiguring",
		[XENPV_EV_BACK_RECONFIGURED] = "backend Reconfigured",
		[XENPV_EV_OFFLINE_CLOSING] = "detach requested",
		[XENPV_EV_OFFLINE_CLOSED] = "backend detached",
		[XENPV_EV_FAULT] = "fault",
		[XENPV_EV_REFUSED] = "too many faults",
		[XENPV_EV_EXPIRE] = "backend slow",
		[XENPV_EV_OUTAGE] = "backend out of time",
		[XENPV_EV_KICK] = "kick",
		[XENPV_EV_RESUME] = "resume",
		[XENPV_EV_RENEW] = "other features wanted",
	};

	return (unsigned int)event < XENPV_NR_EVENTS ? names[event] : "?";
}
EXPORT_SYMBOL_GPL(xenpv_event_name);

/**
 * xenpv_budget_recent - how often did it happen within the window?
 * @budget: zeroed at first; the caller serialises
 * @now: time, in any unit, never going back
 * @window: length of the window, in the unit of @now
 */
u32 xenpv_budget_recent(const struct xenpv_budget *budget, u64 now, u64 window)
{
	u32 i, recent = 0;

	for (i = 0; i < budget->count; i++)
		if (now - budget->when[i] < window)
			recent++;
	return recent;
}
EXPORT_SYMBOL_GPL(xenpv_budget_recent);

/**
 * xenpv_backoff - how long to wait before trying again
 * @recent: how often it went wrong of late, this time included
 * @first: wait after the second time, in any unit; 0 for never waiting
 * @most: longest wait, in the same unit
 *
 * Return: 0 for the first time, then @first, doubled each time.
 */
u64 xenpv_backoff(u32 recent, u64 first, u64 most)
{
	if (recent < 2)
		return 0;
	recent -= 2;
	/* So that nothing is shifted out. */
	if (recent > 16 || first > most >> recent)
		return first ? most : 0;
	return first << recent;
}
EXPORT_SYMBOL_GPL(xenpv_backoff);

/**
 * xenpv_budget_take - may this happen once more?
 * @budget: zeroed at first; the caller serialises
 * @now: time, in any unit, never going back
 * @max: how often within the window, 0 to %XENPV_BUDGET_MAX
 * @window: length of the window, in the unit of @now
 *
 * Return: true, and the occurrence is counted; or false.
 */
bool xenpv_budget_take(struct xenpv_budget *budget, u64 now, u32 max, u64 window)
{
	if (xenpv_budget_recent(budget, now, window) >= min_t(u32, max, XENPV_BUDGET_MAX))
		return false;
	budget->when[budget->head] = now;
	budget->head = (budget->head + 1) % XENPV_BUDGET_MAX;
	if (budget->count < XENPV_BUDGET_MAX)
		budget->count++;
	return true;
}
EXPORT_SYMBOL_GPL(xenpv_budget_take);
