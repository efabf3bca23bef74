// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vbd/vdev.c"

struct good {
	u32 vdev;
	const char *name;
	s32 minor;
	u32 minors;
};

/* docs/misc/vbd-interface of Xen, and the numbers xl computes from names. */
static const struct good goods[] = {
	/* xvda to xvdp: 202 << 8 | disk << 4 | partition */
	{ 51712, "xvda", 0, 16 },
	{ 51713, "xvda1", 1, 1 },
	{ 51727, "xvda15", 15, 1 },
	{ 51728, "xvdb", 16, 16 },
	{ 51744, "xvdc", 32, 16 },
	{ 51745, "xvdc1", 33, 1 },
	{ 51952, "xvdp", 240, 16 },
	{ 51967, "xvdp15", 255, 1 },
	/* IDE: hda, hdb on major 3, hdc, hdd on major 22, 64 minors each */
	{ 768, "xvda", 0, 16 },
	{ 769, "xvda1", 1, 1 },
	{ 783, "xvda15", 15, 1 },
	{ 784, "xvda16", -1, 1 },
	{ 831, "xvda63", -1, 1 },
	{ 832, "xvdb", 16, 16 },
	{ 833, "xvdb1", 17, 1 },
	{ 5632, "xvdc", 32, 16 },
	{ 5696, "xvdd", 48, 16 },
	{ 5759, "xvdd63", -1, 1 },
	/* SCSI: sda to sdp on major 8, then the later majors */
	{ 2048, "xvda", 0, 16 },
	{ 2049, "xvda1", 1, 1 },
	{ 2064, "xvdb", 16, 16 },
	{ 2288, "xvdp", 240, 16 },
	{ 65 << 8, "xvdq", 256, 16 },
	{ 66 << 8, "xvdag", 512, 16 },
	{ 71 << 8 | 240, "xvddx", 2032, 16 },
	{ 128 << 8, "xvddy", 2048, 16 },
	{ 135 << 8 | 240, "xvdiv", 4080, 16 },
	{ 135 << 8 | 255, "xvdiv15", 4095, 1 },
	/* extended: 1 << 28 | disk << 8 | partition */
	{ 1 << 28, "xvda", 0, 256 },
	{ 1 << 28 | 16 << 8, "xvdq", 4096, 256 },
	{ 1 << 28 | 16 << 8 | 1, "xvdq1", 4097, 1 },
	{ 1 << 28 | 16 << 8 | 255, "xvdq255", 4351, 1 },
	{ 1 << 28 | 25 << 8, "xvdz", 6400, 256 },
	{ 1 << 28 | 26 << 8, "xvdaa", 6656, 256 },
	{ 1 << 28 | 27 << 8 | 3, "xvdab3", 6915, 1 },
	{ 1 << 28 | 701 << 8, "xvdzz", 701 << 8, 256 },
	{ 1 << 28 | 702 << 8, "xvdaaa", 702 << 8, 256 },
	/* the last that fits 20 bits of minor numbers, and the first that does not */
	{ 1 << 28 | 4095 << 8, "xvdfan", 4095 << 8, 256 },
	{ 1 << 28 | 4096 << 8, "xvdfao", -1, 256 },
	{ 0x1fffff00, "xvdbgqcv", -1, 256 },
};

static void good_name(const struct good *g, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u is %s", g->vdev, g->name);
}

KUNIT_ARRAY_PARAM(good, goods, good_name);

static void decode(struct kunit *test)
{
	const struct good *g = test->param_value;
	struct xvbd_vdev v;
	char name[32];

	KUNIT_ASSERT_EQ(test, xvbd_vdev_decode(g->vdev, &v), 0);
	KUNIT_ASSERT_EQ(test, xvbd_vdev_name(&v, name, sizeof(name)), 0);
	KUNIT_EXPECT_STREQ(test, name, g->name);
	KUNIT_EXPECT_EQ(test, v.minor, g->minor);
	KUNIT_EXPECT_EQ(test, v.minors, g->minors);
}

static void refuse(struct kunit *test)
{
	static const u32 bad[] = {
		0, 1, 255, 256,			/* no such majors */
		4 << 8, 7 << 8, 9 << 8,
		23 << 8, 64 << 8, 72 << 8, 127 << 8, 136 << 8,
		3 << 8 | 128, 3 << 8 | 255,	/* an IDE channel has two disks */
		22 << 8 | 128, 22 << 8 | 192,
		201 << 8, 203 << 8,
		203 << 8 | 1, 1 << 20, (1 << 28) - 1,
		2u << 28, 3u << 28, 0x80000000, 0xffffffff,	/* reserved */
	};
	struct xvbd_vdev v;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, xvbd_vdev_decode(bad[i], &v), -EINVAL, "%u", bad[i]);
}

/* A name that does not fit is refused, never cut. */
static void name_fits_or_not(struct kunit *test)
{
	struct xvbd_vdev v;
	char name[8];

	KUNIT_ASSERT_EQ(test, xvbd_vdev_decode(1 << 28 | 26 << 8 | 3, &v), 0);
	KUNIT_EXPECT_EQ(test, xvbd_vdev_name(&v, name, 7), 0);
	KUNIT_EXPECT_STREQ(test, name, "xvdaa3");
	KUNIT_EXPECT_EQ(test, xvbd_vdev_name(&v, name, 6), -ENAMETOOLONG);
	KUNIT_EXPECT_EQ(test, xvbd_vdev_name(&v, name, 1), -ENAMETOOLONG);
}

/* Every disk has a name of its own, and minors of its own. */
static void names_differ(struct kunit *test)
{
	char name[32], last[32] = "";
	s32 end = 0;
	u32 disk;

	for (disk = 0; disk < 4096; disk++) {
		struct xvbd_vdev v;

		KUNIT_ASSERT_EQ(test, xvbd_vdev_decode(1 << 28 | disk << 8, &v), 0);
		KUNIT_ASSERT_EQ(test, xvbd_vdev_name(&v, name, sizeof(name)), 0);
		KUNIT_EXPECT_NE(test, strcmp(name, last), 0);
		KUNIT_EXPECT_TRUE(test, strlen(name) > strlen(last) || strcmp(name, last) > 0);
		KUNIT_EXPECT_EQ(test, v.minor, end);
		end = v.minor + v.minors;
		strscpy(last, name, sizeof(last));
	}
}

static struct kunit_case vdev_cases[] = {
	KUNIT_CASE_PARAM(decode, good_gen_params),
	KUNIT_CASE(refuse),
	KUNIT_CASE(name_fits_or_not),
	KUNIT_CASE(names_differ),
	{}
};

static struct kunit_suite vdev_suite = {
	.name = "xen-vbd-vdev",
	.test_cases = vdev_cases,
};

kunit_test_suite(vdev_suite);
