/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frontend that breaks the protocol, in each way there is. A request that is
 * well-formed but cannot be gets an error and the ring goes on; a ring that makes
 * no sense is stopped, and only that one. Nothing stays mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/blkif.h>

#include "vbdrig.h"

#define PAGE 4096u

static struct rig rig;
static struct rig_ring *ring = &rig.ring[0];

static void up(const struct rig_options *o)
{
	rig_init(&rig, o);
	assert_int_equal(rig_up(&rig, false), 0);
}

static void down(void)
{
	assert_false(rig.has_ring_error);
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(rig_mapped(&rig), 0);
	assert_true(rig_await_unbound(&rig));
	rig_free(&rig);
}

static struct rig_segment seg_of(unsigned int page, uint8_t first, uint8_t last)
{
	return (struct rig_segment){ rig.data_ref[page], first, last, { 0 } };
}

/* The ring still serves a decent request. */
static void assert_serves(struct rig_ring *rg)
{
	struct rig_segment seg = seg_of(0, 0, 7);

	rig_put_rw(rg, BLKIF_OP_WRITE, 4711, 0, &seg, 1);
	assert_int_equal(rig_do(rg, 4711), BLKIF_RSP_OKAY);
}

/* One request with one segment; its status, and then the ring still serves. */
static int status_of(uint8_t op, uint64_t sector, uint8_t first, uint8_t last, unsigned int n)
{
	struct rig_segment seg[ABI_MAX_DIRECT];
	int status;

	for (unsigned int i = 0; i < ABI_MAX_DIRECT; i++)
		seg[i] = seg_of(i, first, last);
	rig_put_rw(ring, op, 1, sector, seg, n);
	status = rig_do(ring, 1);
	assert_serves(ring);
	return status;
}

static void refused_requests(const struct rig_options *o)
{
	uint64_t end;

	up(o);
	end = rig.image.size / 512;
	assert_int_equal(status_of(BLKIF_OP_READ, 0, 0, 7, 0), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_READ, 0, 0, 7, 12), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_WRITE, 0, 0, 7, 255), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 7, 12), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_WRITE_BARRIER, 0, 0, 7, 32), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_WRITE, 0, 0, 8, 1), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_READ, 0, 7, 255, 1), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_WRITE, 0, 5, 4, 1), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_READ, end, 0, 0, 1), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_READ, end - 7, 0, 7, 1), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_WRITE, UINT64_MAX, 0, 0, 1), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(BLKIF_OP_WRITE, UINT64_MAX - 3, 0, 7, 11), BLKIF_RSP_ERROR);
	assert_int_equal(status_of(4, 0, 0, 7, 1), BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(status_of(7, 0, 0, 7, 1), BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(status_of(255, 0, 0, 7, 1), BLKIF_RSP_EOPNOTSUPP);
	/* neither was offered */
	assert_int_equal(status_of(BLKIF_OP_INDIRECT, 0, 0, 7, 1), BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(status_of(BLKIF_OP_DISCARD, 0, 0, 7, 1), BLKIF_RSP_EOPNOTSUPP);
	down();
}

static void test_refused_requests(void **state)
{
	(void)state;
	refused_requests(&(struct rig_options){ .abi = WORKER_ABI_X86_64 });
	refused_requests(&(struct rig_options){ .abi = WORKER_ABI_X86_32, .copy_max = 1 << 20 });
	refused_requests(
		&(struct rig_options){ .persistent = true, .persistent_max = 4, .poll_us = 30 });
}

static void test_readonly(void **state)
{
	struct rig_segment seg;

	(void)state;
	up(&(struct rig_options){ .readonly = true, .discard = true });
	seg = seg_of(0, 0, 7);
	rig_put_rw(ring, BLKIF_OP_WRITE, 1, 0, &seg, 1);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_ERROR);
	rig_put_rw(ring, BLKIF_OP_WRITE_BARRIER, 2, 0, &seg, 1);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_ERROR);
	rig_put_discard(ring, 3, 0, 8, 0);
	assert_int_equal(rig_do(ring, 3), BLKIF_RSP_ERROR);
	rig_put_rw(ring, BLKIF_OP_READ, 4, 0, &seg, 1);
	assert_int_equal(rig_do(ring, 4), BLKIF_RSP_OKAY);
	down();
}

static void test_discard_range(void **state)
{
	uint64_t end;

	(void)state;
	up(&(struct rig_options){ .discard = true });
	end = rig.image.size / 512;
	rig_put_discard(ring, 1, end, 1, 0);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_ERROR);
	rig_put_discard(ring, 2, 8, UINT64_MAX - 7, 0);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_ERROR);
	rig_put_discard(ring, 3, UINT64_MAX - 7, 16, 0);
	assert_int_equal(rig_do(ring, 3), BLKIF_RSP_ERROR);
	rig_put_discard(ring, 4, 0, 0, 0);
	assert_int_equal(rig_do(ring, 4), BLKIF_RSP_ERROR);
	assert_serves(ring);
	down();
}

static void test_alignment(void **state)
{
	struct rig_segment seg;

	(void)state;
	up(&(struct rig_options){ .logical_block = 4096 });
	seg = seg_of(0, 0, 0);
	rig_put_rw(ring, BLKIF_OP_WRITE, 1, 8, &seg, 1);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_ERROR);
	seg = seg_of(0, 0, 7);
	rig_put_rw(ring, BLKIF_OP_WRITE, 2, 4, &seg, 1);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_ERROR);
	assert_serves(ring);
	down();
}

static void test_indirect(void **state)
{
	uint32_t refs[ABI_MAX_INDIRECT_PAGES] = { 0 };
	struct rig_segment *seg;

	(void)state;
	up(&(struct rig_options){ .max_indirect = 64 });
	seg = (struct rig_segment *)(rig.data + 500 * PAGE);
	for (unsigned int i = 0; i < 64; i++)
		seg[i] = seg_of(i, 0, 7);
	refs[0] = rig.data_ref[500];

	rig_put_indirect(ring, BLKIF_OP_WRITE, 1, 0, 0, refs);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_ERROR);
	rig_put_indirect(ring, BLKIF_OP_WRITE, 2, 0, 65, refs);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_ERROR);
	rig_put_indirect(ring, BLKIF_OP_WRITE, 3, 0, 65535, refs);
	assert_int_equal(rig_do(ring, 3), BLKIF_RSP_ERROR);
	rig_put_indirect(ring, BLKIF_OP_DISCARD, 4, 0, 1, refs);
	assert_int_equal(rig_do(ring, 4), BLKIF_RSP_ERROR);
	rig_put_indirect(ring, BLKIF_OP_INDIRECT, 5, 0, 1, refs);
	assert_int_equal(rig_do(ring, 5), BLKIF_RSP_ERROR);
	seg[63].last = 8;
	rig_put_indirect(ring, BLKIF_OP_READ, 6, 0, 64, refs);
	assert_int_equal(rig_do(ring, 6), BLKIF_RSP_ERROR);
	seg[63].last = 7;
	rig_put_indirect(ring, BLKIF_OP_READ, 7, rig.image.size / 512 - 1, 64, refs);
	assert_int_equal(rig_do(ring, 7), BLKIF_RSP_ERROR);
	/* a descriptor page that is no grant */
	refs[0] = 30000;
	rig_put_indirect(ring, BLKIF_OP_READ, 8, 0, 64, refs);
	assert_int_equal(rig_do(ring, 8), BLKIF_RSP_ERROR);
	refs[0] = rig.data_ref[500];
	rig_put_indirect(ring, BLKIF_OP_READ, 9, 0, 64, refs);
	assert_int_equal(rig_do(ring, 9), BLKIF_RSP_OKAY);
	down();
}

/* Grants that are none, belong to somebody else, or may only be read. */
static void bad_grants(const struct rig_options *o)
{
	struct rig_segment seg[2];
	int64_t ro;

	up(o);
	ro = loopfront_grant(rig.lf, rig.data_frame, true);
	assert_true(ro > 0);
	seg[0] = seg_of(0, 0, 7);

	seg[1] = (struct rig_segment){ UINT32_MAX, 0, 7, { 0 } };
	rig_put_rw(ring, BLKIF_OP_READ, 1, 0, seg, 2);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_ERROR);
	rig_put_rw(ring, BLKIF_OP_WRITE, 2, 0, seg, 2);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_ERROR);
	seg[1].ref = (uint32_t)loopfront_grant(rig.lf, UINT32_MAX, false);
	rig_put_rw(ring, BLKIF_OP_WRITE, 3, 0, seg, 2);
	assert_int_equal(rig_do(ring, 3), BLKIF_RSP_ERROR);

	/* reading into a read-only grant cannot work; writing from it must */
	seg[1].ref = (uint32_t)ro;
	rig_put_rw(ring, BLKIF_OP_READ, 4, 0, seg, 2);
	assert_int_equal(rig_do(ring, 4), BLKIF_RSP_ERROR);
	rig_put_rw(ring, BLKIF_OP_WRITE, 5, 0, seg, 2);
	assert_int_equal(rig_do(ring, 5), BLKIF_RSP_OKAY);
	assert_serves(ring);
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(loopfront_grant_use(rig.lf, (uint32_t)ro), 0);
	assert_int_equal(rig_mapped(&rig), 0);
	rig_free(&rig);
}

static void test_bad_grants(void **state)
{
	(void)state;
	bad_grants(&(struct rig_options){ .copy_max = 1 << 20 });
	bad_grants(&(struct rig_options){ 0 });
	bad_grants(&(struct rig_options){ .persistent = true, .persistent_max = 64 });
}

/* After the ring was stopped: that ring alone, nothing mapped, the text names @value. */
static void assert_stopped(const char *value)
{
	struct rig_ring *other = &rig.ring[1];

	assert_true(rig_await_ring_error(&rig));
	assert_int_equal(rig.ring_error.ring, 0);
	assert_non_null(strstr(rig.ring_error.text, value));
	assert_serves(other);
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(rig_mapped(&rig), 0);
	assert_true(rig_await_unbound(&rig));

	/* and the frontend may start over */
	rig.has_ring_error = false;
	rig_reset_rings(&rig);
	assert_int_equal(rig_connect(&rig, false), 0);
	assert_serves(ring);
	down();
}

static const struct rig_options two_rings = { .rings = 2, .copy_max = 4096 };

static void test_index_beyond(void **state)
{
	(void)state;
	up(&two_rings);
	ring->req_prod = 33;
	rig_push(ring);
	assert_stopped("index 33 ");
}

static void test_index_backwards(void **state)
{
	(void)state;
	up(&two_rings);
	assert_serves(ring);
	*rig_index(ring, 0) = 0;
	loopfront_notify(rig.lf, ring->port);
	assert_stopped("index 0 ");
}

static void test_index_far(void **state)
{
	(void)state;
	up(&two_rings);
	*rig_index(ring, 0) = 0x80000000;
	loopfront_notify(rig.lf, ring->port);
	assert_stopped("index 2147483648 ");
}

static void test_reused_id(void **state)
{
	struct rig_segment seg;

	(void)state;
	up(&two_rings);
	seg = seg_of(0, 0, 7);
	rig_put_rw(ring, BLKIF_OP_WRITE, 0xabcdef, 0, &seg, 1);
	rig_put_rw(ring, BLKIF_OP_READ, 0xabcdef, 8, &seg, 1);
	rig_push(ring);
	assert_stopped("id 11259375,");
}

/* An error while others are in flight: those end, and everything is given back. */
static void test_stop_with_io_in_flight(void **state)
{
	struct rig_segment seg;

	(void)state;
	up(&(struct rig_options){ .rings = 2, .ring_pages = 16 });
	for (unsigned int i = 0; i < 400; i++) {
		seg = seg_of(i, 0, 7);
		rig_put_rw(ring, BLKIF_OP_WRITE, i, i * 8, &seg, 1);
	}
	rig_put_rw(ring, BLKIF_OP_WRITE, 7, 0, &seg, 1);
	rig_push(ring);
	assert_stopped("id 7,");
}

/* mini-os sends a barrier and a flush, both with id 0, one behind the other. */
static void test_same_id_without_data(void **state)
{
	struct rig_response rsp;

	(void)state;
	up(&(struct rig_options){ 0 });
	rig_put_rw(ring, BLKIF_OP_WRITE_BARRIER, 0, 0, NULL, 0);
	rig_put_rw(ring, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, NULL, 0);
	rig_push(ring);
	for (unsigned int i = 0; i < 2; i++) {
		rsp = rig_await(ring);
		assert_int_equal(rsp.id, 0);
		assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
	}
	down();
}

/* The frontend scribbles over its ring and its descriptors all the time. */
static void test_random_bytes(void **state)
{
	(void)state;
	srand(7);
	for (unsigned int run = 0; run < 20; run++) {
		up(&(struct rig_options){ .abi = run % 2 ? WORKER_ABI_X86_32 : WORKER_ABI_X86_64,
					  .max_indirect = 256,
					  .persistent = run % 3 == 0,
					  .persistent_max = 16,
					  .copy_max = run % 4 * 4096,
					  .discard = true });
		for (unsigned int i = 0; i < 300; i++) {
			uint8_t slot[ABI_MAX_SLOT];
			struct rig_response rsp;

			for (unsigned int b = 0; b < sizeof(slot); b++)
				slot[b] = (uint8_t)rand();
			slot[0] %= 8;
			slot[1] %= 14;
			/* an id of its own, a range that may fit */
			memcpy(slot + ring->abi->id, &i, 4);
			memset(slot + ring->abi->sector + 2, 0, 6);
			for (unsigned int s = 0; s < ABI_MAX_DIRECT; s++) {
				uint8_t *seg = slot + ring->abi->segments + s * 8;

				memcpy(seg, &rig.data_ref[rand() % 512], 4);
				seg[4] %= 9;
				seg[5] %= 9;
			}
			rig_put_raw(ring, slot, sizeof(slot));
			rig_push(ring);
			rsp = rig_await(ring);
			(void)rsp;
		}
		down();
	}
}

/* Grants that cannot be mapped, ports that cannot be bound: CONNECT says which. */
static void test_bad_connect(void **state)
{
	uint32_t saved;

	(void)state;
	rig_init(&rig, &(struct rig_options){ .rings = 2 });
	rig_start_worker(&rig);
	assert_int_equal(rig_attach(&rig), 0);
	assert_int_equal(rig_attach(&rig), -EEXIST);

	saved = rig.ring[1].ref[0];
	rig.ring[1].ref[0] = 31999;
	assert_true(rig_connect(&rig, false) < 0);
	assert_non_null(strstr(rig.error, "ring 1"));
	assert_non_null(strstr(rig.error, "31999"));
	assert_int_equal(rig_mapped(&rig), 0);
	rig.ring[1].ref[0] = saved;

	saved = rig.ring[1].port;
	rig.ring[1].port = 999;
	assert_true(rig_connect(&rig, false) < 0);
	assert_non_null(strstr(rig.error, "999"));
	assert_int_equal(rig_mapped(&rig), 0);
	rig.ring[1].port = saved;

	rig.o.ring_pages = 3;
	assert_int_equal(rig_connect(&rig, false), -EINVAL);
	rig.o.ring_pages = 1;
	rig.o.abi = 3;
	assert_int_equal(rig_connect(&rig, false), -EINVAL);
	rig.o.abi = 0;
	rig.o.max_indirect = 257;
	assert_int_equal(rig_connect(&rig, false), -EINVAL);
	rig.o.max_indirect = 0;
	assert_int_equal(rig_connect(&rig, false), 0);
	assert_serves(ring);
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(rig_detach(&rig), 0);
	assert_int_equal(rig_detach(&rig), -ENOENT);
	rig_free(&rig);
}

/* The domain dies with requests on the ring: errors, no harm. */
static void test_dying_domain(void **state)
{
	struct rig_segment seg;

	(void)state;
	up(&(struct rig_options){ .persistent = true, .persistent_max = 64 });
	assert_serves(ring);
	seg = seg_of(3, 0, 7);
	for (unsigned int i = 0; i < 20; i++)
		rig_put_rw(ring, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, i * 8, &seg, 1);
	rig_push(ring);
	loopfront_close(rig.lf);
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(rig_detach(&rig), 0);
	assert_int_equal(loopfront_open(NULL, 256, &rig.lf), 0);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_discard_range),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_bad_grants),
		cmocka_unit_test(test_index_beyond),
		cmocka_unit_test(test_index_backwards),
		cmocka_unit_test(test_index_far),
		cmocka_unit_test(test_reused_id),
		cmocka_unit_test(test_stop_with_io_in_flight),
		cmocka_unit_test(test_same_id_without_data),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_bad_connect),
		cmocka_unit_test(test_dying_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
