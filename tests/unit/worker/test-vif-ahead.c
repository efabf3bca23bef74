/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many packets are asked for at once, by what the tap had before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/vif-ahead.h"

#define MOST 16u

/* What taking a run has cost. */
struct cost {
	unsigned int calls;  /* that asked for one packet or for several */
	unsigned int missed; /* packets that were asked for and not there */
};

/* Take @n packets until the tap is empty. */
static struct cost take(struct vif_ahead *a, unsigned int n, bool freely)
{
	struct cost c = { 0 };

	for (;;) {
		uint32_t ask = vif_ahead_next(a, MOST, freely), found = ask;

		c.calls++;
		assert_in_range(ask, 0, MOST);
		if (!ask && n) {
			vif_ahead_found(a, 1);
			n--;
			continue;
		}
		if (!ask)
			break;
		assert_true(ask >= VIF_AHEAD_LEAST);
		if (found > n)
			found = n;
		vif_ahead_found(a, found);
		n -= found;
		if (found < ask) {
			c.missed += ask - found;
			break;
		}
	}
	vif_ahead_end(a);
	return c;
}

static void test_single(void **state)
{
	struct vif_ahead a = { 0 };

	(void)state;
	/* one now and then, also after a flood: nothing is tried */
	for (unsigned int i = 0; i < 100; i++) {
		struct cost c = take(&a, 1, i & 1);

		assert_int_equal(c.calls, 2);
		assert_int_equal(c.missed, 0);
	}
	take(&a, 10000, false);
	assert_int_equal(take(&a, 1, false).calls, 2);
	assert_int_equal(take(&a, 1, false).missed, 0);
	assert_int_equal(take(&a, 0, false).calls, 1);
}

static void test_steady(void **state)
{
	struct vif_ahead a = { 0 };
	struct cost c;

	(void)state;
	for (unsigned int n = 1; n < 60; n++) {
		take(&a, n, false);
		take(&a, n, false);
		c = take(&a, n, false);
		/* the first tells that there is something, the last that there is no more */
		assert_int_equal(c.missed, 0);
		if (n > VIF_AHEAD_LEAST)
			assert_true(c.calls <= 2 + n / MOST + VIF_AHEAD_LEAST);
		else
			assert_int_equal(c.calls, n + 1);
	}
	assert_int_equal(c.calls, 1 + (58 + MOST - 1) / MOST + 1);
	/* asking freely the last call can be had without */
	take(&a, 8, true);
	take(&a, 8, true);
	assert_int_equal(take(&a, 8, true).calls, 2);
}

static void test_flood(void **state)
{
	struct vif_ahead a = { 0 };

	(void)state;
	/* one after the other at first, then as many as can be */
	assert_true(take(&a, 10000, false).calls <= 10000 / MOST + 10);
	/* it does not end: what is counted does */
	for (unsigned int i = 0; i < 1000; i++)
		vif_ahead_found(&a, UINT32_MAX / 100);
	assert_int_equal(vif_ahead_next(&a, MOST, false), MOST);
	assert_int_equal(vif_ahead_next(&a, UINT32_MAX, false), 1u << 16);
}

static void test_room(void **state)
{
	struct vif_ahead a = { .run = 100 };

	(void)state;
	assert_int_equal(vif_ahead_next(&a, 5, true), 5);
	assert_int_equal(vif_ahead_next(&a, VIF_AHEAD_LEAST, true), VIF_AHEAD_LEAST);
	assert_int_equal(vif_ahead_next(&a, VIF_AHEAD_LEAST - 1, true), 0);
	assert_int_equal(vif_ahead_next(&a, 0, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
