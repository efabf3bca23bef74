// SPDX-License-Identifier: GPL-2.0-or-later
/* data/xenpv/device: disks, interfaces, memory, load, from files as the kernel shows them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent-root.h"
#include "disks.h"
#include "lib/cleanup.h"
#include "load.h"
#include "meminfo.h"
#include "mounts.h"
#include "uevents.h"
#include "vifstat.h"
#include "words.h"

#define USEC ((uint64_t)1000000)
#define VBD  "data/xenpv/device/vbd/"
#define UUID "11111111-2222-3333-4444-555555555555"

/* The frontend's directory of each vbd. */
int __wrap_xsc_read_u32(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key,
			uint32_t min, uint32_t max, uint32_t *ret);
int __wrap_xsc_read_u32(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key,
			uint32_t min, uint32_t max, uint32_t *ret)
{
	(void)xs;
	(void)t;
	(void)min;
	(void)max;
	if (strcmp(dir, "device/vbd/51712") != 0)
		return -ENOENT;
	*ret = strcmp(key, "ring-page-order") == 0 ? 2 : 4;
	return 0;
}

static struct xs_conn *const some_xs = (struct xs_conn *)-1;

static void expect(const struct report *report, const char *path, const char *value)
{
	const char *is = report_find(report, path);

	if (!value)
		assert_null(is);
	else if (!is)
		fail_msg("%s is not reported", path);
	else
		assert_string_equal(is, value);
}

static void expect_begin(const struct report *report, const char *path, const char *begin)
{
	const char *is = report_find(report, path);

	if (!is || strncmp(is, begin, strlen(begin)) != 0)
		fail_msg("%s is \"%s\"", path, is ?: "(none)");
}

static void disk(const struct root *root, const char *name, const char *devid, const char *stat)
{
	char path[120], text[64];

	snprintf(path, sizeof(path), "sys/block/%s/device/nodename", name);
	snprintf(text, sizeof(text), "device/vbd/%s\n", devid);
	root_file(root, path, text);
	snprintf(path, sizeof(path), "sys/block/%s/size", name);
	root_file(root, path, "204800\n");
	snprintf(path, sizeof(path), "sys/class/block/%s/size", name);
	root_file(root, path, "204800\n");
	snprintf(path, sizeof(path), "sys/block/%s/ro", name);
	root_file(root, path, "0\n");
	snprintf(path, sizeof(path), "sys/block/%s/stat", name);
	root_file(root, path, stat);
	snprintf(path, sizeof(path), "sys/bus/xen/devices/vbd-%s/driver", devid);
	root_link(root, path, "../../drivers/xen-vbd");
}

static void partition(const struct root *root, const char *of, const char *name, const char *number)
{
	char path[120];

	snprintf(path, sizeof(path), "sys/block/%s/%s/partition", of, name);
	root_file(root, path, number);
	snprintf(path, sizeof(path), "sys/class/block/%s/size", name);
	root_file(root, path, "8192\n");
}

/* A file system of 4 MiB in place of the device. */
static void make_fs(const struct root *root, const char *name, const char *label)
{
	char path[120], command[400];

	snprintf(path, sizeof(path), "dev/%s", name);
	root_file(root, path, "");
	snprintf(path, sizeof(path), "%s/dev/%s", root->path, name);
	assert_int_equal(truncate(path, 4 << 20), 0);
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin mke2fs -q -F -t ext4 -U " UUID " -L '%s' %s", label, path);
	assert_int_equal(system(command), 0);
}

static void fill(const struct root *root)
{
	disk(root, "xvda", "51712", "100 0 800 5 200 0 1600 9 3 1000 14 0 0 0 0 0 0\n");
	disk(root, "xvdb", "51728", "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	disk(root, "xvdc", "51744", "broken\n");
	partition(root, "xvda", "xvda1", "1\n");
	partition(root, "xvda", "xvda2", "2\n");
	root_file(root, "sys/block/vda/size", "1\n"); /* no Xen disk */
	root_link(root, "sys/bus/xen/drivers/xen-vbd/module", "../../../../module/xen_vbd");
	root_file(root, "sys/module/xen_vbd/version", "1.2\n");
	root_file(root, "sys/class/block/xvda2/holders/dm-0", "");
	root_file(root, "sys/class/block/xvda1/dev", "202:1\n");
	root_file(root, "sys/class/block/dm-0/dev", "253:0\n");
	make_fs(root, "xvda1", "my root");
	make_fs(root, "xvdb", "data");
	root_file(root, "srv/data/x", "");
	root_file(root, "proc/self/mountinfo",
		  "21 1 0:20 / /proc rw - proc proc rw\n"
		  "22 1 202:1 /srv /bound rw - ext4 /dev/root rw\n"
		  "23 1 202:1 / / rw - ext4 /dev/root rw\n"
		  "24 1 202:1 / /again rw - ext4 /dev/root rw\n"
		  "25 1 253:0 / /srv/data ro - xfs /dev/mapper/vg-data rw\n"
		  "26 1 0:40 /@ /btrfs rw - btrfs /dev/xvdx rw\n");
	root_file(root, "sys/kernel/debug/xenpv/xvda/stats",
		  "state connected\nrequests 10 10\nio_errors 3 3\ntimeouts 1 1\n");
	root_file(root, "sys/fs/ext4/xvda1/errors_count", "7\n");
}

static void test_disks(void **state)
{
	const struct root *root = *state;
	_cleanup_(disks_clear) struct disks disks = { 0 };
	_cleanup_(report_clear) struct report report = { 0 };

	fill(root);
	assert_int_equal(disks_report(&disks, root->path, some_xs, &report), 0);
	expect(&report, VBD "51712",
	       "name=xvda driver=xen-vbd version=1.2 size=104857600 read-only=0 queues=4 "
	       "ring-order=2");
	expect(&report, VBD "51728",
	       "name=xvdb driver=xen-vbd version=1.2 size=104857600 read-only=0 queues=1 "
	       "ring-order=0");
	expect_begin(&report, VBD "51712/1",
		     "name=xvda1 size=4194304 type=ext4 label=my\\x20root uuid=" UUID
		     " mount=/ total=");
	assert_non_null(strstr(report_find(&report, VBD "51712/1"), " fs-errors=7"));
	/* What is mounted is a device above it; what lies on it is no file. */
	expect_begin(&report, VBD "51712/2", "name=xvda2 size=4194304 mount=/srv/data total=");
	/* No partitions, and not mounted. */
	expect(&report, VBD "51728/0", "name=xvdb size=104857600 type=ext4 label=data uuid=" UUID);
	expect(&report, VBD "51744/0", NULL);
	expect(&report, VBD "51712/0", NULL);
	expect(&report, VBD "51712/errors", "io=3 timeouts=1");
	expect(&report, VBD "51712/rate", NULL);
}

static void test_disk_rates(void **state)
{
	const struct root *root = *state;
	_cleanup_(disks_clear) struct disks disks = { 0 };
	_cleanup_(report_clear) struct report report = { 0 };

	fill(root);
	disks_sample(&disks, root->path, 5 * USEC);
	root_file(root, "sys/block/xvda/stat", "120 0 1600 5 260 0 1600 9 1 2000 14\n");
	disks_sample(&disks, root->path, 7 * USEC);
	assert_int_equal(disks_report(&disks, root->path, NULL, &report), 0);
	expect(&report, VBD "51712/rate",
	       "read-ops=10 write-ops=30 read-bytes=204800 write-bytes=0 busy-permille=500 "
	       "in-flight=1");
	expect(&report, VBD "51744/rate", NULL);
	/* Made anew: counters begin at 0 again. */
	report_clear(&report);
	root_file(root, "sys/block/xvda/stat", "0 0 0 0 0 0 0 0 0 0 0\n");
	disks_sample(&disks, root->path, 9 * USEC);
	assert_int_equal(disks_report(&disks, root->path, NULL, &report), 0);
	expect(&report, VBD "51712/rate",
	       "read-ops=0 write-ops=0 read-bytes=0 write-bytes=0 busy-permille=0 in-flight=0");
}

/* A disk is read once, and again when it has changed. */
static void test_contents_are_remembered(void **state)
{
	const struct root *root = *state;
	_cleanup_(disks_clear) struct disks disks = { 0 };
	static const char *const labels[] = { "one", "two", "three" };

	fill(root);
	for (int i = 0; i < 4; i++) {
		/* after: the first look, no event, an event, an event of another disk */
		static const int expected[] = { 0, 0, 2, 2 };
		_cleanup_(report_clear) struct report report = { 0 };
		char value[200];

		if (i < 3)
			make_fs(root, "xvdb", labels[i]);
		if (i == 2)
			disks_forget(&disks, "xvdb");
		if (i == 3)
			disks_forget(&disks, "xvda1");
		assert_int_equal(disks_report(&disks, root->path, NULL, &report), 0);
		snprintf(value, sizeof(value),
			 "name=xvdb size=104857600 type=ext4 label=%s uuid=%s", labels[expected[i]],
			 UUID);
		expect(&report, VBD "51728/0", value);
	}
}

static void test_mounts(void **state)
{
	const struct root *root = *state;
	_cleanup_(mounts_clear) struct mounts mounts = { 0 };

	fill(root);
	assert_int_equal(mounts_read(root->path, &mounts), 0);
	assert_int_equal(mounts.n, 3);
	assert_string_equal(mounts.list[0].target, "/");
	assert_string_equal(mounts.list[0].type, "ext4");
	/* Read-only for the sandbox, not the file system. */
	assert_string_equal(mounts.list[1].target, "/srv/data");
	assert_false(mounts.list[1].read_only);
	assert_string_equal(mounts.list[2].target, "/btrfs");
	assert_ptr_equal(mounts_find(&mounts, 12345, "xvdx"), &mounts.list[2]);
	assert_null(mounts_find(&mounts, 12345, "xvdy"));
}

static void test_words(void **state)
{
	_cleanup_(words_clear) struct words words = { 0 };

	(void)state;
	words_add(&words, "label", "a b\\c\"d\n\xc3\xa4=e");
	words_add(&words, "none", NULL);
	words_add(&words, "empty", "");
	words_add_u64(&words, "n", UINT64_MAX);
	assert_int_equal(words_result(&words), 0);
	assert_string_equal(words.text, "label=a\\x20b\\x5cc\\x22d\\x0a\\xc3\\xa4=e "
					"n=18446744073709551615");
}

static void test_memory(void **state)
{
	const struct root *root = *state;
	_cleanup_(report_clear) struct report report = { 0 };

	assert_int_equal(memory_report(root->path, &report), 0);
	assert_int_equal(meminfo_report(root->path, &report), 0);
	assert_int_equal(report.n, 0);
	root_file(root, "proc/meminfo",
		  "MemTotal:        1000 kB\nMemFree: 1 kB\nMemAvailable:    500 kB\n"
		  "SwapTotal:       70 kB\nSwapFree:        60 kB\nHugetlb: x\n");
	root_file(root, "sys/devices/system/xen_memory/xen_memory0/target_kb", "2048\n");
	root_file(root, "sys/devices/system/xen_memory/xen_memory0/info/current_kb", "1024\n");
	assert_int_equal(memory_report(root->path, &report), 0);
	expect(&report, "data/xenpv/device/memory",
	       "total=1000 available=500 swap-total=70 swap-free=60 current=1024 target=2048");
}

static void test_load(void **state)
{
	const struct root *root = *state;
	_cleanup_(report_clear) struct report report = { 0 };

	assert_int_equal(load_count_cpus("0"), 1);
	assert_int_equal(load_count_cpus("0-3,8,10-11\n"), 7);
	assert_int_equal(load_count_cpus(""), 0);
	assert_int_equal(load_count_cpus("x"), 0);
	assert_int_equal(load_count_cpus("3-1"), 0);
	assert_int_equal(load_count_cpus("0-4294967295"), 0);
	assert_int_equal(load_count_cpus("1 2"), 0);

	assert_int_equal(load_report(root->path, &report), 0);
	assert_int_equal(report.n, 0);
	root_file(root, "sys/devices/system/cpu/online", "0-1\n");
	root_file(root, "sys/devices/system/cpu/present", "0-3\n");
	root_file(root, "proc/loadavg", "0.52 1.10 2.00 1/123 456\n");
	root_file(root, "proc/pressure/io",
		  "some avg10=1.50 avg60=0.00 avg300=0.00 total=0\n"
		  "full avg10=0.25 avg60=0.00 avg300=0.00 total=0\n");
	root_file(root, "proc/pressure/memory", "nonsense\n");
	assert_int_equal(load_report(root->path, &report), 0);
	expect(&report, "data/xenpv/device/cpu",
	       "online=2 present=4 load1=0.52 load5=1.10 load15=2.00");
	expect(&report, "data/xenpv/device/pressure", "io-some=1.50 io-full=0.25");
}

static void test_vifs(void **state)
{
	const struct root *root = *state;
	_cleanup_(net_table_clear) struct net_table table = { 0 };
	_cleanup_(report_clear) struct report report = { 0 };
	struct vif_histories histories = { 0 };
	struct net_link link = {
		.index = 2,
		.vif = 3,
		.name = "enX3",
		.up = true,
		.carrier = true,
		.mtu = 1500,
		.counters = { .rx_bytes = 1000, .tx_bytes = 5, .rx_dropped = 6 },
	};

	root_link(root, "sys/bus/xen/devices/vif-3/driver", "../../drivers/vif");
	for (int i = 0; i < 6; i++) {
		static const char *const queues[] = {
			"tx-0", "tx-1", "tx-2", "tx-3", "rx-0", "rx-1"
		};
		char path[64];

		snprintf(path, sizeof(path), "sys/class/net/enX3/queues/%s/rps_cpus", queues[i]);
		root_file(root, path, "0\n");
	}
	assert_int_equal(net_table_add_link(&table, &link), 0);
	vifstat_sample(&histories, &table, 10 * USEC);
	table.links[0].counters.rx_bytes += 4096;
	table.links[0].counters.tx_packets += 3;
	vifstat_sample(&histories, &table, 12 * USEC);
	table.links[0].carrier = false;
	assert_int_equal(vifstat_report(&histories, &table, root->path, &report), 0);
	expect(&report, "data/xenpv/device/vif/3/rate",
	       "rx-bytes=2048 tx-bytes=0 rx-packets=0 tx-packets=2");
	expect(&report, "data/xenpv/device/vif/3/errors", "rx=0 tx=0 rx-dropped=6 tx-dropped=0");
	assert_non_null(strstr(report_find(&report, "data/xenpv/device/vif/3"),
			       " link=down mtu=1500 tx-queues=4 rx-queues=2"));
	net_table_clear(&table);
	vifstat_sample(&histories, &table, 13 * USEC);
	assert_int_equal(histories.n, 0);
}

static void test_uevents(void **state)
{
	static const char message[] = "change@/devices/x\0ACTION=change\0SUBSYSTEM=block\0"
				      "DEVNAME=xvda1";

	(void)state;
	assert_string_equal(uevents_field(message, sizeof(message), "SUBSYSTEM"), "block");
	assert_string_equal(uevents_field(message, sizeof(message), "DEVNAME"), "xvda1");
	assert_null(uevents_field(message, sizeof(message), "DEV"));
	assert_null(uevents_field(message, sizeof(message) - 1, "SUBSYSTEM"));
	assert_null(uevents_field("", 0, "SUBSYSTEM"));
}

#define ROOTED(f) cmocka_unit_test_setup_teardown(f, root_set_up, root_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ROOTED(test_disks),
		ROOTED(test_disk_rates),
		ROOTED(test_contents_are_remembered),
		ROOTED(test_mounts),
		cmocka_unit_test(test_words),
		ROOTED(test_memory),
		ROOTED(test_load),
		ROOTED(test_vifs),
		cmocka_unit_test(test_uevents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
