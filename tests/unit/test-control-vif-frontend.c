// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "control/vif-frontend.h"

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

static const struct vif_limits limits = { .max_queues = 4, .control = true, .multicast = true };
static const struct vif_limits nothing = { .max_queues = 1 };

static int parse(const char *const *table, const struct vif_limits *l,
		 struct worker_connect_vif *ret, char *error)
{
	memset(ret, 0xaa, sizeof(*ret));
	*error = '\0';
	return vif_frontend_parse(read_table, (void *)table, l, ret, error, 256);
}

#define SINGLE "request-rx-copy", "1", "tx-ring-ref", "8", "rx-ring-ref", "9", "event-channel", "12"

static void test_oldest(void **state)
{
	static const char *const table[] = { SINGLE, NULL };
	struct worker_connect_vif c;
	char error[256];

	(void)state;
	assert_int_equal(parse(table, &limits, &c, error), 0);
	assert_int_equal(c.queues, 1);
	/* what is on unless it is turned off */
	assert_int_equal(c.features, WORKER_VIF_CSUM_V4);
	assert_int_equal(c.has_control, 0);
	assert_int_equal(c.xdp_headroom, 0);
	assert_int_equal(c.queue[0].tx_ref, 8);
	assert_int_equal(c.queue[0].rx_ref, 9);
	assert_int_equal(c.queue[0].tx_evtchn, 12);
	assert_int_equal(c.queue[0].rx_evtchn, 12);
}

static void test_features(void **state)
{
	static const struct {
		const char *key, *value;
		uint32_t features;
	} cases[] = {
		{ "feature-sg", "1", WORKER_VIF_CSUM_V4 | WORKER_VIF_SG },
		{ "feature-sg", "0", WORKER_VIF_CSUM_V4 },
		{ "feature-gso-tcpv4", "1", WORKER_VIF_CSUM_V4 | WORKER_VIF_GSO_TCPV4 },
		{ "feature-gso-tcpv6", "1", WORKER_VIF_CSUM_V4 | WORKER_VIF_GSO_TCPV6 },
		{ "feature-no-csum-offload", "1", 0 },
		{ "feature-no-csum-offload", "0", WORKER_VIF_CSUM_V4 },
		{ "feature-ipv6-csum-offload", "1", WORKER_VIF_CSUM_V4 | WORKER_VIF_CSUM_V6 },
		{ "feature-rx-notify", "1", WORKER_VIF_CSUM_V4 | WORKER_VIF_RX_NOTIFY },
		{ "request-multicast-control", "1", WORKER_VIF_CSUM_V4 | WORKER_VIF_MULTICAST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *table[] = { SINGLE, cases[i].key, cases[i].value, NULL };
		struct worker_connect_vif c;
		char error[256];

		assert_int_equal(parse(table, &limits, &c, error), 0);
		assert_int_equal(c.features, cases[i].features);
	}
}

static void test_queues(void **state)
{
	static const char *const table[] = { "request-rx-copy",
					     "1",
					     "multi-queue-num-queues",
					     "2",
					     "queue-0/tx-ring-ref",
					     "10",
					     "queue-0/rx-ring-ref",
					     "11",
					     "queue-0/event-channel-tx",
					     "5",
					     "queue-0/event-channel-rx",
					     "6",
					     "queue-1/tx-ring-ref",
					     "20",
					     "queue-1/rx-ring-ref",
					     "4294967295",
					     "queue-1/event-channel",
					     "7",
					     "ctrl-ring-ref",
					     "30",
					     "event-channel-ctrl",
					     "31",
					     "xdp-headroom",
					     "4095",
					     NULL };
	struct worker_connect_vif c;
	char error[256];

	(void)state;
	assert_int_equal(parse(table, &limits, &c, error), 0);
	assert_int_equal(c.queues, 2);
	assert_int_equal(c.queue[0].tx_evtchn, 5);
	assert_int_equal(c.queue[0].rx_evtchn, 6);
	assert_int_equal(c.queue[1].rx_ref, UINT32_MAX);
	assert_int_equal(c.queue[1].rx_evtchn, 7);
	assert_int_equal(c.has_control, 1);
	assert_int_equal(c.control_ref, 30);
	assert_int_equal(c.control_evtchn, 31);
	assert_int_equal(c.xdp_headroom, 4095);
	assert_int_equal(parse(table, &nothing, &c, error), -EINVAL);
}

/* What was not offered is not taken up, whatever the frontend writes. */
static void test_not_offered(void **state)
{
	static const char *const table[] = { SINGLE, "ctrl-ring-ref",
					     "30",   "event-channel-ctrl",
					     "31",   "request-multicast-control",
					     "1",    NULL };
	struct worker_connect_vif c;
	char error[256];

	(void)state;
	assert_int_equal(parse(table, &nothing, &c, error), 0);
	assert_int_equal(c.has_control, 0);
	assert_int_equal(c.features, WORKER_VIF_CSUM_V4);
}

static void test_bad(void **state)
{
	static const char *const tables[][12] = {
		{ NULL },
		{ "request-rx-copy", "1", NULL },
		{ "request-rx-copy", "0", "tx-ring-ref", "8", "rx-ring-ref", "9", "event-channel",
		  "1", NULL },
		{ "request-rx-copy", "1", "tx-ring-ref", "8", "event-channel", "1", NULL },
		{ "request-rx-copy", "1", "tx-ring-ref", "8", "rx-ring-ref", "9", NULL },
		{ "request-rx-copy", "1", "tx-ring-ref", "8", "rx-ring-ref", "9",
		  "event-channel-tx", "1", NULL },
		{ "request-rx-copy", "1", "tx-ring-ref", "8", "rx-ring-ref", "9",
		  "event-channel-rx", "1", NULL },
		{ "request-rx-copy", "1", "tx-ring-ref", "4294967296", "rx-ring-ref", "9",
		  "event-channel", "1", NULL },
		{ SINGLE, "event-channel-tx", "0", NULL },
		{ SINGLE, "multi-queue-num-queues", "0", NULL },
		{ SINGLE, "multi-queue-num-queues", "5", NULL },
		{ SINGLE, "multi-queue-num-queues", "2", NULL },
		{ SINGLE, "feature-sg", "2", NULL },
		{ SINGLE, "feature-no-csum-offload", "-1", NULL },
		{ SINGLE, "feature-rx-notify", "!", NULL },
		{ SINGLE, "xdp-headroom", "4096", NULL },
		{ SINGLE, "request-multicast-control", "on", NULL },
		{ SINGLE, "ctrl-ring-ref", "8", NULL },
		{ SINGLE, "ctrl-ring-ref", " 8", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct worker_connect_vif c, untouched;
		char error[256];

		memset(&untouched, 0xaa, sizeof(untouched));
		assert_true(parse(tables[i], &limits, &c, error) < 0);
		assert_memory_equal(&c, &untouched, sizeof(c));
		assert_non_null(strstr(error, "frontend"));
	}
}

static void test_change(void **state)
{
	static const char *const table[] = { "xdp-headroom", "256", "request-multicast-control",
					     "1", NULL };
	static const char *const bad[] = { "xdp-headroom", "65536", NULL };
	static const char *const none[] = { NULL };
	struct worker_headroom h;
	char error[256];

	(void)state;
	assert_int_equal(vif_frontend_parse_change(read_table, (void *)table, &limits, &h, error,
						   sizeof(error)),
			 0);
	assert_int_equal(h.bytes, 256);
	assert_int_equal(h.multicast, 1);
	assert_int_equal(vif_frontend_parse_change(read_table, (void *)bad, &limits, &h, error,
						   sizeof(error)),
			 -EINVAL);
	assert_int_equal(h.bytes, 256);
	assert_int_equal(vif_frontend_parse_change(read_table, (void *)none, &limits, &h, error,
						   sizeof(error)),
			 0);
	assert_int_equal(h.bytes, 0);
	assert_int_equal(h.multicast, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest), cmocka_unit_test(test_features),
		cmocka_unit_test(test_queues), cmocka_unit_test(test_not_offered),
		cmocka_unit_test(test_bad),    cmocka_unit_test(test_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
