// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include <xen/interface/io/xenbus.h>

#include "core/state.c"

static void every_cell_is_defined(struct kunit *test)
{
	u32 cell;

	for (cell = 0; cell < XENPV_NR_STATES * XENPV_NR_EVENTS; cell++) {
		u32 state = cell / XENPV_NR_EVENTS, event = cell % XENPV_NR_EVENTS;
		struct xenpv_step step = xenpv_state_next(state, event);

		KUNIT_EXPECT_NE_MSG(test, (int)step.action, (int)XENPV_ACT_UNDEFINED,
				    "%s x %s", xenpv_state_name(state), xenpv_event_name(event));
		KUNIT_EXPECT_LT(test, (u32)step.next, (u32)XENPV_NR_STATES);
		/* Nothing to do means nothing changes. */
		if (step.action == XENPV_ACT_NONE)
			KUNIT_EXPECT_EQ(test, (u32)step.next, state);
	}
}

/* An action always ends in a state it fits. */
static void actions_lead_where_they_should(struct kunit *test)
{
	u32 cell;

	for (cell = 0; cell < XENPV_NR_STATES * XENPV_NR_EVENTS; cell++) {
		u32 state = cell / XENPV_NR_EVENTS, event = cell % XENPV_NR_EVENTS;
		struct xenpv_step step = xenpv_state_next(state, event);
		bool ok = true;

		switch (step.action) {
		case XENPV_ACT_UNDEFINED:
			ok = false;
			break;
		case XENPV_ACT_NONE:
			break;
		case XENPV_ACT_PATIENCE:
			ok = step.next == state &&
			     xenpv_state_next(state, XENPV_EV_EXPIRE).action ==
				     XENPV_ACT_RECOVER;
			break;
		case XENPV_ACT_SETUP:
			ok = state == XENPV_INITIALISING && step.next == XENPV_INITIALISED;
			break;
		case XENPV_ACT_CONNECT:
			ok = state == XENPV_INITIALISED && step.next == XENPV_CONNECTED;
			break;
		case XENPV_ACT_REREAD:
		case XENPV_ACT_KICK:
			ok = state == XENPV_CONNECTED && step.next == XENPV_CONNECTED;
			break;
		case XENPV_ACT_RECOVER:
			ok = step.next == XENPV_RECLOSING;
			break;
		case XENPV_ACT_CLOSE:
			ok = state == XENPV_RECLOSING && step.next == XENPV_RECLOSED;
			break;
		case XENPV_ACT_RESTART:
		case XENPV_ACT_RESUME:
			ok = step.next == XENPV_INITIALISING;
			break;
		case XENPV_ACT_SHUTDOWN:
			ok = step.next == XENPV_SHUT;
			break;
		case XENPV_ACT_RELEASE:
			ok = state == XENPV_SHUT && step.next == XENPV_CLOSED;
			break;
		case XENPV_ACT_GIVEUP:
			ok = step.next == XENPV_FAILED;
			break;
		case XENPV_ACT_BREAK:
			ok = step.next == XENPV_BROKEN;
			break;
		}
		KUNIT_EXPECT_TRUE_MSG(test, ok, "%s x %s", xenpv_state_name(state),
				      xenpv_event_name(event));
	}
}

/* A state that keeps I/O waiting is left when time is up, whatever the peer does. */
static void no_wait_is_endless(struct kunit *test)
{
	u32 state;

	for (state = 0; state < XENPV_NR_STATES; state++) {
		struct xenpv_step step = xenpv_state_next(state, XENPV_EV_OUTAGE);

		if (xenpv_state_settled(state))
			KUNIT_EXPECT_EQ(test, (int)step.action, (int)XENPV_ACT_NONE);
		else
			KUNIT_EXPECT_TRUE_MSG(test, xenpv_state_settled(step.next), "%s",
					      xenpv_state_name(state));
	}
}

static void detach_always_ends_in_closed(struct kunit *test)
{
	u32 state;

	for (state = 0; state < XENPV_NR_STATES; state++) {
		u32 at = state, steps;

		for (steps = 0; steps < 4 && at != XENPV_CLOSED; steps++)
			at = xenpv_state_next(at, XENPV_EV_OFFLINE_CLOSED).next;
		KUNIT_EXPECT_EQ_MSG(test, at, (u32)XENPV_CLOSED, "%s", xenpv_state_name(state));
	}
}

static void only_detach_ends_a_connection(struct kunit *test)
{
	u32 event;

	/* A backend that restarts loses no request. */
	for (event = XENPV_EV_BACK_UNKNOWN; event <= XENPV_EV_BACK_RECONFIGURED; event++) {
		struct xenpv_step step = xenpv_state_next(XENPV_CONNECTED, event);

		bool kept = step.next == XENPV_CONNECTED || step.next == XENPV_RECLOSING;

		KUNIT_EXPECT_TRUE(test, kept);
	}
	KUNIT_EXPECT_EQ(test,
			(int)xenpv_state_next(XENPV_CONNECTED, XENPV_EV_OFFLINE_CLOSING).next,
			(int)XENPV_SHUT);
}

static void resume_reconnects(struct kunit *test)
{
	u32 state;

	for (state = 0; state < XENPV_NR_STATES; state++) {
		u32 next = xenpv_state_next(state, XENPV_EV_RESUME).next;

		if (state == XENPV_SHUT || state == XENPV_CLOSED)
			KUNIT_EXPECT_EQ(test, next, (u32)XENPV_CLOSED);
		else
			KUNIT_EXPECT_EQ(test, next, (u32)XENPV_INITIALISING);
	}
}

struct trip {
	const char *name;
	enum xenpv_state from;
	enum xenpv_event events[8];
	u32 nr;
	enum xenpv_state to;
};

static const struct trip trips[] = {
	{ "first connection", XENPV_INITIALISING,
	  { XENPV_EV_BACK_INITIALISING, XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_INITWAIT,
	    XENPV_EV_BACK_CONNECTED, XENPV_EV_BACK_CONNECTED },
	  5, XENPV_CONNECTED },
	{ "stock backend, after a fault", XENPV_CONNECTED,
	  { XENPV_EV_FAULT, XENPV_EV_BACK_CONNECTED, XENPV_EV_BACK_CLOSING,
	    XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_INITWAIT,
	    XENPV_EV_BACK_CONNECTED },
	  7, XENPV_CONNECTED },
	{ "backend that never closes", XENPV_CONNECTED,
	  { XENPV_EV_FAULT, XENPV_EV_EXPIRE, XENPV_EV_EXPIRE, XENPV_EV_BACK_INITWAIT,
	    XENPV_EV_BACK_CONNECTED },
	  5, XENPV_CONNECTED },
	{ "backend restarted while online", XENPV_CONNECTED,
	  { XENPV_EV_BACK_CLOSING, XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_CLOSED,
	    XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_CONNECTED },
	  5, XENPV_CONNECTED },
	{ "backend replaced behind our back", XENPV_CONNECTED,
	  { XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_INITWAIT,
	    XENPV_EV_BACK_CONNECTED },
	  4, XENPV_CONNECTED },
	{ "backend directory removed and made again", XENPV_CONNECTED,
	  { XENPV_EV_BACK_UNKNOWN, XENPV_EV_EXPIRE, XENPV_EV_BACK_UNKNOWN,
	    XENPV_EV_BACK_UNKNOWN, XENPV_EV_BACK_UNKNOWN, XENPV_EV_BACK_INITWAIT,
	    XENPV_EV_BACK_CONNECTED },
	  7, XENPV_CONNECTED },
	{ "backend directory out of sight for a moment", XENPV_CONNECTED,
	  { XENPV_EV_BACK_UNKNOWN, XENPV_EV_BACK_CONNECTED },
	  2, XENPV_CONNECTED },
	{ "never comes back", XENPV_CONNECTED,
	  { XENPV_EV_BACK_UNKNOWN, XENPV_EV_EXPIRE, XENPV_EV_EXPIRE, XENPV_EV_EXPIRE,
	    XENPV_EV_OUTAGE },
	  5, XENPV_FAILED },
	{ "comes back late", XENPV_FAILED,
	  { XENPV_EV_BACK_INITIALISING, XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_INITWAIT,
	    XENPV_EV_BACK_CONNECTED },
	  4, XENPV_CONNECTED },
	{ "comes back late, closed", XENPV_FAILED,
	  { XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_CLOSED,
	    XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_CONNECTED },
	  6, XENPV_CONNECTED },
	{ "missed our Initialising", XENPV_INITIALISING,
	  { XENPV_EV_BACK_CLOSED, XENPV_EV_EXPIRE, XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_CLOSED,
	    XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_CONNECTED },
	  6, XENPV_CONNECTED },
	{ "too many faults", XENPV_CONNECTED,
	  { XENPV_EV_REFUSED, XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_INITWAIT },
	  3, XENPV_BROKEN },
	{ "orderly detach", XENPV_CONNECTED,
	  { XENPV_EV_OFFLINE_CLOSING, XENPV_EV_OFFLINE_CLOSING, XENPV_EV_OFFLINE_CLOSED },
	  3, XENPV_CLOSED },
	{ "detach while reconnecting", XENPV_CONNECTED,
	  { XENPV_EV_FAULT, XENPV_EV_OFFLINE_CLOSING, XENPV_EV_EXPIRE },
	  3, XENPV_CLOSED },
	{ "driver bound after another left", XENPV_INITIALISING,
	  { XENPV_EV_BACK_CLOSED, XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_CONNECTED },
	  3, XENPV_CONNECTED },
	{ "rings of an earlier life are still served", XENPV_INITIALISING,
	  { XENPV_EV_BACK_CONNECTED, XENPV_EV_BACK_CLOSING, XENPV_EV_BACK_CLOSED,
	    XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_CONNECTED },
	  5, XENPV_CONNECTED },
	{ "other features wanted", XENPV_CONNECTED,
	  { XENPV_EV_RENEW, XENPV_EV_RENEW, XENPV_EV_BACK_CLOSING, XENPV_EV_BACK_CLOSED,
	    XENPV_EV_RENEW, XENPV_EV_BACK_INITWAIT, XENPV_EV_BACK_CONNECTED },
	  7, XENPV_CONNECTED },
	{ "migration", XENPV_CONNECTED,
	  { XENPV_EV_RESUME, XENPV_EV_BACK_INITIALISING, XENPV_EV_BACK_INITWAIT,
	    XENPV_EV_BACK_CONNECTED },
	  4, XENPV_CONNECTED },
};

static void trip_name(const struct trip *t, char *desc)
{
	strscpy(desc, t->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(trip, trips, trip_name);

static void round_trip(struct kunit *test)
{
	const struct trip *t = test->param_value;
	enum xenpv_state at = t->from;
	u32 i;

	for (i = 0; i < t->nr; i++)
		at = xenpv_state_next(at, t->events[i]).next;
	KUNIT_EXPECT_STREQ(test, xenpv_state_name(at), xenpv_state_name(t->to));
}

static void backend_states(struct kunit *test)
{
	static const struct {
		unsigned int state;
		bool online;
		enum xenpv_event event;
	} cases[] = {
		{ XenbusStateUnknown, true, XENPV_EV_BACK_UNKNOWN },
		{ XenbusStateInitialising, true, XENPV_EV_BACK_INITIALISING },
		{ XenbusStateInitWait, true, XENPV_EV_BACK_INITWAIT },
		{ XenbusStateInitialised, true, XENPV_EV_BACK_INITIALISED },
		{ XenbusStateConnected, true, XENPV_EV_BACK_CONNECTED },
		{ XenbusStateClosing, true, XENPV_EV_BACK_CLOSING },
		{ XenbusStateClosed, true, XENPV_EV_BACK_CLOSED },
		{ XenbusStateReconfiguring, true, XENPV_EV_BACK_RECONFIGURING },
		{ XenbusStateReconfigured, true, XENPV_EV_BACK_RECONFIGURED },
		{ XenbusStateClosing, false, XENPV_EV_OFFLINE_CLOSING },
		{ XenbusStateClosed, false, XENPV_EV_OFFLINE_CLOSED },
		/* Offline, but it has not begun to close. */
		{ XenbusStateConnected, false, XENPV_EV_BACK_CONNECTED },
		{ XenbusStateInitWait, false, XENPV_EV_BACK_INITWAIT },
		{ 9, true, XENPV_EV_BACK_UNKNOWN },
		{ 0x7fffffff, false, XENPV_EV_BACK_UNKNOWN },
		{ 0xffffffff, true, XENPV_EV_BACK_UNKNOWN },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    (int)xenpv_backend_event(cases[i].state, cases[i].online),
				    (int)cases[i].event, "case %zu", i);
}

static void outside_the_table(struct kunit *test)
{
	struct xenpv_step step = xenpv_state_next(XENPV_CONNECTED, XENPV_NR_EVENTS);

	KUNIT_EXPECT_EQ(test, (int)step.action, (int)XENPV_ACT_NONE);
	step = xenpv_state_next(XENPV_NR_STATES, XENPV_EV_FAULT);
	KUNIT_EXPECT_EQ(test, (int)step.action, (int)XENPV_ACT_NONE);
	KUNIT_EXPECT_STREQ(test, xenpv_state_name(XENPV_NR_STATES), "?");
	KUNIT_EXPECT_STREQ(test, xenpv_event_name(XENPV_NR_EVENTS), "?");
}

static void everything_has_a_name(struct kunit *test)
{
	u32 i;

	for (i = 0; i < XENPV_NR_STATES; i++)
		KUNIT_EXPECT_NOT_NULL(test, xenpv_state_name(i));
	for (i = 0; i < XENPV_NR_EVENTS; i++)
		KUNIT_EXPECT_NOT_NULL(test, xenpv_event_name(i));
}

static void budget(struct kunit *test)
{
	struct xenpv_budget b = {};
	u64 t;

	/* Three within 100. */
	KUNIT_EXPECT_TRUE(test, xenpv_budget_take(&b, 1000, 3, 100));
	KUNIT_EXPECT_TRUE(test, xenpv_budget_take(&b, 1010, 3, 100));
	KUNIT_EXPECT_TRUE(test, xenpv_budget_take(&b, 1020, 3, 100));
	KUNIT_EXPECT_FALSE(test, xenpv_budget_take(&b, 1030, 3, 100));
	KUNIT_EXPECT_FALSE(test, xenpv_budget_take(&b, 1099, 3, 100));
	/* The first is 100 old: one more. What was refused does not count. */
	KUNIT_EXPECT_TRUE(test, xenpv_budget_take(&b, 1100, 3, 100));
	KUNIT_EXPECT_FALSE(test, xenpv_budget_take(&b, 1101, 3, 100));

	/* None at all. */
	KUNIT_EXPECT_FALSE(test, xenpv_budget_take(&b, 9999, 0, 100));

	/* More than it can remember is as many as it can. */
	memset(&b, 0, sizeof(b));
	for (t = 0; t < XENPV_BUDGET_MAX; t++)
		KUNIT_EXPECT_TRUE(test, xenpv_budget_take(&b, t, 1000, 1000));
	KUNIT_EXPECT_FALSE(test, xenpv_budget_take(&b, t, 1000, 1000));

	/* Slow ones go on for ever. */
	memset(&b, 0, sizeof(b));
	for (t = 0; t < 1000; t++)
		KUNIT_EXPECT_TRUE(test, xenpv_budget_take(&b, t * 50, 2, 100));
}

static void backoff_doubles_to_a_bound(struct kunit *test)
{
	u64 last = 0;
	u32 n;

	KUNIT_EXPECT_EQ(test, xenpv_backoff(0, 25, 1250), 0ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(1, 25, 1250), 0ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(2, 25, 1250), 25ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(3, 25, 1250), 50ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(7, 25, 1250), 800ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(8, 25, 1250), 1250ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(~0u, 25, 1250), 1250ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(5, 0, 1250), 0ull);
	KUNIT_EXPECT_EQ(test, xenpv_backoff(~0u, 0, 1250), 0ull);
	for (n = 0; n < 100; n++) {
		u64 wait = xenpv_backoff(n, 100, 5000);

		KUNIT_EXPECT_GE(test, wait, last);
		KUNIT_EXPECT_LE(test, wait, 5000ull);
		last = wait;
	}
}

static void recent_ones_are_counted(struct kunit *test)
{
	struct xenpv_budget b = {};

	KUNIT_EXPECT_EQ(test, xenpv_budget_recent(&b, 0, 10), 0u);
	xenpv_budget_take(&b, 0, 8, 10);
	xenpv_budget_take(&b, 5, 8, 10);
	KUNIT_EXPECT_EQ(test, xenpv_budget_recent(&b, 9, 10), 2u);
	KUNIT_EXPECT_EQ(test, xenpv_budget_recent(&b, 10, 10), 1u);
	KUNIT_EXPECT_EQ(test, xenpv_budget_recent(&b, 15, 10), 0u);
}

static struct kunit_case state_cases[] = {
	KUNIT_CASE(every_cell_is_defined),
	KUNIT_CASE(actions_lead_where_they_should),
	KUNIT_CASE(no_wait_is_endless),
	KUNIT_CASE(detach_always_ends_in_closed),
	KUNIT_CASE(only_detach_ends_a_connection),
	KUNIT_CASE(resume_reconnects),
	KUNIT_CASE_PARAM(round_trip, trip_gen_params),
	KUNIT_CASE(backend_states),
	KUNIT_CASE(outside_the_table),
	KUNIT_CASE(everything_has_a_name),
	KUNIT_CASE(budget),
	KUNIT_CASE(backoff_doubles_to_a_bound),
	KUNIT_CASE(recent_ones_are_counted),
	{}
};

static struct kunit_suite state_suite = {
	.name = "xenpv-state",
	.test_cases = state_cases,
};

kunit_test_suite(state_suite);
