/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker counts of a disk: exactly what was asked of it, over its own death, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include <xen/io/blkif.h>

#include "lib/counters.h"
#include "vbdrig.h"

static struct rig rig;

static struct counters_file file;

/* What a reader sees. */
static struct disk_counts counted(void)
{
	union counters_block sum;

	assert_int_equal(pread(rig.counters_fd, &file, sizeof(file), 0), sizeof(file));
	assert_true(file.head.magic == COUNTERS_MAGIC);
	counters_sum(&file, &sum);
	return sum.disk;
}

static struct rig_segment sectors(unsigned int n)
{
	return (struct rig_segment){ rig.data_ref[0], 0, (uint8_t)(n - 1), { 0 } };
}

static int do_rw(struct rig_ring *ring, uint8_t op, uint64_t sector, unsigned int n)
{
	struct rig_segment seg = sectors(n);

	rig_put_rw(ring, op, 9, sector, &seg, 1);
	return rig_do(ring, 9);
}

static void test_kinds(void **state)
{
	struct rig_segment seg;
	struct disk_counts c;

	(void)state;
	rig_init(&rig, &(struct rig_options){ .rings = 2, .discard = true, .max_indirect = 32 });
	assert_int_equal(rig_up(&rig, false), 0);
	c = counted();
	assert_int_equal(c.reads + c.writes + c.flushes + c.discards + c.errors, 0);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(do_rw(&rig.ring[0], BLKIF_OP_READ, i, 3), BLKIF_RSP_OKAY);
	for (unsigned int i = 0; i < 7; i++)
		assert_int_equal(do_rw(&rig.ring[1], BLKIF_OP_WRITE, 8 * i, 8), BLKIF_RSP_OKAY);
	rig_put_rw(&rig.ring[1], BLKIF_OP_FLUSH_DISKCACHE, 1, 0, NULL, 0);
	assert_int_equal(rig_do(&rig.ring[1], 1), BLKIF_RSP_OKAY);
	assert_int_equal(do_rw(&rig.ring[0], BLKIF_OP_WRITE_BARRIER, 0, 2), BLKIF_RSP_OKAY);
	seg = sectors(8);
	memcpy(rig.data + 4096, &seg, sizeof(seg));
	rig_put_indirect(&rig.ring[0], BLKIF_OP_READ, 2, 0, 1, &rig.data_ref[1]);
	assert_int_equal(rig_do(&rig.ring[0], 2), BLKIF_RSP_OKAY);
	/* refused ones are requests, too, but move nothing */
	assert_int_equal(do_rw(&rig.ring[0], BLKIF_OP_READ, UINT32_MAX, 8), BLKIF_RSP_ERROR);
	assert_int_equal(do_rw(&rig.ring[0], 77, 0, 8), BLKIF_RSP_EOPNOTSUPP);

	c = counted();
	assert_int_equal(c.reads, 5 + 1 + 1);
	assert_int_equal(c.writes, 7 + 1);
	assert_int_equal(c.flushes, 1);
	assert_int_equal(c.sectors_read, 5 * 3 + 8);
	assert_int_equal(c.sectors_written, 7 * 8 + 2);
	assert_int_equal(c.errors, 2);
	assert_true(c.busy_ns > 0);
	/* each ring on its own */
	assert_int_equal(file.head.blocks, 2);
	assert_int_equal(file.block[0].disk.writes, 1);
	assert_int_equal(file.block[1].disk.writes, 7);
	assert_int_equal(file.block[1].disk.reads, 0);
	/* and a message says the same */
	assert_int_equal(rig_stats(&rig), 0);
	assert_int_equal(rig.stats.reads, c.reads);
	assert_int_equal(rig.stats.sectors_written, c.sectors_written);

	rig_put_discard(&rig.ring[0], 4, 0, 8, 0);
	rig_do(&rig.ring[0], 4);
	assert_int_equal(counted().discards, 1);
	rig_stop_worker(&rig);
	rig_free(&rig);
}

/* The frontend comes and goes, workers die: the sums go on, the gauge does not. */
static void test_goes_on(void **state)
{
	(void)state;
	rig_init(&rig, &(struct rig_options){ 0 });
	assert_int_equal(rig_up(&rig, false), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(do_rw(&rig.ring[0], BLKIF_OP_WRITE, 0, 4), BLKIF_RSP_OKAY);
		rig_kill_worker(&rig);
		assert_int_equal(counted().writes, 1 + 2 * i);
		assert_int_equal(rig_up(&rig, true), 0);
		assert_int_equal(do_rw(&rig.ring[0], BLKIF_OP_WRITE, 0, 4), BLKIF_RSP_OKAY);
	}
	assert_int_equal(rig_disconnect(&rig), 0);
	rig_reset_rings(&rig);
	assert_int_equal(rig_connect(&rig, false), 0);
	assert_int_equal(do_rw(&rig.ring[0], BLKIF_OP_READ, 0, 1), BLKIF_RSP_OKAY);
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(rig_detach(&rig), 0);
	assert_int_equal(counted().writes, 6);
	assert_int_equal(counted().sectors_written, 24);
	assert_int_equal(counted().reads, 1);
	assert_int_equal(counted().in_flight, 0);
	rig_stop_worker(&rig);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
