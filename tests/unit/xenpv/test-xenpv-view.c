// SPDX-License-Identifier: GPL-2.0-or-later
/* What is shown of guests: text made fit, rates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/text.h"
#include "xenpv/guests/rates.h"
#include "xenpv/host/words.h"

static void test_text(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *wanted;
	} cases[] = {
		{ "plain", 99, "plain" },
		{ "", 0, "" },
		{ "a\tb\nc\033[m\177", 99, "a?b?c?[m?" },
		{ "\xc3\xa9t\xc3\xa9", 99, "\xc3\xa9t\xc3\xa9" },
		{ "\xc3\xa9t\xc3\xa9", 4, "\xc3\xa9t" }, /* not half a character */
		{ "\xe6\x97\xa5\xf0\x9f\x90\xa7", 99, "\xe6\x97\xa5\xf0\x9f\x90\xa7" },
		{ "\xc0\x80\xc1\xbf", 99, "????" }, /* overlong */
		{ "\xe0\x80\x80", 99, "???" },      /* overlong */
		{ "\xc2\x85", 99, "??" },           /* a control character */
		{ "\xed\xa0\x80", 99, "???" },      /* a surrogate */
		{ "\xf4\x90\x80\x80", 99, "????" }, /* beyond Unicode */
		{ "\xe2\x80\xae"
		  "b",
		  99, "???b" },             /* turns text around */
		{ "x\xe6\x97", 99, "x??" }, /* cut off */
		{ "\xff\xfe\x80", 2, "??" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[64];

		strcpy(text, cases[i].text);
		text_fit(text, cases[i].max);
		assert_string_equal(text, cases[i].wanted);
	}
}

static void test_rates(void **state)
{
	struct vbd_view old_disks[] = {
		{ .devid = 1,
		  .counted = true,
		  .counters = { .reads = 100,
				.writes = 50,
				.read_bytes = 1000,
				.has_queue = true,
				.busy_us = 1000 } },
		{ .devid = 2, .counted = true, .counters = { .reads = 900 } },
	};
	struct vbd_view new_disks[] = {
		/* connected anew: counts from 0 */
		{ .devid = 2, .counted = true, .counters = { .reads = 10, .others = 4 } },
		{ .devid = 1,
		  .counted = true,
		  .rings = 3,
		  .counters = { .reads = 300,
				.writes = 150,
				.read_bytes = 9000,
				.written_bytes = 0,
				.has_queue = true,
				.in_flight = 7,
				.busy_us = 61000,
				.has_errors = true,
				.errors = 2 } },
		{ .devid = 3, .counted = false, .counters = { .reads = 77 } },
	};
	struct vif_view vifs[] = {
		{ .counted = true, .counters = { .sent_bytes = 5, .received_bytes = 6 } },
		{ .counted = false, .counters = { .sent_bytes = 99 } },
	};
	struct guest_view before = { .hv = { .domid = 4, .cpu_ns = 1000000000 },
				     .vbd = old_disks,
				     .n_vbds = 2 };
	struct guest_view now = { .hv = { .domid = 4, .cpu_ns = 2000000000 },
				  .vbd = new_disks,
				  .n_vbds = 3,
				  .vif = vifs,
				  .n_vifs = 2 };
	struct view old = { .guest = &before, .n = 1 };
	struct rates r;

	(void)state;
	rates_of(&before, &now, 2, &r);
	assert_true(r.cpu == 50);
	assert_true(r.reads == (200 + 10) / 2.0);
	assert_true(r.writes == 50);
	assert_true(r.read_rate == 4000 && r.write_rate == 0);
	assert_true(r.latency_us == 200 && r.queue == 7);
	assert_true(r.has_errors && r.errors == 2);
	assert_int_equal(r.others, 4);
	assert_int_equal(r.n_reads, 310);
	assert_int_equal(r.rings, 3);
	assert_int_equal(r.sent, 5);
	assert_int_equal(r.received, 6);

	rates_of(NULL, &now, 1, &r);
	assert_true(r.cpu == 0 && r.reads == 0 && r.latency_us < 0);
	assert_int_equal(r.n_reads, 310);

	/* a domain of the same number, but another one */
	assert_ptr_equal(rates_before(&old, &now), &before);
	strcpy(now.hv.uuid, "other");
	assert_null(rates_before(&old, &now));
	assert_null(rates_before(NULL, &now));
}

/* A device in the place of another has some counters below it and others above: all begin at 0. */
static void test_replaced(void **state)
{
	struct vbd_view old_disk = {
		.devid = 1,
		.counted = true,
		.counters = { .reads = 1000, .writes = 5, .busy_us = 9000000, .has_queue = true }
	};
	struct vbd_view new_disk = { .devid = 1,
				     .counted = true,
				     .counters = { .reads = 10,
						   .writes = 30,
						   .flushes = 10,
						   .read_bytes = 4096,
						   .busy_us = 5000,
						   .in_flight = 3,
						   .has_queue = true } };
	struct vif_view old_vif = { .handle = 2,
				    .counted = true,
				    .counters = { .sent_packets = 7, .received_bytes = 100000 } };
	struct vif_view new_vif = { .handle = 2,
				    .counted = true,
				    .counters = { .sent_packets = 10, .received_bytes = 3000 } };
	struct guest_view before = {
		.hv.cpu_ns = 5, .vbd = &old_disk, .n_vbds = 1, .vif = &old_vif, .n_vifs = 1
	};
	struct guest_view now = {
		.hv.cpu_ns = 4, .vbd = &new_disk, .n_vbds = 1, .vif = &new_vif, .n_vifs = 1
	};
	struct disk_rates d;
	struct vif_rates v;
	struct rates r;

	(void)state;
	rates_of_vbd(&before, &new_disk, 2, &d);
	assert_true(d.reads == 5 && d.writes == 15 && d.read_rate == 2048);
	assert_true(d.latency_us == 100 && d.queue == 3);
	rates_of_vif(&before, &new_vif, 2, &v);
	assert_true(v.sent_packets == 5 && v.received_rate == 1500);
	assert_true(v.sent_rate == 0 && v.received_packets == 0);
	rates_of(&before, &now, 2, &r);
	assert_true(r.cpu == 0 && r.reads == 5 && r.received_rate == 1500);

	/* the same one, later */
	old_vif.counters.received_bytes = 1000;
	rates_of_vif(&before, &new_vif, 2, &v);
	assert_true(v.sent_packets == 1.5 && v.received_rate == 1000);
	/* nothing to compare with */
	rates_of_vif(NULL, &new_vif, 2, &v);
	assert_true(v.sent_packets == 0);
	old_disk.counted = false;
	rates_of_vbd(&before, &new_disk, 2, &d);
	assert_true(d.reads == 0 && d.latency_us < 0 && d.queue == 3);
	/* a worker in the hands of a guest: any numbers */
	old_disk.counted = true;
	new_disk.counters.reads = new_disk.counters.in_flight = UINT64_MAX;
	rates_of(&before, &now, 2, &r);
	assert_true(r.reads >= 0 && r.queue > 0);
}

static void test_xentop(void **state)
{
	struct hv_domain d = { .running = true, .dying = true };
	char text[XM_STATE];

	(void)state;
	guest_state_xentop(&d, text);
	assert_string_equal(text, "d----r");
	d = (struct hv_domain){ .blocked = true, .shutdown = true, .reason = HV_REASON_CRASH };
	guest_state_xentop(&d, text);
	assert_string_equal(text, "--bc--");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_xentop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
