// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory by the formulas, with figures worked out by hand; names and lists of configurations. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/config/domcfg.h"
#include "xenpv/config/sizing.h"
#include "xenpv/config/vdev.h"

static void test_guest(void **state)
{
	/* 2 vCPUs and 1 GB: 8 + 2 + 8 MB; all disks and interfaces: 2.7 + 9.6 + 12.0 MB */
	const struct sizing_guest g = {
		.memory_mb = 1024, .vcpus = 2, .vbds = 16, .vnifs = 10, .count = 1
	};
	const struct sizing_guest bare = { .memory_mb = 100, .vcpus = 1, .count = 1 };

	(void)state;
	assert_int_equal(sizing_overhead(&g), 180);
	assert_int_equal(sizing_drivers(&g), 243);
	assert_int_equal(sizing_drivers(&bare), 0);
	assert_int_equal(sizing_overhead(&bare), 98); /* 9 + 0.78 */
}

static void test_host(void **state)
{
	const struct sizing_guest g[] = {
		{ .memory_mb = 1024, .vcpus = 2, .vbds = 2, .vnifs = 1, .count = 10 },
		{ .memory_mb = 512, .vcpus = 1, .vbds = 1, .vnifs = 1, .count = 1 },
	};
	struct sizing s;

	(void)state;
	sizing_host(g, 2, 16384, 0, 800, &s);
	assert_int_equal(s.n_guests, 11);
	assert_int_equal(s.vcpus, 21);
	assert_int_equal(s.hypervisor, 320 + 2560);
	assert_int_equal(s.firmware, 480);
	assert_int_equal(s.dom0_devices, 10 * 51 + 45);
	assert_int_equal(s.dom0, 8000 + 11 * 160 + 555); /* 1031.5 MB */
	assert_int_equal(s.guests, 10 * (10240 + 180) + 5120 + 130);
	assert_int_equal(s.assignable, 163840 - 2880 - 480 - 10315);
	assert_int_equal(s.left, (int64_t)s.assignable - (int64_t)s.guests);

	/* never less than 1024 MB, unless it is set */
	sizing_host(g + 1, 1, 1024, 0, 100, &s);
	assert_int_equal(s.dom0, 10240);
	assert_int_equal(s.assignable, 0);
	assert_true(s.left < 0);
	sizing_host(g + 1, 1, 4096, 900, 100, &s);
	assert_int_equal(s.dom0, 9000);
}

/* What the daemon takes; stays within what the formulas put aside for it. */
static void test_backend(void **state)
{
	const struct sizing_guest few = {
		.memory_mb = 1024, .vcpus = 2, .vbds = 2, .vnifs = 1, .count = 10
	};
	const struct sizing_guest two[] = { few, { .memory_mb = 64, .vcpus = 1, .count = 1 } };
	const struct sizing_guest wide = {
		.memory_mb = 1024, .vcpus = 32, .vbds = 1, .vnifs = 1, .count = 1
	};

	(void)state;
	/* 1088 + 10 * (1280 + 2 * (2 * 704 + 512)) = 52288 KiB = 51.06 MB, rounded up */
	assert_int_equal(sizing_backend(&few, 1), 511);
	/* and 1280 KiB: 53568 KiB = 52.31 MB */
	assert_int_equal(sizing_backend(two, 2), 524);
	/* 10 * 2 * 2 rings of 8 MB */
	assert_int_equal(sizing_backend_max(&few, 1), 511 + 3200);
	/* 8 rings, not 32: 1088 + 1280 + 8 * (704 + 512) = 12096 KiB */
	assert_int_equal(sizing_backend(&wide, 1), 119);
	assert_int_equal(sizing_backend_max(&wide, 1), 119 + 640);
	assert_int_equal(sizing_backend(NULL, 0), 11);

	/* 16 MB a guest and the drivers' part, for a guest of one vCPU with all there may be */
	for (uint32_t vbds = 0; vbds <= SIZING_GUEST_VBDS_MAX; vbds++)
		for (uint32_t vnifs = 0; vnifs <= SIZING_GUEST_VNIFS_MAX; vnifs++) {
			const struct sizing_guest g = { .memory_mb = 512,
							.vcpus = 1,
							.vbds = vbds,
							.vnifs = vnifs,
							.count = 60 };
			struct sizing s;

			sizing_host(&g, 1, 0, 0, 512, &s);
			assert_true(sizing_backend(&g, 1) <= 60 * 160 + s.dom0_devices);
		}
}

/* The least memory is enough, and a MB less is not. */
static void test_least(void **state)
{
	static const uint32_t counts[] = { 1, 2, 7, 60 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(counts); i++)
		for (uint64_t mb = 64; mb < 5000; mb += 37) {
			const struct sizing_guest g = { .memory_mb = mb,
							.vcpus = 3,
							.vbds = 1,
							.vnifs = 1,
							.count = counts[i] };
			struct sizing s, t;
			uint64_t least;

			sizing_host(&g, 1, 0, 0, 512, &s);
			least = sizing_installed_min(&s);
			sizing_host(&g, 1, least, 0, 512, &t);
			assert_true(t.left >= 0);
			sizing_host(&g, 1, least - 1, 0, 512, &t);
			assert_true(t.left < 0);
		}
}

/* 60 guests of 256 GB do not overflow. */
static void test_large(void **state)
{
	const struct sizing_guest g = {
		.memory_mb = SIZING_GUEST_MAX_MB, .vcpus = 32, .vbds = 16, .vnifs = 10, .count = 60
	};
	struct sizing s;

	(void)state;
	sizing_host(&g, 1, SIZING_MAX_MB, 0, 512, &s);
	assert_int_equal(s.guests, UINT64_C(60) * (2621440 + 80 + 320 + 20480));
	assert_int_equal(s.hypervisor, 320 + SIZING_MAX_MB * 10 / 64);
	assert_true(s.left > 0);
}

static void test_vdev(void **state)
{
	static const struct {
		const char *name;
		int r;
		struct vdev v;
	} cases[] = {
		{ "hda", 0, { VDEV_HD, 0, 0 } },
		{ "hda2", 0, { VDEV_HD, 0, 2 } },
		{ "xvdp", 0, { VDEV_XVD, 15, 0 } },
		{ "xvdz", 0, { VDEV_XVD, 25, 0 } },
		{ "xvdaa", 0, { VDEV_XVD, 26, 0 } },
		{ "xvdaa255", 0, { VDEV_XVD, 26, 255 } },
		{ "sdb15", 0, { VDEV_SD, 1, 15 } },
		{ "d0", 0, { VDEV_NUMBERED, 0, 0 } },
		{ "d1048575p255", 0, { VDEV_NUMBERED, 1048575, 255 } },
		{ "sdb16", -ERANGE, { 0 } },
		{ "xvda256", -ERANGE, { 0 } },
		{ "xvda0", -ERANGE, { 0 } },
		{ "hdu", -ERANGE, { 0 } },
		{ "d1048576", -ERANGE, { 0 } },
		{ "xvdzzzzzzzzzz", -ERANGE, { 0 } },
		{ "xvd", -EINVAL, { 0 } },
		{ "xvdA", -EINVAL, { 0 } },
		{ "xvda1x", -EINVAL, { 0 } },
		{ "vda", -EINVAL, { 0 } },
		{ "d", -EINVAL, { 0 } },
		{ "d1q1", -EINVAL, { 0 } },
		{ "", -EINVAL, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct vdev v = { 0 };
		int r = vdev_parse(cases[i].name, &v);

		if (r != cases[i].r || v.kind != cases[i].v.kind || v.disk != cases[i].v.disk ||
		    v.partition != cases[i].v.partition)
			fail_msg("%s: %d, %u %u", cases[i].name, r, v.disk, v.partition);
	}
}

static void test_cpulist(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t mask; /* of the first 64 */
	} cases[] = {
		{ "1,3", 0, 0xa },         { "1-3", 0, 0xe },        { "0-2,5", 0, 0x27 },
		{ "0-7,^3", 0, 0xf7 },     { "all", 0, UINT64_MAX }, { "^0", 0, UINT64_MAX - 1 },
		{ " 1 , 2 ", 0, 6 },       { "", -EINVAL, 0 },       { "1,", -EINVAL, 0 },
		{ ",1", -EINVAL, 0 },      { "1,,2", -EINVAL, 0 },   { "2-1", -EINVAL, 0 },
		{ "a", -EINVAL, 0 },       { "1-", -EINVAL, 0 },     { "1024", -ERANGE, 0 },
		{ "node:0", -ENOTSUP, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		uint64_t mask[CPULIST_MAX / 64] = { 0 };
		int r = cpulist_parse(cases[i].text, CPULIST_MAX, mask);

		if (r != cases[i].r || mask[0] != cases[i].mask)
			fail_msg("%s: %d, %llx", cases[i].text, r, (unsigned long long)mask[0]);
	}
	for (size_t i = 0; i < 2; i++) {
		uint64_t mask[CPULIST_MAX / 64];

		assert_int_equal(cpulist_parse(i ? "all,^0" : "^0", 16, mask), 0);
		assert_int_equal(mask[0], 0xfffe);
		assert_int_equal(mask[CPULIST_MAX / 64 - 1], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest),   cmocka_unit_test(test_host),
		cmocka_unit_test(test_least),   cmocka_unit_test(test_large),
		cmocka_unit_test(test_backend), cmocka_unit_test(test_vdev),
		cmocka_unit_test(test_cpulist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
