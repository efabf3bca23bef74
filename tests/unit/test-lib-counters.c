/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of counters: what a worker goes on with, and what a reader may be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/counters-json.h"
#include "lib/counters.h"

static const struct log_about about = { .name = "vbd-5-51712" };
static char dir[] = "/tmp/xenpv-counters-XXXXXX";
static int dir_fd;

static int make(const char *name)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void test_goes_on(void **state)
{
	struct counters first = { 0 }, second = { 0 };
	struct counters_file file;
	union counters_block sum;
	int fd = make("a");

	(void)state;
	assert_int_equal(counters_open(&first, fd, COUNTERS_DISK, 2, &about), 0);
	assert_int_equal(counters_read(dir_fd, "a", COUNTERS_DISK, &file), 0);
	assert_int_equal(file.head.blocks, 2);
	first.file->block[0].disk.reads = 5;
	first.file->block[1].disk.reads = 7;
	first.file->block[1].disk.in_flight = 3;
	assert_int_equal(counters_read(dir_fd, "a", COUNTERS_DISK, &file), 0);
	counters_sum(&file, &sum);
	assert_int_equal(sum.disk.reads, 12);
	assert_int_equal(sum.disk.in_flight, 3);

	/* the next worker, with fewer rings: what the second did is not forgotten */
	counters_close(&first);
	assert_int_equal(counters_open(&second, fd, COUNTERS_DISK, 1, &about), 0);
	second.file->block[0].disk.reads++;
	assert_int_equal(counters_read(dir_fd, "a", COUNTERS_DISK, &file), 0);
	counters_sum(&file, &sum);
	assert_int_equal(sum.disk.reads, 13);
	assert_int_equal(sum.disk.in_flight, 0);

	/* and with more than ever, without letting go of the file in between */
	assert_int_equal(counters_open(&second, fd, COUNTERS_DISK, COUNTERS_BLOCKS, &about), 0);
	second.file->block[COUNTERS_BLOCKS - 1].disk.reads = 100;
	assert_int_equal(counters_read(dir_fd, "a", COUNTERS_DISK, &file), 0);
	counters_sum(&file, &sum);
	assert_int_equal(sum.disk.reads, 113);
	counters_close(&second);
	close(fd);
}

/* Whatever is in the file, the worker counts. */
static void test_begins_anew(void **state)
{
	static const struct counters_head heads[] = {
		{ .magic = 1, .version = COUNTERS_VERSION, .kind = COUNTERS_VIF },
		{ .magic = COUNTERS_MAGIC, .version = 99, .kind = COUNTERS_VIF },
		{ .magic = COUNTERS_MAGIC, .version = COUNTERS_VERSION, .kind = COUNTERS_DISK },
		{ .magic = COUNTERS_MAGIC,
		  .version = COUNTERS_VERSION,
		  .kind = COUNTERS_VIF,
		  .blocks = COUNTERS_BLOCKS + 1 },
	};
	struct counters c = { 0 };
	struct counters_file file;
	int fd, readonly;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(heads); i++) {
		memset(&file, 0xff, sizeof(file));
		file.head = heads[i];
		fd = make("b");
		assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
		assert_int_equal(counters_open(&c, fd, COUNTERS_VIF, 1, &about), 0);
		assert_int_equal(c.file->head.blocks, 1);
		assert_int_equal(c.file->block[0].vif.tx_packets, 0);
		counters_close(&c);
		close(fd);
	}

	/* a file that cannot be written: counted all the same */
	readonly = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(counters_open(&c, readonly, COUNTERS_VIF, 1, &about), 0);
	c.file->block[0].vif.tx_packets++;
	assert_int_equal(c.file->block[0].vif.tx_packets, 1);
	counters_close(&c);
	close(readonly);
}

/* A worker that a guest has taken over may leave anything. */
static void test_hostile_files(void **state)
{
	struct counters_file file = { .head = { .magic = COUNTERS_MAGIC,
						.version = COUNTERS_VERSION,
						.kind = COUNTERS_DISK,
						.blocks = COUNTERS_BLOCKS } },
			     got;
	union counters_block sum;
	int fd = make("c");

	(void)state;
	memset(file.block, 0xff, sizeof(file.block));
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	assert_int_equal(counters_read(dir_fd, "c", COUNTERS_DISK, &got), 0);
	counters_sum(&got, &sum); /* numbers wrap, no more */
	assert_int_equal(sum.disk.reads, UINT64_MAX - COUNTERS_BLOCKS + 1);
	assert_int_equal(counters_read(dir_fd, "c", COUNTERS_VIF, &got), -EBADMSG);

	file.head.blocks = UINT32_MAX;
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	assert_int_equal(counters_read(dir_fd, "c", COUNTERS_DISK, &got), -EBADMSG);
	file.head.blocks = 1;
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	assert_int_equal(counters_read(dir_fd, "c", COUNTERS_DISK, &got), 0);
	assert_int_equal(ftruncate(fd, sizeof(file) - 1), 0);
	assert_int_equal(counters_read(dir_fd, "c", COUNTERS_DISK, &got), -EBADMSG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(counters_read(dir_fd, "c", COUNTERS_DISK, &got), -EBADMSG);
	close(fd);

	assert_int_equal(mkfifoat(dir_fd, "pipe", 0600), 0);
	assert_int_equal(counters_read(dir_fd, "pipe", COUNTERS_DISK, &got), -EBADMSG);
	assert_int_equal(symlinkat("c", dir_fd, "link"), 0);
	assert_int_equal(counters_read(dir_fd, "link", COUNTERS_DISK, &got), -ELOOP);
	assert_int_equal(counters_read(dir_fd, "../c", COUNTERS_DISK, &got), -EINVAL);
	assert_int_equal(counters_read(dir_fd, "", COUNTERS_DISK, &got), -EINVAL);
	assert_int_equal(counters_read(dir_fd, "none", COUNTERS_DISK, &got), -ENOENT);
}

static uint64_t number(struct json_object *status, size_t device, int queue, const char *key)
{
	struct json_object *o = json_object_object_get(status, "guests");

	o = json_object_object_get(json_object_array_get_idx(o, 0), "devices");
	o = json_object_object_get(json_object_array_get_idx(o, device), "io");
	if (queue >= 0)
		o = json_object_array_get_idx(json_object_object_get(o, "queues"), (size_t)queue);
	o = json_object_object_get(o, key);
	assert_non_null(o);
	return json_object_get_uint64(o);
}

static void test_json(void **state)
{
	static const char text[] =
		"{\"guests\":[{\"devices\":["
		"{\"kind\":\"vbd\",\"devid\":1,\"counters\":\"disk\"},"
		"{\"kind\":\"vif\",\"devid\":1,\"counters\":\"vif\"},"
		"{\"kind\":\"vif\",\"devid\":2,\"counters\":\"disk\"},"
		"{\"kind\":\"vbd\",\"devid\":3,\"counters\":\"../disk\"},"
		"{\"kind\":\"vbd\",\"devid\":4,\"counters\":7}, 5, null]}, [], {\"devices\":{}}]}";
	struct json_object *status = json_tokener_parse(text), *o, *devices;
	struct counters disk = { 0 }, vif = { 0 };
	int disk_fd = make("disk"), vif_fd = make("vif");

	(void)state;
	assert_int_equal(counters_open(&disk, disk_fd, COUNTERS_DISK, 2, &about), 0);
	disk.file->block[0].disk = (struct disk_counts){
		.reads = 1,
		.writes = 2,
		.flushes = 3,
		.discards = 4,
		.sectors_read = 8,
		.sectors_written = 16,
		.errors = 5,
		.busy_ns = 7999,
		.in_flight = 6,
	};
	disk.file->block[1].disk.reads = 10;
	assert_int_equal(counters_open(&vif, vif_fd, COUNTERS_VIF, 1, &about), 0);
	vif.file->block[0].vif = (struct vif_counts){ .tx_packets = 3, .rx_stalled = 1 };

	counters_add_json(status, dir);
	assert_int_equal(number(status, 0, -1, "reads"), 11);
	assert_int_equal(number(status, 0, 0, "reads"), 1);
	assert_int_equal(number(status, 0, 1, "reads"), 10);
	assert_int_equal(number(status, 0, -1, "writes"), 2);
	assert_int_equal(number(status, 0, -1, "flushes"), 3);
	assert_int_equal(number(status, 0, -1, "discards"), 4);
	assert_int_equal(number(status, 0, -1, "read_bytes"), 4096);
	assert_int_equal(number(status, 0, -1, "written_bytes"), 8192);
	assert_int_equal(number(status, 0, -1, "errors"), 5);
	assert_int_equal(number(status, 0, -1, "busy_us"), 7);
	assert_int_equal(number(status, 0, -1, "in_flight"), 6);
	assert_int_equal(number(status, 1, -1, "tx_packets"), 3);
	assert_int_equal(number(status, 1, 0, "rx_stalled"), 1);
	devices = json_object_object_get(
		json_object_array_get_idx(json_object_object_get(status, "guests"), 0), "devices");
	for (size_t i = 2; i < 5; i++) {
		o = json_object_array_get_idx(devices, i);
		assert_false(json_object_object_get_ex(o, "io", NULL));
	}
	json_object_put(status);

	/* any document will do */
	counters_add_json(NULL, dir);
	status = json_tokener_parse("[1, {}]");
	counters_add_json(status, dir);
	counters_add_json(status, "/nonexistent");
	json_object_put(status);
	counters_close(&disk);
	counters_close(&vif);
	close(disk_fd);
	close(vif_fd);
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int end(void **state)
{
	static const char *const names[] = { "a", "b", "c", "pipe", "link", "disk", "vif" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		unlinkat(dir_fd, names[i], 0);
	close(dir_fd);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_begins_anew),
		cmocka_unit_test(test_hostile_files),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
