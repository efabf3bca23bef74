/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing and judging requests, ring arithmetic, ids, polling: what needs no worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/blkif.h>

#include "worker/idset.h"
#include "worker/poller.h"
#include "worker/request.h"
#include "worker/ring.h"

static const struct request_limits limits = {
	.sectors = 1000,
	.logical_block = 512,
	.max_indirect = 256,
	.discard = true,
};
static char why[REQUEST_WHY_SIZE];

static void test_slots(void **state)
{
	const struct abi *a32 = abi_get(WORKER_ABI_X86_32), *a64 = abi_get(WORKER_ABI_X86_64);

	(void)state;
	assert_ptr_equal(abi_get(WORKER_ABI_NATIVE), a64);
	assert_null(abi_get(3));
	/* 32 requests a page; a power of two in multi-page rings (__RING_SIZE) */
	assert_int_equal(abi_ring_slots(a64, 1), 32);
	assert_int_equal(abi_ring_slots(a32, 1), 32);
	assert_int_equal(abi_ring_slots(a64, 2), 64);
	assert_int_equal(abi_ring_slots(a64, 16), 512);
	assert_int_equal(abi_ring_slots(a32, 16), 512);
	assert_int_equal(abi_ring_slots(a64, 0), 0);
	assert_int_equal(abi_ring_slots(a64, 3), 0);
	assert_int_equal(abi_ring_slots(a64, 32), 0);
}

/* The public header, compiled for x86_64, against the table. */
static void test_parse_native(void **state)
{
	union {
		blkif_request_t rw;
		blkif_request_discard_t discard;
		blkif_request_indirect_t indirect;
		uint8_t bytes[ABI_MAX_SLOT];
	} slot = { 0 };
	const struct abi *abi = abi_get(WORKER_ABI_X86_64);
	struct request req;

	(void)state;
	slot.rw.operation = BLKIF_OP_WRITE;
	slot.rw.nr_segments = 11;
	slot.rw.id = 0x1122334455667788;
	slot.rw.sector_number = 99;
	for (unsigned int i = 0; i < 11; i++)
		slot.rw.seg[i] = (struct blkif_request_segment){ 1000 + i, (uint8_t)(i % 8), 7 };
	request_parse(abi, slot.bytes, &req);
	assert_int_equal(req.op, BLKIF_OP_WRITE);
	assert_int_equal(req.data_op, BLKIF_OP_WRITE);
	assert_int_equal(req.nr_segments, 11);
	assert_true(req.id == 0x1122334455667788);
	assert_int_equal(req.sector, 99);
	assert_int_equal(req.direct[10].gref, 1010);
	assert_int_equal(req.direct[10].first, 2);
	assert_int_equal(req.direct[10].last, 7);

	memset(&slot, 0, sizeof(slot));
	slot.discard.operation = BLKIF_OP_DISCARD;
	slot.discard.flag = BLKIF_DISCARD_SECURE;
	slot.discard.id = 5;
	slot.discard.sector_number = 6;
	slot.discard.nr_sectors = 7;
	request_parse(abi, slot.bytes, &req);
	assert_true(req.secure);
	assert_int_equal(req.id, 5);
	assert_int_equal(req.sector, 6);
	assert_int_equal(req.nr_sectors, 7);
	assert_int_equal(req.nr_segments, 0);

	memset(&slot, 0, sizeof(slot));
	slot.indirect.operation = BLKIF_OP_INDIRECT;
	slot.indirect.indirect_op = BLKIF_OP_READ;
	slot.indirect.nr_segments = 256;
	slot.indirect.id = 8;
	slot.indirect.sector_number = 9;
	for (unsigned int i = 0; i < 8; i++)
		slot.indirect.indirect_grefs[i] = 10 + i;
	request_parse(abi, slot.bytes, &req);
	assert_int_equal(req.nr_segments, 256);
	assert_int_equal(req.data_op, BLKIF_OP_READ);
	assert_int_equal(req.id, 8);
	assert_int_equal(req.sector, 9);
	assert_int_equal(req.indirect_refs[7], 17);
}

/* The 32-bit layout, byte by byte: 64-bit fields need no alignment beyond 4. */
static void test_parse_x86_32(void **state)
{
	uint8_t slot[ABI_MAX_SLOT] = { BLKIF_OP_READ,
				       1,
				       0,
				       0,
				       1,
				       0,
				       0,
				       0,
				       0,
				       0,
				       0,
				       0, /* id */
				       2,
				       0,
				       0,
				       0,
				       0,
				       0,
				       0,
				       0, /* sector */
				       3,
				       0,
				       0,
				       0,
				       4,
				       5,
				       0,
				       0 }; /* segment */
	const struct abi *abi = abi_get(WORKER_ABI_X86_32);
	struct request req;

	(void)state;
	request_parse(abi, slot, &req);
	assert_int_equal(req.id, 1);
	assert_int_equal(req.sector, 2);
	assert_int_equal(req.direct[0].gref, 3);
	assert_int_equal(req.direct[0].first, 4);
	assert_int_equal(req.direct[0].last, 5);

	slot[0] = BLKIF_OP_DISCARD;
	request_parse(abi, slot, &req);
	assert_true(req.nr_sectors == 0x0000050400000003);

	slot[0] = BLKIF_OP_INDIRECT;
	slot[24] = 9;
	slot[25] = 0;
	request_parse(abi, slot, &req);
	assert_int_equal(req.indirect_refs[0], 9);
}

static int judge(uint8_t op, uint16_t n, uint64_t sector, const struct request_segment *seg,
		 const struct request_limits *lim)
{
	struct request req = { .op = op, .nr_segments = n, .sector = sector };
	int r;

	req.data_op = op == BLKIF_OP_READ ? BLKIF_OP_READ : BLKIF_OP_WRITE;
	r = request_check(&req, lim, why);
	if (r == BLKIF_RSP_OKAY)
		r = request_check_segments(&req, seg, lim, why);
	return r;
}

static void test_boundaries(void **state)
{
	struct request_segment seg[ABI_MAX_DIRECT];

	(void)state;
	for (unsigned int i = 0; i < ABI_MAX_DIRECT; i++)
		seg[i] = (struct request_segment){ i, 0, 7 };
	/* exactly to the end, and one beyond */
	assert_int_equal(judge(BLKIF_OP_READ, 11, 1000 - 88, seg, &limits), BLKIF_RSP_OKAY);
	assert_int_equal(judge(BLKIF_OP_READ, 11, 1000 - 87, seg, &limits), BLKIF_RSP_ERROR);
	assert_string_equal(why, "sectors 913+88 are beyond the end, 1000");
	assert_int_equal(judge(BLKIF_OP_READ, 1, UINT64_MAX - 7, seg, &limits), BLKIF_RSP_ERROR);
	assert_int_equal(judge(BLKIF_OP_READ, 12, 0, seg, &limits), BLKIF_RSP_ERROR);
	assert_string_equal(why, "12 segments, not 1..11");
	seg[4].last = 8;
	assert_int_equal(judge(BLKIF_OP_WRITE, 4, 0, seg, &limits), BLKIF_RSP_OKAY);
	assert_int_equal(judge(BLKIF_OP_WRITE, 5, 0, seg, &limits), BLKIF_RSP_ERROR);
	assert_string_equal(why, "segment 4: first_sect 0, last_sect 8, not 0..7");
	seg[4] = (struct request_segment){ 0, 7, 6 };
	assert_int_equal(judge(BLKIF_OP_WRITE, 5, 0, seg, &limits), BLKIF_RSP_ERROR);
	/* a disk that holds nothing */
	assert_int_equal(
		judge(BLKIF_OP_READ, 1, 0, seg, &(struct request_limits){ .logical_block = 512 }),
		BLKIF_RSP_ERROR);
	assert_int_equal(judge(9, 1, 0, seg, &limits), BLKIF_RSP_EOPNOTSUPP);
	assert_string_equal(why, "operation 9");
}

static struct {
	uint8_t page[4096] __attribute__((aligned(4096)));
} shared;

static uint32_t *index_at(unsigned int n)
{
	return (uint32_t *)shared.page + n;
}

static void attach(struct ring *ring, uint32_t start)
{
	memset(&shared, 0, sizeof(shared));
	*index_at(0) = *index_at(2) = start;
	assert_int_equal(ring_attach(ring, &shared, 1, abi_get(WORKER_ABI_X86_64), start, start),
			 0);
}

static void test_ring(void **state)
{
	const uint32_t start = UINT32_MAX - 10; /* every index wraps on the way */
	uint8_t slot[ABI_MAX_SLOT];
	struct ring ring;

	(void)state;
	attach(&ring, start);
	assert_int_equal(ring_pending(&ring), 0);
	assert_int_equal(ring_arm(&ring), 0);
	assert_int_equal(*index_at(1), start + 1);
	*index_at(0) = start + 32;
	assert_int_equal(ring_pending(&ring), 32);
	*index_at(0) = start + 33;
	assert_int_equal(ring_pending(&ring), -EPROTO);
	assert_int_equal(ring.bad_prod, start + 33);
	*index_at(0) = start - 1;
	assert_int_equal(ring_pending(&ring), -EPROTO);

	*index_at(0) = start + 32;
	ring.req_cons += 32;
	assert_int_equal(ring_pending(&ring), 0);
	/* nothing is answered, so there is no room for a 33rd */
	*index_at(0) = start + 33;
	assert_int_equal(ring_pending(&ring), -EPROTO);
	ring_put_response(&ring, 7, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	assert_int_equal(ring_pending(&ring), -EPROTO);
	*index_at(3) = start + 1;
	assert_true(ring_publish(&ring));
	assert_int_equal(*index_at(2), start + 1);
	assert_int_equal(ring_pending(&ring), 1);
	ring_copy_request(&ring, start + 32, slot);
	assert_int_equal(slot[0], 7); /* the slot of the response, as the index wraps round */

	/* an event only when the frontend's mark is passed */
	*index_at(3) = start + 4;
	ring_put_response(&ring, 8, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	assert_false(ring_publish(&ring));
	ring_put_response(&ring, 9, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	ring_put_response(&ring, 10, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	assert_true(ring_publish(&ring));
	ring_put_response(&ring, 11, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	assert_false(ring_publish(&ring));
}

/* Does a frontend that moves its index from @old to @new send an event? (ring.h) */
static bool frontend_notifies(uint32_t old, uint32_t new)
{
	*index_at(0) = new;
	return new - *index_at(1) < new - old;
}

static void test_ring_events(void **state)
{
	const uint32_t start = UINT32_MAX - 10; /* as above */
	struct ring ring;

	(void)state;
	attach(&ring, start);
	/* awake: requests before and after a look cost no event */
	ring_disarm(&ring);
	assert_false(frontend_notifies(start, start + 1));
	assert_false(frontend_notifies(start + 1, start + 20));
	assert_int_equal(ring_arm(&ring), 20);
	ring.req_cons += 20;
	assert_false(frontend_notifies(start + 20, start + 21));
	ring.req_cons++;
	/* asleep: the next one does, and only that */
	assert_int_equal(ring_arm(&ring), 0);
	assert_true(frontend_notifies(start + 21, start + 22));
	assert_false(frontend_notifies(start + 22, start + 23));
	/* some of them have come while it woke up */
	ring_disarm(&ring);
	assert_false(frontend_notifies(start + 23, start + 30));
	ring.req_cons += 9;
	assert_int_equal(ring_arm(&ring), 0);
	assert_true(frontend_notifies(start + 30, start + 32));
}

static void test_ids(void **state)
{
	struct idset set;

	(void)state;
	assert_int_equal(idset_init(&set, 512), 0);
	for (unsigned int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 512; i++)
			assert_true(idset_add(&set, i, i * UINT64_C(0x100000000)));
		idset_remove(&set, 100);
		assert_false(idset_add(&set, 100, 511 * UINT64_C(0x100000000)));
		assert_true(idset_add(&set, 100, 4711));
		for (uint32_t i = 0; i < 512; i++)
			idset_remove(&set, (i * 37) % 512);
	}
	idset_free(&set);
}

static void test_poller(void **state)
{
	struct poller p;

	(void)state;
	poller_init(&p, 50, 1);
	poller_learn(&p, 1000, true);
	assert_int_equal(p.window, 0); /* one CPU: polling would keep the guest from it */
	poller_init(&p, 50, 2);
	assert_int_equal(p.window, 0);
	for (int i = 0; i < 20; i++) {
		poller_learn(&p, 10000, true);
		assert_true(p.window > 0 && p.window <= 50000);
	}
	assert_int_equal(p.window, 50000);
	/* long sleeps: polling does not pay */
	for (int i = 0; i < 20; i++)
		poller_learn(&p, 10000000, true);
	assert_int_equal(p.window, 0);
	/* hits right away give back what is not needed, but not all */
	for (int i = 0; i < 20; i++)
		poller_learn(&p, 10000, true);
	for (int i = 0; i < 100; i++)
		poller_learn(&p, 500, false);
	assert_true(p.window >= 2000 && p.window < 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),        cmocka_unit_test(test_parse_native),
		cmocka_unit_test(test_parse_x86_32), cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_ring),         cmocka_unit_test(test_ring_events),
		cmocka_unit_test(test_ids),          cmocka_unit_test(test_poller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
