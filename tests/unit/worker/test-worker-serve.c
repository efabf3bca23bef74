/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker process, asked decently: every operation, transfer and ABI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

/* Nothing of the guest stays with the worker after a disconnect, and the worker ends well. */
static void down(void)
{
	assert_int_equal(rig_disconnect(&rig), 0);
	assert_int_equal(rig_mapped(&rig), 0);
	assert_true(rig_await_unbound(&rig));
	assert_int_equal(rig_detach(&rig), 0);
	rig_free(&rig);
}

static void pattern(uint8_t *p, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + i * 7 + i / 512);
}

/* Write pages from data page 0, read them back at data page 128 or so, and look at the image. */
static void round_trip(unsigned int pages, uint8_t first, uint8_t last, uint64_t sector)
{
	size_t per = (last - first + 1u) * 512u, total = per * pages;
	struct rig_segment seg[ABI_MAX_DIRECT];
	uint8_t *image = malloc(total);

	for (unsigned int i = 0; i < pages; i++) {
		pattern(rig.data + i * PAGE, PAGE, (unsigned int)sector + i);
		memset(rig.data + (64 + i) * PAGE, 0xee, PAGE);
		seg[i] = (struct rig_segment){ rig.data_ref[i], first, last, { 0 } };
	}
	rig_put_rw(ring, BLKIF_OP_WRITE, 77, sector, seg, pages);
	assert_int_equal(rig_do(ring, 77), BLKIF_RSP_OKAY);
	assert_int_equal(pread(rig.plain_fd, image, total, (off_t)sector * 512), (ssize_t)total);
	for (unsigned int i = 0; i < pages; i++)
		assert_memory_equal(image + i * per, rig.data + i * PAGE + first * 512u, per);

	for (unsigned int i = 0; i < pages; i++)
		seg[i].ref = rig.data_ref[64 + i];
	rig_put_rw(ring, BLKIF_OP_READ, 78, sector, seg, pages);
	assert_int_equal(rig_do(ring, 78), BLKIF_RSP_OKAY);
	for (unsigned int i = 0; i < pages; i++) {
		uint8_t *page = rig.data + (64 + i) * PAGE;

		assert_memory_equal(page + first * 512u, rig.data + i * PAGE + first * 512u, per);
		/* nothing beside the segment was touched */
		for (unsigned int b = 0; b < first * 512u; b++)
			assert_int_equal(page[b], 0xee);
		for (unsigned int b = (last + 1u) * 512u; b < PAGE; b++)
			assert_int_equal(page[b], 0xee);
	}
	free(image);
}

static void read_write(const struct rig_options *o)
{
	up(o);
	round_trip(1, 0, 7, 0);
	round_trip(1, 3, 3, 9);
	round_trip(11, 0, 7, 100 * 8);
	round_trip(5, 2, 6, 333);
	round_trip(1, 0, 7, rig.image.size / 512 - 8);
	down();
}

static void test_copy(void **state)
{
	(void)state;
	read_write(&(struct rig_options){ .abi = WORKER_ABI_X86_64, .copy_max = 1 << 20 });
}

static void test_map(void **state)
{
	(void)state;
	read_write(&(struct rig_options){ .abi = WORKER_ABI_X86_64 });
}

static void test_persistent(void **state)
{
	(void)state;
	read_write(&(struct rig_options){
		.abi = WORKER_ABI_NATIVE, .persistent = true, .persistent_max = 64 });
}

static void test_x86_32(void **state)
{
	(void)state;
	read_write(&(struct rig_options){ .abi = WORKER_ABI_X86_32, .copy_max = 8192 });
}

/* A file for direct I/O: not on tmpfs, which knows none before 6.x. */
static int make_file(char *path, size_t size)
{
	int fd;

	snprintf(path, size, "/var/tmp/test-worker-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	return fd;
}

/* A file with O_DIRECT: always through buffers, filled by grant copy or from mapped pages. */
static void test_direct(void **state)
{
	char path[64];

	(void)state;
	close(make_file(path, sizeof(path)));
	read_write(&(struct rig_options){ .image = path, .direct = true });
	read_write(&(struct rig_options){ .image = path, .direct = true, .copy_max = 1 << 20 });
	read_write(&(struct rig_options){
		.image = path, .direct = true, .persistent = true, .persistent_max = 64 });
	unlink(path);
}

/* A loop device stands for every block device: discards are an ioctl on a thread of its own. */
static void test_block_device(void **state)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	uint8_t page[PAGE], zero[PAGE] = { 0 };
	struct rig_segment seg;
	char path[64], device[32];
	int number, backing, loop;

	(void)state;
	if (control < 0)
		skip();
	backing = make_file(path, sizeof(path));
	unlink(path);
	number = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(device, sizeof(device), "/dev/loop%d", number);
	loop = open(device, O_RDWR | O_CLOEXEC);
	config.fd = (uint32_t)backing;
	if (number < 0 || loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0)
		skip();

	up(&(struct rig_options){ .image = device, .direct = true, .discard = true });
	assert_true(rig.image.is_block);
	round_trip(11, 0, 7, 64);
	if (rig.image.can_discard) {
		pattern(rig.data, PAGE, 1);
		seg = (struct rig_segment){ rig.data_ref[0], 0, 7, { 0 } };
		rig_put_rw(ring, BLKIF_OP_WRITE, 1, 8, &seg, 1);
		assert_int_equal(rig_do(ring, 1), BLKIF_RSP_OKAY);
		for (unsigned int i = 0; i < 20; i++)
			rig_put_discard(ring, 100 + i, 8, 8, 0);
		rig_push(ring);
		for (unsigned int i = 0; i < 20; i++)
			assert_int_equal(rig_await(ring).status, BLKIF_RSP_OKAY);
		assert_int_equal(pread(backing, page, PAGE, PAGE), PAGE);
		assert_memory_equal(page, zero, PAGE);
	}
	down();
	close(loop);
	close(backing);
	close(control);
}

static void test_flush(void **state)
{
	struct rig_segment seg;

	(void)state;
	up(&(struct rig_options){ 0 });
	rig_put_rw(ring, BLKIF_OP_FLUSH_DISKCACHE, 1, 0, NULL, 0);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_OKAY);
	rig_put_rw(ring, BLKIF_OP_WRITE_BARRIER, 2, 0, NULL, 0);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_OKAY);
	seg = (struct rig_segment){ rig.data_ref[0], 0, 7, { 0 } };
	pattern(rig.data, PAGE, 9);
	rig_put_rw(ring, BLKIF_OP_WRITE_BARRIER, 3, 16, &seg, 1);
	assert_int_equal(rig_do(ring, 3), BLKIF_RSP_OKAY);
	pattern(rig.data, PAGE, 10);
	rig_put_rw(ring, BLKIF_OP_FLUSH_DISKCACHE, 4, 24, &seg, 1);
	assert_int_equal(rig_do(ring, 4), BLKIF_RSP_OKAY);
	assert_int_equal(rig_stats(&rig), 0);
	assert_int_equal(rig.stats.writes, 2);
	assert_int_equal(rig.stats.flushes, 2);
	assert_int_equal(rig.stats.sectors_written, 16);
	down();
}

/* Writes, a barrier and writes over them in one push: the later ones win. */
static void test_barrier_order(void **state)
{
	struct rig_segment a, b;
	uint8_t page[PAGE];

	(void)state;
	up(&(struct rig_options){ .copy_max = 4096 });
	memset(rig.data, 'a', PAGE);
	memset(rig.data + PAGE, 'b', PAGE);
	a = (struct rig_segment){ rig.data_ref[0], 0, 7, { 0 } };
	b = (struct rig_segment){ rig.data_ref[1], 0, 7, { 0 } };
	for (unsigned int i = 0; i < 10; i++)
		rig_put_rw(ring, BLKIF_OP_WRITE, i, i * 8, &a, 1);
	rig_put_rw(ring, BLKIF_OP_WRITE_BARRIER, 10, 0, &b, 1);
	for (unsigned int i = 1; i < 10; i++)
		rig_put_rw(ring, BLKIF_OP_WRITE, 10 + i, i * 8, &b, 1);
	rig_push(ring);
	for (unsigned int i = 0; i < 20; i++) {
		struct rig_response rsp = rig_await(ring);

		assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
		if (i < 10)
			assert_true(rsp.id < 10);
		if (i == 10)
			assert_int_equal(rsp.id, 10);
	}
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(pread(rig.image_fd, page, PAGE, i * PAGE), PAGE);
		assert_memory_equal(page, rig.data + PAGE, PAGE);
	}
	down();
}

static void indirect(unsigned int n, uint32_t copy_max, bool persistent)
{
	uint32_t refs[ABI_MAX_INDIRECT_PAGES] = { 0 };
	struct rig_segment *seg;
	struct rig_response rsp;
	uint8_t *image = malloc(n * PAGE);

	up(&(struct rig_options){ .max_indirect = 256,
				  .copy_max = copy_max,
				  .persistent = persistent,
				  .persistent_max = 1024,
				  .data_pages = 600 });
	/* data pages 0..n-1; the descriptors in page 599; the target of the read from 300 on */
	seg = (struct rig_segment *)(rig.data + 599 * PAGE);
	refs[0] = rig.data_ref[599];
	for (unsigned int i = 0; i < n; i++) {
		pattern(rig.data + i * PAGE, PAGE, i);
		seg[i] = (struct rig_segment){ rig.data_ref[i], 0, 7, { 0 } };
	}
	rig_put_indirect(ring, BLKIF_OP_WRITE, 1, 1000, (uint16_t)n, refs);
	rig_push(ring);
	rsp = rig_await(ring);
	assert_int_equal(rsp.id, 1);
	assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
	/* xen-blkfront stops the disk over any other operation than the one it asked for */
	assert_int_equal(rsp.op, BLKIF_OP_WRITE);
	assert_int_equal(pread(rig.image_fd, image, n * PAGE, 1000 * 512), n * PAGE);
	assert_memory_equal(image, rig.data, n * PAGE);

	for (unsigned int i = 0; i < n; i++)
		seg[i].ref = rig.data_ref[300 + i];
	rig_put_indirect(ring, BLKIF_OP_READ, 2, 1000, (uint16_t)n, refs);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_OKAY);
	assert_memory_equal(rig.data + 300 * PAGE, rig.data, n * PAGE);
	free(image);
	down();
}

static void test_indirect(void **state)
{
	(void)state;
	indirect(1, 1 << 20, false);
	indirect(256, 1 << 20, false);
	indirect(256, 0, false);
	indirect(200, 0, true);
}

/* More data in flight than there may be in buffers: requests wait for one another. */
static void deep(bool persistent)
{
	const unsigned int n = 32, mib = 256 * PAGE;
	uint32_t refs[ABI_MAX_INDIRECT_PAGES] = { 0 };
	uint8_t *image = malloc(mib), *written = malloc(mib);
	struct rig_segment *seg;
	char path[64];

	close(make_file(path, sizeof(path)));
	assert_int_equal(truncate(path, (off_t)n * mib), 0);
	up(&(struct rig_options){ .image = path,
				  .direct = true,
				  .max_indirect = 256,
				  .persistent = persistent,
				  .persistent_max = 1024 });
	assert_int_equal(ring->slots, n);
	seg = (struct rig_segment *)(rig.data + 511 * PAGE);
	refs[0] = rig.data_ref[511];
	for (unsigned int i = 0; i < 256; i++) {
		pattern(rig.data + i * PAGE, PAGE, i);
		seg[i] = (struct rig_segment){ rig.data_ref[i], 0, 7, { 0 } };
	}
	memcpy(written, rig.data, mib);

	/* the reads all bring the same, each from another place */
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 0; i < n; i++)
			rig_put_indirect(ring, pass ? BLKIF_OP_READ : BLKIF_OP_WRITE, i,
					 i * (uint64_t)mib / 512, 256, refs);
		rig_push(ring);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(rig_await(ring).status, BLKIF_RSP_OKAY);
		assert_memory_equal(rig.data, written, mib);
		memset(rig.data, 0, mib);
	}
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(pread(rig.plain_fd, image, mib, (off_t)i * mib), mib);
		assert_memory_equal(image, written, mib);
	}
	free(image);
	free(written);
	down();
	unlink(path);
}

static void test_deep(void **state)
{
	(void)state;
	deep(false);
	deep(true);
}

static void test_discard(void **state)
{
	struct rig_segment seg;
	uint8_t page[PAGE], zero[PAGE] = { 0 };

	(void)state;
	up(&(struct rig_options){ .discard = true });
	pattern(rig.data, PAGE, 1);
	seg = (struct rig_segment){ rig.data_ref[0], 0, 7, { 0 } };
	rig_put_rw(ring, BLKIF_OP_WRITE, 1, 8, &seg, 1);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_OKAY);
	rig_put_discard(ring, 2, 8, 8, 0);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_OKAY);
	assert_int_equal(pread(rig.image_fd, page, PAGE, PAGE), PAGE);
	assert_memory_equal(page, zero, PAGE);
	/* secure discard was not offered */
	rig_put_discard(ring, 3, 8, 8, BLKIF_DISCARD_SECURE);
	assert_int_equal(rig_do(ring, 3), BLKIF_RSP_EOPNOTSUPP);
	down();
}

static void test_rings(void **state)
{
	(void)state;
	up(&(struct rig_options){ .rings = 4, .ring_pages = 16, .copy_max = 4096, .poll_us = 50 });
	/* all rings, filled to the last slot, several times round */
	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int r = 0; r < 4; r++) {
			for (unsigned int i = 0; i < rig.ring[r].slots; i++) {
				struct rig_segment seg = { rig.data_ref[i % 512], 0, 0, { 0 } };

				rig_put_rw(&rig.ring[r], BLKIF_OP_WRITE, i, r * 4096 + i, &seg, 1);
			}
			rig_push(&rig.ring[r]);
		}
		for (unsigned int r = 0; r < 4; r++) {
			bool seen[512] = { false };

			for (unsigned int i = 0; i < rig.ring[r].slots; i++) {
				struct rig_response rsp = rig_await(&rig.ring[r]);

				assert_true(rsp.id < rig.ring[r].slots);
				assert_false(seen[rsp.id]);
				seen[rsp.id] = true;
				assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
			}
		}
	}
	assert_int_equal(rig_stats(&rig), 0);
	assert_int_equal(rig.stats.writes, 5 * 4 * 512);
	assert_int_equal(rig.stats.errors, 0);
	down();
}

static void test_resize(void **state)
{
	struct rig_segment seg;
	uint64_t end = 16 << 11;

	(void)state;
	up(&(struct rig_options){ 0 });
	seg = (struct rig_segment){ rig.data_ref[0], 0, 7, { 0 } };
	rig_put_rw(ring, BLKIF_OP_WRITE, 1, end, &seg, 1);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_ERROR);
	assert_int_equal(ftruncate(rig.image_fd, 32 << 20), 0);
	assert_int_equal(rig_resize(&rig, 32 << 20), 0);
	rig_put_rw(ring, BLKIF_OP_WRITE, 2, end, &seg, 1);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_OKAY);
	assert_int_equal(rig_resize(&rig, 100), -22);
	down();
}

/* The image is shorter than the disk it was attached as: what is missing reads as zeroes. */
static void test_short_file(void **state)
{
	struct rig_segment seg;
	uint8_t zero[PAGE] = { 0 };

	(void)state;
	up(&(struct rig_options){ 0 });
	assert_int_equal(ftruncate(rig.image_fd, 4096 + 1024), 0);
	seg = (struct rig_segment){ rig.data_ref[0], 0, 7, { 0 } };
	memset(rig.data, 0xff, PAGE);
	rig_put_rw(ring, BLKIF_OP_READ, 1, 8, &seg, 1);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_OKAY);
	assert_memory_equal(rig.data, zero, PAGE);
	memset(rig.data, 0xff, PAGE);
	rig_put_rw(ring, BLKIF_OP_READ, 2, 800, &seg, 1);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_OKAY);
	assert_memory_equal(rig.data, zero, PAGE);
	down();
}

static void test_reconnect(void **state)
{
	(void)state;
	up(&(struct rig_options){ .persistent = true, .persistent_max = 8 });
	for (int i = 0; i < 20; i++) {
		round_trip(2, 0, 7, 64);
		assert_int_equal(rig_disconnect(&rig), 0);
		assert_int_equal(rig_mapped(&rig), 0);
		rig_reset_rings(&rig);
		assert_int_equal(rig_connect(&rig, false), 0);
	}
	assert_int_equal(rig_connect(&rig, false), -16);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),       cmocka_unit_test(test_map),
		cmocka_unit_test(test_persistent), cmocka_unit_test(test_x86_32),
		cmocka_unit_test(test_direct),     cmocka_unit_test(test_block_device),
		cmocka_unit_test(test_flush),      cmocka_unit_test(test_barrier_order),
		cmocka_unit_test(test_indirect),   cmocka_unit_test(test_discard),
		cmocka_unit_test(test_rings),      cmocka_unit_test(test_resize),
		cmocka_unit_test(test_short_file), cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
