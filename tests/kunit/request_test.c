// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
#include "xen-vbd/request.c"

#define MAX_PIECES 300

struct cut {
	const char *name;
	u32 max_segs, max_bytes;
	struct xvbd_seg piece[6];
	u32 nr;
	struct xvbd_seg expect[6];
	u32 nr_expect;
	u32 bytes;
};

static const struct cut cuts[] = {
	{ "one sector", 11, ~0u, { { 7, 0, 512 } }, 1, { { 7, 0, 512 } }, 1, 512 },
	{ "last sector of a page", 11, ~0u, { { 7, 3584, 512 } }, 1, { { 7, 3584, 512 } }, 1, 512 },
	{ "whole page", 11, ~0u, { { 7, 0, 4096 } }, 1, { { 7, 0, 4096 } }, 1, 4096 },
	{ "crossing a page", 11, ~0u, { { 7, 2048, 2048 }, { 8, 0, 2048 } }, 2,
	  { { 7, 2048, 2048 }, { 8, 0, 2048 } }, 2, 4096 },
	{ "neighbours in a page are one", 11, ~0u,
	  { { 7, 0, 512 }, { 7, 512, 512 }, { 7, 1024, 3072 } }, 3, { { 7, 0, 4096 } }, 1, 4096 },
	{ "a hole in a page", 11, ~0u, { { 7, 0, 512 }, { 7, 1024, 512 } }, 2,
	  { { 7, 0, 512 }, { 7, 1024, 512 } }, 2, 1024 },
	{ "backwards in a page", 11, ~0u, { { 7, 512, 512 }, { 7, 0, 512 } }, 2,
	  { { 7, 512, 512 }, { 7, 0, 512 } }, 2, 1024 },
	{ "same piece twice", 11, ~0u, { { 7, 0, 512 }, { 7, 0, 512 } }, 2,
	  { { 7, 0, 512 }, { 7, 0, 512 } }, 2, 1024 },
	{ "adjacent pages are two", 11, ~0u, { { 7, 0, 4096 }, { 8, 0, 4096 } }, 2,
	  { { 7, 0, 4096 }, { 8, 0, 4096 } }, 2, 8192 },
	{ "no more segments", 2, ~0u, { { 1, 0, 4096 }, { 2, 0, 4096 }, { 3, 0, 4096 } }, 3,
	  { { 1, 0, 4096 }, { 2, 0, 4096 } }, 2, 8192 },
	{ "the last segment may still grow", 2, ~0u,
	  { { 1, 0, 4096 }, { 2, 0, 512 }, { 2, 512, 512 }, { 3, 0, 512 } }, 4,
	  { { 1, 0, 4096 }, { 2, 0, 1024 } }, 2, 5120 },
	{ "bytes end within a piece", 11, 6144, { { 1, 0, 4096 }, { 2, 0, 4096 } }, 2,
	  { { 1, 0, 4096 }, { 2, 0, 2048 } }, 2, 6144 },
	{ "bytes end at a piece", 11, 4096, { { 1, 0, 4096 }, { 2, 0, 4096 } }, 2,
	  { { 1, 0, 4096 } }, 1, 4096 },
	{ "bytes end within a merged segment", 11, 1024,
	  { { 1, 0, 512 }, { 1, 512, 512 }, { 1, 1024, 512 } }, 3, { { 1, 0, 1024 } }, 1, 1024 },
	{ "bytes that are no whole sectors", 11, 1000, { { 1, 0, 4096 } }, 1, { { 1, 0, 512 } }, 1,
	  512 },
	{ "no bytes", 11, 0, { { 1, 0, 4096 } }, 1, {}, 0, 0 },
	{ "no segments", 0, ~0u, { { 1, 0, 4096 } }, 1, {}, 0, 0 },
	{ "4096-byte sectors in pieces of 512", 11, ~0u,
	  { { 1, 3584, 512 }, { 2, 0, 3584 } }, 2, { { 1, 3584, 512 }, { 2, 0, 3584 } }, 2, 4096 },
};

static void cut_name(const struct cut *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(cut, cuts, cut_name);

static void cutting(struct kunit *test)
{
	const struct cut *c = test->param_value;
	struct xvbd_cursor cur;
	struct xvbd_seg done;
	u32 i, n = 0, taken;

	xvbd_cursor_init(&cur, c->max_segs, c->max_bytes);
	for (i = 0; i < c->nr; i++) {
		enum xvbd_fed fed = xvbd_cursor_feed(&cur, &c->piece[i], &done, &taken);

		KUNIT_ASSERT_NE(test, (int)fed, (int)XVBD_FED_BAD);
		if (fed == XVBD_FED_CLOSED) {
			KUNIT_ASSERT_LT(test, n, c->nr_expect);
			KUNIT_EXPECT_EQ(test, memcmp(&done, &c->expect[n], sizeof(done)), 0);
			n++;
		}
		if (taken < c->piece[i].len)
			break;
	}
	if (xvbd_cursor_finish(&cur, &done)) {
		KUNIT_ASSERT_LT(test, n, c->nr_expect);
		KUNIT_EXPECT_EQ(test, memcmp(&done, &c->expect[n], sizeof(done)), 0);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, c->nr_expect);
	KUNIT_EXPECT_EQ(test, cur.segs, c->nr_expect);
	KUNIT_EXPECT_EQ(test, cur.bytes, c->bytes);
	KUNIT_EXPECT_FALSE(test, xvbd_cursor_finish(&cur, &done));
}

static void bad_pieces(struct kunit *test)
{
	static const struct xvbd_seg bad[] = {
		{ 1, 0, 0 },		/* nothing */
		{ 1, 1, 512 },		/* not at a sector */
		{ 1, 0, 511 },		/* not of sectors */
		{ 1, 0, 513 },
		{ 1, 256, 256 },
		{ 1, 3584, 1024 },	/* out of the page */
		{ 1, 4096, 512 },
		{ 1, 0, 4608 },
		{ 1, 0xfffffe00, 512 },	/* wraps */
		{ 1, 512, 0xfffffe00 },
	};
	struct xvbd_cursor cur;
	struct xvbd_seg done;
	u32 taken;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		xvbd_cursor_init(&cur, 11, ~0u);
		KUNIT_EXPECT_EQ_MSG(test, (int)xvbd_cursor_feed(&cur, &bad[i], &done, &taken),
				    (int)XVBD_FED_BAD, "case %zu", i);
		KUNIT_EXPECT_EQ(test, taken, 0u);
		KUNIT_EXPECT_EQ(test, cur.segs, 0u);
	}
}

/*
 * Any list of pieces: no limit is broken, every byte taken is in one segment,
 * in order, and counting finds the same segments as making them.
 */
static void any_pieces(struct kunit *test)
{
	struct xvbd_seg *piece = kunit_kcalloc(test, MAX_PIECES, sizeof(*piece), GFP_KERNEL);
	u32 round, seed = 99;

	KUNIT_ASSERT_NOT_NULL(test, piece);
	for (round = 0; round < 500; round++) {
		u32 nr = 1 + round % MAX_PIECES, i, n = 0, sum = 0, taken, total = 0;
		u32 max_segs, max_bytes;
		struct xvbd_cursor cur;
		struct xvbd_seg done;

		for (i = 0; i < nr; i++) {
			seed = seed * 1103515245 + 12345;
			piece[i].frame = seed >> 20 & 3;
			piece[i].offset = (seed >> 8 & 7) * 512;
			piece[i].len = 512 + (seed >> 12 & 7) * 512;
			if (piece[i].offset + piece[i].len > 4096)
				piece[i].len = 4096 - piece[i].offset;
			total += piece[i].len;
		}
		max_segs = 1 + (seed >> 16) % 300;
		max_bytes = seed & 1 ? ~0u : (seed >> 9) % (total + 1);

		xvbd_cursor_init(&cur, max_segs, max_bytes);
		for (i = 0; i < nr; i++) {
			if (xvbd_cursor_feed(&cur, &piece[i], &done, &taken) == XVBD_FED_CLOSED) {
				sum += done.len;
				n++;
				KUNIT_EXPECT_LE(test, done.offset + done.len, 4096u);
			}
			if (taken < piece[i].len)
				break;
		}
		if (xvbd_cursor_finish(&cur, &done)) {
			sum += done.len;
			n++;
		}
		KUNIT_EXPECT_EQ(test, n, cur.segs);
		KUNIT_EXPECT_LE(test, n, max_segs);
		KUNIT_EXPECT_EQ(test, sum, cur.bytes);
		KUNIT_EXPECT_LE(test, sum, max_bytes);
		KUNIT_EXPECT_EQ(test, sum % 512, 0u);
		if (i == nr)
			KUNIT_EXPECT_EQ(test, sum, total);
	}
}

static void segment_on_the_wire(struct kunit *test)
{
	static const struct {
		u32 offset, len;
		u8 first, last;
	} cases[] = {
		{ 0, 512, 0, 0 }, { 0, 4096, 0, 7 }, { 3584, 512, 7, 7 }, { 512, 1024, 1, 2 },
		{ 1024, 3072, 2, 7 },
	};
	struct blkif_request_segment wire;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xvbd_seg seg = { 5, cases[i].offset, cases[i].len };

		memset(&wire, 0xff, sizeof(wire));
		xvbd_fill_segment(&wire, &seg, 1234);
		KUNIT_EXPECT_EQ(test, wire.gref, (grant_ref_t)1234);
		KUNIT_EXPECT_EQ(test, wire.first_sect, cases[i].first);
		KUNIT_EXPECT_EQ(test, wire.last_sect, cases[i].last);
		/* nothing of ours leaks in the padding */
		KUNIT_EXPECT_EQ(test, ((u8 *)&wire)[6], (u8)0);
		KUNIT_EXPECT_EQ(test, ((u8 *)&wire)[7], (u8)0);
	}
}

static void direct(struct kunit *test)
{
	static const struct {
		u8 op;
		u32 segs;
		int ret;
	} cases[] = {
		{ BLKIF_OP_READ, 1, 0 }, { BLKIF_OP_READ, 11, 0 },
		{ BLKIF_OP_READ, 0, -EINVAL }, { BLKIF_OP_READ, 12, -EINVAL },
		{ BLKIF_OP_WRITE, 1, 0 }, { BLKIF_OP_WRITE, 11, 0 },
		{ BLKIF_OP_WRITE, 0, -EINVAL }, { BLKIF_OP_WRITE, 12, -EINVAL },
		{ BLKIF_OP_WRITE, 256, -EINVAL },
		{ BLKIF_OP_WRITE_BARRIER, 0, 0 }, { BLKIF_OP_WRITE_BARRIER, 11, 0 },
		{ BLKIF_OP_WRITE_BARRIER, 12, -EINVAL },
		{ BLKIF_OP_FLUSH_DISKCACHE, 0, 0 }, { BLKIF_OP_FLUSH_DISKCACHE, 1, -EINVAL },
		{ BLKIF_OP_DISCARD, 1, -EINVAL }, { BLKIF_OP_INDIRECT, 1, -EINVAL },
		{ 4, 1, -EINVAL }, { 255, 1, -EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xvbd_head head = {
			.id = 0x123456789abc, .sector = 0x100000001ull, .op = cases[i].op,
			.handle = 51712,
		};
		struct blkif_request req;

		memset(&req, 0, sizeof(req));
		KUNIT_EXPECT_EQ_MSG(test, xvbd_build_direct(&req, &head, cases[i].segs),
				    cases[i].ret, "case %zu", i);
		if (cases[i].ret)
			continue;
		KUNIT_EXPECT_EQ(test, req.operation, cases[i].op);
		KUNIT_EXPECT_EQ(test, (u32)req.u.rw.nr_segments, cases[i].segs);
		KUNIT_EXPECT_EQ(test, req.u.rw.id, head.id);
		KUNIT_EXPECT_EQ(test, req.u.rw.sector_number, head.sector);
		KUNIT_EXPECT_EQ(test, req.u.rw.handle, head.handle);
		KUNIT_EXPECT_EQ(test, xvbd_expected_op(&req), (int)cases[i].op);
	}
}

static void indirect(struct kunit *test)
{
	static const struct {
		u8 op;
		u32 segs;
		int ret;
	} cases[] = {
		{ BLKIF_OP_READ, 1, 0 }, { BLKIF_OP_READ, 12, 0 }, { BLKIF_OP_WRITE, 256, 0 },
		{ BLKIF_OP_WRITE, 0, -EINVAL }, { BLKIF_OP_WRITE, 257, -EINVAL },
		{ BLKIF_OP_WRITE, 512, -EINVAL }, { BLKIF_OP_WRITE, ~0u, -EINVAL },
		/* only reads and writes may be */
		{ BLKIF_OP_WRITE_BARRIER, 12, -EINVAL }, { BLKIF_OP_FLUSH_DISKCACHE, 12, -EINVAL },
		{ BLKIF_OP_DISCARD, 12, -EINVAL }, { BLKIF_OP_INDIRECT, 12, -EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xvbd_head head = { .id = 7, .sector = 8, .op = cases[i].op, .handle = 9 };
		struct blkif_request req;

		memset(&req, 0xff, sizeof(req));
		KUNIT_EXPECT_EQ_MSG(test, xvbd_build_indirect(&req, &head, cases[i].segs, 4321),
				    cases[i].ret, "case %zu", i);
		if (cases[i].ret)
			continue;
		KUNIT_EXPECT_EQ(test, req.operation, (u8)BLKIF_OP_INDIRECT);
		KUNIT_EXPECT_EQ(test, req.u.indirect.indirect_op, cases[i].op);
		KUNIT_EXPECT_EQ(test, (u32)req.u.indirect.nr_segments, cases[i].segs);
		KUNIT_EXPECT_EQ(test, req.u.indirect.id, head.id);
		KUNIT_EXPECT_EQ(test, req.u.indirect.sector_number, head.sector);
		KUNIT_EXPECT_EQ(test, req.u.indirect.handle, head.handle);
		KUNIT_EXPECT_EQ(test, req.u.indirect.indirect_grefs[0], (grant_ref_t)4321);
		/* the frames not used are not left to chance */
		KUNIT_EXPECT_EQ(test, req.u.indirect.indirect_grefs[1], (grant_ref_t)0);
		KUNIT_EXPECT_EQ(test, xvbd_expected_op(&req), (int)cases[i].op);
	}
}

/* The largest request needs one frame of segments, as indirect ones assume. */
static void one_frame_is_enough(struct kunit *test)
{
	KUNIT_EXPECT_LE(test, (size_t)XVBD_MAX_SEGMENTS, (size_t)XVBD_SEGS_PER_FRAME);
	KUNIT_EXPECT_EQ(test, sizeof(struct blkif_request_segment), (size_t)8);
	KUNIT_EXPECT_EQ(test, sizeof(struct blkif_request), (size_t)112);
}

static void discard(struct kunit *test)
{
	struct blkif_request req;

	memset(&req, 0xff, sizeof(req));
	xvbd_build_discard(&req, 5, 1ull << 40, 1ull << 33, true);
	KUNIT_EXPECT_EQ(test, req.operation, (u8)BLKIF_OP_DISCARD);
	KUNIT_EXPECT_EQ(test, req.u.discard.flag, (u8)BLKIF_DISCARD_SECURE);
	KUNIT_EXPECT_EQ(test, req.u.discard.id, 5ull);
	KUNIT_EXPECT_EQ(test, req.u.discard.sector_number, 1ull << 40);
	KUNIT_EXPECT_EQ(test, req.u.discard.nr_sectors, 1ull << 33);
	KUNIT_EXPECT_EQ(test, xvbd_expected_op(&req), BLKIF_OP_DISCARD);
	xvbd_build_discard(&req, 5, 0, 8, false);
	KUNIT_EXPECT_EQ(test, req.u.discard.flag, (u8)0);
}

static struct kunit_case request_cases[] = {
	KUNIT_CASE_PARAM(cutting, cut_gen_params),
	KUNIT_CASE(bad_pieces),
	KUNIT_CASE(any_pieces),
	KUNIT_CASE(segment_on_the_wire),
	KUNIT_CASE(direct),
	KUNIT_CASE(indirect),
	KUNIT_CASE(one_frame_is_enough),
	KUNIT_CASE(discard),
	{}
};

static struct kunit_suite request_suite = {
	.name = "xen-vbd-request",
	.test_cases = request_cases,
};

kunit_test_suite(request_suite);
