// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every combination of what the handshake looks at: what must never be done, and
 * that acting on the answers always comes to an end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/handshake.h"

typedef void (*visit_fn)(const struct hs_input *in);

static unsigned int visited;

static void for_flags(struct hs_input *in, visit_fn visit)
{
	for (unsigned int flags = 0; flags < 512; flags++) {
		in->online = flags & 1;
		in->refusal_told = flags & 2;
		in->fault = flags & 4;
		in->grace_over = flags & 8;
		in->attached = flags & 16;
		in->held = flags & 32;
		in->released = flags & 64;
		in->reconfigures = flags & 128;
		in->changed = flags & 256;
		if (in->changed && !in->reconfigures)
			continue;
		/* An attached image is an open one, and an active link has one. */
		if (in->attached && in->image != HS_IMAGE_READY)
			continue;
		if ((in->link == HS_LINK_UP || in->link == HS_LINK_BROKEN) && !in->attached)
			continue;
		visited++;
		visit(in);
	}
}

static void for_all(visit_fn visit)
{
	struct hs_input in;

	memset(&in, 0, sizeof(in));
	visited = 0;
	for (int ours = XenbusStateUnknown; ours <= (int)HS_STATE_NONSENSE; ours++)
		for (int front = XenbusStateUnknown; front <= (int)HS_STATE_NONSENSE; front++)
			for (int hotplug = 0; hotplug < _HS_HOTPLUG_MAX; hotplug++)
				for (int image = 0; image < _HS_IMAGE_MAX; image++)
					for (int link = 0; link < _HS_LINK_MAX; link++) {
						in.ours = ours;
						in.frontend = front;
						in.hotplug = hotplug;
						in.image = image;
						in.link = link;
						for_flags(&in, visit);
					}
}

static bool has_rings(const struct hs_input *in)
{
	return in->frontend == XenbusStateInitialised || in->frontend == XenbusStateConnected ||
	       (in->reconfigures && (in->frontend == XenbusStateReconfiguring ||
				     in->frontend == XenbusStateReconfigured));
}

static bool is_connected(const struct hs_input *in)
{
	return in->ours == XenbusStateConnected ||
	       (in->reconfigures && in->ours == XenbusStateReconfigured);
}

static void check_rules(const struct hs_input *in)
{
	enum hs_action a = hs_next(in);
	bool up = in->link == HS_LINK_UP || in->link == HS_LINK_BROKEN;

	assert_in_range(a, HS_NOTHING, _HS_ACTION_MAX - 1);
	/* one thing at a time */
	if (in->link == HS_LINK_BUSY)
		assert_int_equal(a, HS_NOTHING);

	switch (a) {
	case HS_CONNECT:
		assert_int_equal(in->ours, XenbusStateInitWait);
		assert_int_equal(in->image, HS_IMAGE_READY);
		assert_int_equal(in->hotplug, HS_HOTPLUG_DONE);
		assert_true(has_rings(in));
		assert_int_equal(in->link, HS_LINK_DOWN);
		assert_false(in->fault);
		break;
	case HS_REATTACH:
		assert_true(is_connected(in));
		assert_int_equal(in->image, HS_IMAGE_READY);
		assert_true(has_rings(in));
		assert_int_equal(in->link, HS_LINK_DOWN);
		assert_false(in->fault);
		break;
	case HS_OFFER:
		assert_true(in->ours == XenbusStateInitialising || in->ours == XenbusStateClosed);
		assert_true(in->image != HS_IMAGE_OPENING);
		assert_true(in->image != HS_IMAGE_REFUSED || in->refusal_told);
		if (in->ours == XenbusStateClosed) {
			assert_true(in->online);
			assert_false(in->held);
			assert_int_equal(in->frontend, XenbusStateInitialising);
		}
		assert_false(up);
		break;
	case HS_SET_CLOSED:
		/* 6 says: your rings are no longer touched, and your image is free */
		assert_false(up);
		assert_true(in->online || !in->attached);
		assert_true(in->ours != XenbusStateClosed && in->ours != XenbusStateUnknown);
		break;
	case HS_SET_CLOSING:
		assert_true(in->ours != XenbusStateClosing && in->ours != XenbusStateClosed &&
			    in->ours != XenbusStateUnknown);
		/* libxl has to read 2 before it runs the script */
		if (in->ours == XenbusStateInitWait && !in->fault)
			assert_true(in->hotplug != HS_HOTPLUG_WAITING);
		/* a restart of ours is not the guest's business */
		if (is_connected(in) && has_rings(in))
			assert_true(in->fault);
		break;
	case HS_DISCONNECT:
		assert_true(up);
		if (is_connected(in) && has_rings(in))
			assert_true(in->link == HS_LINK_BROKEN || in->fault);
		break;
	case HS_DETACH:
		assert_true(in->attached && !up);
		assert_true(!in->online || in->ours == XenbusStateUnknown);
		break;
	case HS_OPEN:
		assert_int_equal(in->image, HS_IMAGE_CLOSED);
		assert_true(in->online || in->ours != XenbusStateClosing);
		break;
	case HS_TELL:
		assert_int_equal(in->image, HS_IMAGE_REFUSED);
		assert_false(in->refusal_told);
		break;
	case HS_RECONFIGURE:
		assert_true(in->changed && is_connected(in) && has_rings(in));
		assert_int_equal(in->link, HS_LINK_UP);
		break;
	case HS_SET_RECONFIGURED:
		/* 8 says: what you asked for is done */
		assert_true(in->reconfigures && !in->changed);
		assert_int_equal(in->ours, XenbusStateConnected);
		assert_int_equal(in->frontend, XenbusStateReconfiguring);
		assert_int_equal(in->link, HS_LINK_UP);
		break;
	case HS_SET_CONNECTED:
		assert_true(in->reconfigures);
		assert_int_equal(in->ours, XenbusStateReconfigured);
		assert_int_equal(in->frontend, XenbusStateConnected);
		assert_int_equal(in->link, HS_LINK_UP);
		break;
	case HS_RELEASE:
		assert_int_equal(in->ours, XenbusStateClosed);
		assert_false(in->online || in->attached || up || in->released);
		break;
	case HS_FORGET:
		assert_int_equal(in->ours, XenbusStateUnknown);
		assert_false(in->attached || up);
		break;
	default:
		break;
	}
}

static void test_rules(void **state)
{
	(void)state;
	for_all(check_rules);
	assert_true(visited > 100000);
	print_message("%u combinations\n", visited);
}

/* What the caller does about an action, when all goes well and nobody else acts. */
static bool apply(struct hs_input *in, enum hs_action a)
{
	switch (a) {
	case HS_OPEN:
		in->image = HS_IMAGE_READY;
		break;
	case HS_TELL:
		in->refusal_told = true;
		break;
	case HS_OFFER:
		in->ours = XenbusStateInitWait;
		break;
	case HS_CONNECT:
		in->attached = true;
		in->link = HS_LINK_UP;
		in->ours = XenbusStateConnected;
		break;
	case HS_REATTACH:
		in->attached = true;
		in->link = HS_LINK_UP;
		break;
	case HS_DISCONNECT:
		in->link = HS_LINK_DOWN;
		break;
	case HS_DETACH:
		in->attached = false;
		in->image = HS_IMAGE_CLOSED;
		break;
	case HS_RECONFIGURE:
		in->changed = false;
		break;
	case HS_SET_RECONFIGURED:
		in->ours = XenbusStateReconfigured;
		break;
	case HS_SET_CONNECTED:
		in->ours = XenbusStateConnected;
		break;
	case HS_SET_CLOSING:
		in->ours = XenbusStateClosing;
		break;
	case HS_SET_CLOSED:
		in->ours = XenbusStateClosed;
		in->fault = false;
		break;
	case HS_RELEASE:
		in->released = true;
		break;
	default:
		return false;
	}
	return true;
}

static void check_end(const struct hs_input *start)
{
	struct hs_input in = *start;

	for (unsigned int i = 0; i < 12; i++)
		if (!apply(&in, hs_next(&in)))
			return;
	fail_msg("no end: ours %s, frontend %s, online %d, hotplug %d, image %d, link %d, fault %d",
		 hs_state_name(start->ours), hs_state_name(start->frontend), start->online,
		 start->hotplug, start->image, start->link, start->fault);
}

static void test_ends(void **state)
{
	(void)state;
	for_all(check_end);
}

/* A removal ends in Closed and released from wherever it started, once the frontend is gone. */
static void check_removal(const struct hs_input *start)
{
	struct hs_input in = *start;
	enum hs_action a;

	if (in.ours == XenbusStateUnknown || in.link == HS_LINK_BUSY ||
	    in.image == HS_IMAGE_OPENING)
		return;
	in.online = false;
	in.released = false;
	if (in.ours != XenbusStateClosed)
		in.ours = XenbusStateClosing;
	in.frontend = XenbusStateUnknown;
	for (unsigned int i = 0; i < 12; i++) {
		a = hs_next(&in);
		if (!apply(&in, a))
			break;
	}
	assert_int_equal(in.ours, XenbusStateClosed);
	assert_true(in.released);
	assert_false(in.attached);
	assert_int_equal(in.link, HS_LINK_DOWN);
	/* and libxl deletes the nodes */
	in.ours = XenbusStateUnknown;
	assert_int_equal(hs_next(&in), HS_FORGET);
}

static void test_removal(void **state)
{
	(void)state;
	for_all(check_removal);
}

/* A frontend that does not move holds a removal up only until its grace is over. */
static void check_grace(const struct hs_input *start)
{
	struct hs_input in = *start;

	if (in.ours == XenbusStateUnknown || in.link == HS_LINK_BUSY ||
	    in.image == HS_IMAGE_OPENING)
		return;
	in.online = false;
	in.ours = XenbusStateClosing;
	in.grace_over = true;
	for (unsigned int i = 0; i < 12; i++)
		if (!apply(&in, hs_next(&in)))
			break;
	assert_int_equal(in.ours, XenbusStateClosed);
}

static void test_grace(void **state)
{
	struct hs_input in = {
		.ours = XenbusStateClosing,
		.frontend = XenbusStateConnected,
		.image = HS_IMAGE_READY,
		.link = HS_LINK_UP,
		.attached = true,
	};

	(void)state;
	for_all(check_grace);
	assert_int_equal(hs_next(&in), HS_NOTHING);
}

/* The stories of handshake.h, step by step. */
static void test_attach_story(void **state)
{
	struct hs_input in = {
		.ours = XenbusStateInitialising,
		.frontend = XenbusStateInitialising,
		.online = true,
		.image = HS_IMAGE_CLOSED,
	};

	(void)state;
	assert_int_equal(hs_next(&in), HS_OPEN);
	in.image = HS_IMAGE_OPENING;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.image = HS_IMAGE_READY;
	assert_int_equal(hs_next(&in), HS_OFFER);
	in.ours = XenbusStateInitWait;
	in.frontend = XenbusStateInitialised;
	assert_int_equal(hs_next(&in), HS_NOTHING); /* the script */
	in.hotplug = HS_HOTPLUG_DONE;
	assert_int_equal(hs_next(&in), HS_CONNECT);
	in.link = HS_LINK_BUSY;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.link = HS_LINK_UP;
	in.attached = true;
	in.ours = XenbusStateConnected;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.frontend = XenbusStateConnected;
	assert_int_equal(hs_next(&in), HS_NOTHING);

	/* unloading the guest's driver */
	in.frontend = XenbusStateClosing;
	assert_int_equal(hs_next(&in), HS_SET_CLOSING);
	in.ours = XenbusStateClosing;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.frontend = XenbusStateClosed;
	assert_int_equal(hs_next(&in), HS_DISCONNECT);
	in.link = HS_LINK_DOWN;
	assert_int_equal(hs_next(&in), HS_SET_CLOSED);
	in.ours = XenbusStateClosed;
	assert_int_equal(hs_next(&in), HS_NOTHING);

	/* loading it again */
	in.frontend = XenbusStateInitialising;
	in.held = true;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.held = false;
	assert_int_equal(hs_next(&in), HS_OFFER);
	in.ours = XenbusStateInitWait;
	in.frontend = XenbusStateInitialised;
	assert_int_equal(hs_next(&in), HS_CONNECT);
}

static void test_refusal_story(void **state)
{
	struct hs_input in = {
		.ours = XenbusStateInitialising,
		.frontend = XenbusStateInitialising,
		.online = true,
		.image = HS_IMAGE_REFUSED,
	};

	(void)state;
	assert_int_equal(hs_next(&in), HS_TELL);
	in.refusal_told = true;
	assert_int_equal(hs_next(&in), HS_OFFER); /* libxl waits for 2, then its script fails */
	in.ours = XenbusStateInitWait;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.hotplug = HS_HOTPLUG_FAILED;
	assert_int_equal(hs_next(&in), HS_SET_CLOSING);
	in.ours = XenbusStateClosing;
	assert_int_equal(hs_next(&in), HS_SET_CLOSED);
	in.ours = XenbusStateClosed;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.online = false;
	assert_int_equal(hs_next(&in), HS_RELEASE);
}

static void test_reconfigure_story(void **state)
{
	struct hs_input in = {
		.ours = XenbusStateConnected,
		.frontend = XenbusStateConnected,
		.online = true,
		.hotplug = HS_HOTPLUG_DONE,
		.image = HS_IMAGE_READY,
		.link = HS_LINK_UP,
		.attached = true,
		.reconfigures = true,
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		/* the value is there before the state */
		in.changed = true;
		assert_int_equal(hs_next(&in), HS_RECONFIGURE);
		in.changed = false;
		assert_int_equal(hs_next(&in), HS_NOTHING);
		in.frontend = XenbusStateReconfiguring;
		assert_int_equal(hs_next(&in), HS_SET_RECONFIGURED);
		in.ours = XenbusStateReconfigured;
		assert_int_equal(hs_next(&in), HS_NOTHING);
		in.frontend = XenbusStateConnected;
		assert_int_equal(hs_next(&in), HS_SET_CONNECTED);
		in.ours = XenbusStateConnected;
		assert_int_equal(hs_next(&in), HS_NOTHING);
	}
	/* a backend that was restarted in the middle of it */
	in.ours = XenbusStateReconfigured;
	in.frontend = XenbusStateReconfiguring;
	in.link = HS_LINK_DOWN;
	in.attached = false;
	assert_int_equal(hs_next(&in), HS_REATTACH);
	/* for a disk these states are none */
	in.reconfigures = false;
	assert_int_equal(hs_next(&in), HS_NOTHING);
	in.ours = XenbusStateConnected;
	in.link = HS_LINK_UP;
	in.attached = true;
	assert_int_equal(hs_next(&in), HS_DISCONNECT);
}

static void test_names(void **state)
{
	(void)state;
	for (int a = 0; a < _HS_ACTION_MAX; a++)
		assert_string_not_equal(hs_action_name(a), "?");
	assert_string_equal(hs_action_name(_HS_ACTION_MAX), "?");
	assert_string_equal(hs_state_name(XenbusStateInitWait), "InitWait");
	assert_string_equal(hs_state_name(99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_removal),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_attach_story),
		cmocka_unit_test(test_refusal_story),
		cmocka_unit_test(test_reconfigure_story),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
