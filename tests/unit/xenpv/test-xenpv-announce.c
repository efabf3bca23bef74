// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "xenpv/bridge/announce.h"

static void test_frame(void **state)
{
	static const uint8_t wanted[ANNOUNCE_SIZE] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                   /* to everybody */
		0x02, 0x17, 0x42, 0x2f, 0x01, 0x02,                   /* from the guest */
		0x80, 0x35,                                           /* RARP */
		0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x03,       /* Ethernet, IPv4, request */
		0x02, 0x17, 0x42, 0x2f, 0x01, 0x02, 0,    0,    0, 0, /* sender */
		0x02, 0x17, 0x42, 0x2f, 0x01, 0x02, 0,    0,    0, 0, /* target */
	};
	const struct mac mac = { { 0x02, 0x17, 0x42, 0x2f, 0x01, 0x02 } };
	uint8_t frame[ANNOUNCE_SIZE];

	(void)state;
	memset(frame, 0xaa, sizeof(frame));
	announce_frame(&mac, frame);
	assert_memory_equal(frame, wanted, sizeof(frame));
}

static void test_macs(void **state)
{
	struct macs *macs = calloc(1, sizeof(*macs));
	struct mac mac = { { 0x02, 0x17, 0x42, 0x2f, 0x01, 0x02 } };
	const struct mac zero = { 0 }, group = { { 1, 0, 0x5e, 0, 0, 1 } };

	(void)state;
	assert_non_null(macs);
	macs_add(macs, &mac);
	macs_add(macs, &mac);
	macs_add(macs, &zero);
	macs_add(macs, &group);
	macs_add(macs, &mac_of_ports);
	assert_int_equal(macs->n, 1);
	for (unsigned int i = 0; i < 2 * ANNOUNCE_MAX; i++) {
		mac.byte[3] = (uint8_t)(i >> 8);
		mac.byte[4] = (uint8_t)i;
		macs_add(macs, &mac);
	}
	assert_int_equal(macs->n, ANNOUNCE_MAX);
	free(macs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
