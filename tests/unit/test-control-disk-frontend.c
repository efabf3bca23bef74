// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "control/disk-frontend.h"

/* A frontend's directory: key and value in turn, ended by NULL. */
static int read_table(void *userdata, const char *key, char **ret)
{
	const char *const *table = userdata;

	for (; *table; table += 2)
		if (!strcmp(table[0], key)) {
			if (!strcmp(table[1], "!"))
				return -EACCES;
			*ret = strdup(table[1]);
			return *ret ? 0 : -ENOMEM;
		}
	return -ENOENT;
}

static const struct disk_limits limits = {
	.max_queues = 4,
	.max_ring_page_order = 4,
	.max_indirect_segments = 256,
	.persistent = true,
};

static int parse(const char *const *table, struct worker_connect *ret, char *error)
{
	memset(ret, 0xaa, sizeof(*ret));
	*error = '\0';
	return disk_frontend_parse(read_table, (void *)table, &limits, ret, error, 256);
}

static void test_single(void **state)
{
	static const char *const table[] = { "ring-ref", "8", "event-channel", "12", NULL };
	struct worker_connect c;
	char error[256];

	(void)state;
	assert_int_equal(parse(table, &c, error), 0);
	assert_int_equal(c.rings, 1);
	assert_int_equal(c.ring_pages, 1);
	assert_int_equal(c.abi, WORKER_ABI_NATIVE);
	assert_int_equal(c.max_indirect, 256);
	assert_int_equal(c.persistent, 0);
	assert_int_equal(c.ring_ref[0][0], 8);
	assert_int_equal(c.evtchn[0], 12);
}

static void test_order_zero(void **state)
{
	static const char *const table[] = {
		"ring-ref0",          "9", "event-channel",   "12", "protocol", "x86_32-abi",
		"feature-persistent", "1", "ring-page-order", "0",  NULL
	};
	struct worker_connect c;
	char error[256];

	(void)state;
	assert_int_equal(parse(table, &c, error), 0);
	assert_int_equal(c.ring_pages, 1);
	assert_int_equal(c.ring_ref[0][0], 9);
	assert_int_equal(c.abi, WORKER_ABI_X86_32);
	assert_int_equal(c.persistent, 1);
}

static void test_queues(void **state)
{
	static const char *const table[] = { "multi-queue-num-queues",
					     "2",
					     "ring-page-order",
					     "1",
					     "queue-0/ring-ref0",
					     "10",
					     "queue-0/ring-ref1",
					     "11",
					     "queue-0/event-channel",
					     "5",
					     "queue-1/ring-ref0",
					     "20",
					     "queue-1/ring-ref1",
					     "21",
					     "queue-1/event-channel",
					     "6",
					     "protocol",
					     "x86_64-abi",
					     NULL };
	struct worker_connect c;
	char error[256];

	(void)state;
	assert_int_equal(parse(table, &c, error), 0);
	assert_int_equal(c.rings, 2);
	assert_int_equal(c.ring_pages, 2);
	assert_int_equal(c.ring_ref[1][1], 21);
	assert_int_equal(c.evtchn[1], 6);
	assert_int_equal(c.abi, WORKER_ABI_X86_64);
}

static void test_bad(void **state)
{
	static const char *const tables[][9] = {
		{ "ring-ref", "8", NULL },
		{ "event-channel", "8", NULL },
		{ "event-channel", "0", "ring-ref", "8", NULL },
		{ "event-channel", "4294967296", "ring-ref", "8", NULL },
		{ "event-channel", "8", "ring-ref", "8 ", NULL },
		{ "event-channel", "8", "ring-ref", "-8", NULL },
		{ "event-channel", "8", "ring-ref", "!", NULL },
		{ "event-channel", "8", "ring-ref", "8", "protocol", "ia64-abi", NULL },
		{ "event-channel", "8", "ring-ref", "8", "protocol", "!", NULL },
		{ "event-channel", "8", "ring-ref", "8", "ring-page-order", "5", NULL },
		{ "event-channel", "8", "ring-ref", "8", "ring-page-order", "1", NULL },
		{ "event-channel", "8", "ring-ref", "8", "multi-queue-num-queues", "0", NULL },
		{ "event-channel", "8", "ring-ref", "8", "multi-queue-num-queues", "5", NULL },
		{ "event-channel", "8", "ring-ref", "8", "multi-queue-num-queues", "2", NULL },
		{ "event-channel", "8", "ring-ref", "8", "feature-persistent", "2", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct worker_connect c, untouched;
		char error[256];

		memset(&untouched, 0xaa, sizeof(untouched));
		assert_true(parse(tables[i], &c, error) < 0);
		assert_memory_equal(&c, &untouched, sizeof(c));
		assert_non_null(strstr(error, "frontend"));
	}
}

/* An endless value is cut in the message. */
static void test_long_value(void **state)
{
	char value[4096];
	const char *table[] = { "event-channel", value, NULL };
	struct worker_connect c;
	char error[256];

	(void)state;
	memset(value, '9', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(parse(table, &c, error), -EINVAL);
	assert_true(strlen(error) < 200);
	assert_non_null(strstr(error, "1 to 4294967295"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),     cmocka_unit_test(test_order_zero),
		cmocka_unit_test(test_queues),     cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
