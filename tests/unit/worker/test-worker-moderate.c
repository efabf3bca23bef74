// SPDX-License-Identifier: GPL-2.0-or-later
/* When a queue of an interface listens to nobody, on one processor that is simulated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/moderate.h"

#define COST UINT64_C(10000) /* of a wakeup, ns */
#define EACH UINT64_C(1000)  /* of a packet, at the one who sends and at the thread */

struct run {
	struct moderate m;
	uint64_t slept, longest;
	uint64_t wakes, delays;
};

static void begin(struct run *r)
{
	*r = (struct run){ 0 };
	moderate_init(&r->m);
}

/*
 * The thread wakes, takes @packets, and sleeps again: until its moment is over, or else for
 * @until_next. Returns the moment.
 */
static uint64_t wake(struct run *r, uint32_t packets, uint64_t until_next)
{
	uint64_t delay = moderate_next(&r->m, packets, COST + packets * EACH, r->slept);

	r->wakes++;
	r->delays += delay != 0;
	if (delay > r->longest)
		r->longest = delay;
	r->slept = delay ?: until_next;
	return delay;
}

/* A flood: the sender, who has the processor while the thread sleeps, has always more. */
static uint64_t flood(struct run *r, uint64_t packets)
{
	uint64_t taken = 0, wakes = r->wakes, slept;

	while (taken < packets) {
		/* without a delay its first packet wakes the thread */
		slept = wake(r, (uint32_t)(r->slept / EACH ?: 1), EACH);
		taken += slept / EACH ?: 1;
	}
	return r->wakes - wakes;
}

static void test_flood(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	assert_true(flood(&r, 10000) < 1000);
	assert_int_equal(r.m.state, MODERATE_ON);
	assert_true(r.longest <= 4 * COST);
	/* The end of it is noticed by the first moment in which nothing came. */
	assert_int_equal(wake(&r, 0, 0), 0);
	assert_int_equal(r.m.state, MODERATE_OFF);
	/* The next one is taken up as soon as the first was. */
	assert_true(flood(&r, 10000) < 1000);
}

/* Who waits for an answer sends no more in a moment than without: it is hardly ever delayed. */
static void test_round_trips(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	for (int i = 0; i < 100000; i++)
		wake(&r, 1, 2 * COST);
	assert_true(r.delays > 0);
	assert_true(r.delays < 2000);
}

/* A flood is noticed soon, whatever was tried before it. */
static void test_flood_after_round_trips(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	for (int i = 0; i < 100000; i++)
		wake(&r, 1, 2 * COST);
	assert_true(flood(&r, 10000) < 1000);
	assert_int_equal(r.m.state, MODERATE_ON);
}

/* Time enough: packets come one by one, and there is no hurry. */
static void test_sparse(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	for (int i = 0; i < 10000; i++)
		wake(&r, 1, 100 * COST);
	assert_int_equal(r.delays, 0);
}

/* Wakeups that find much already are left as they are. */
static void test_full(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	for (int i = 0; i < 10000; i++)
		wake(&r, 64, COST);
	assert_int_equal(r.delays, 0);
}

/* What guests send wakes the thread, too, and says nothing of the tap. */
static void test_events(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	for (int i = 0; i < 10000; i++)
		wake(&r, 0, 0);
	assert_int_equal(r.delays, 0);
}

/* Events of the guest, its acknowledgements perhaps, do not end it. */
static void test_events_between(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	flood(&r, 10000);
	assert_int_equal(r.m.state, MODERATE_ON);
	r.slept /= 2;
	assert_true(wake(&r, 0, 0) > 0);
	assert_int_equal(r.m.state, MODERATE_ON);
}

/* However slow a wakeup is, a moment is short. */
static void test_bound(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	for (int i = 0; i < 1000; i++) {
		uint64_t delay = moderate_next(&r.m, 1 + (uint32_t)(r.slept != 0) * 3,
					       UINT64_C(50000000), r.slept);

		assert_true(delay <= MODERATE_MAX);
		r.slept = delay;
		r.delays += delay != 0;
	}
	assert_true(r.delays > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_flood_after_round_trips),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_events_between),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
