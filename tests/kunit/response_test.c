// SPDX-License-Identifier: GPL-2.0-only
/* What a hostile backend may answer. */
#include "under_test.h"
#include "xen-vbd/response.c"

enum { QUEUES = 2, DEPTH = 4 };

static struct xvbd_slot slot_of[QUEUES * DEPTH];
static const struct xvbd_slots slots = { QUEUES, DEPTH, slot_of };

/* Queue 0 sends on ring 0, queue 1 on ring 1; what is in flight: */
static int set_up(struct kunit *test)
{
	memset(slot_of, 0, sizeof(slot_of));
	slot_of[0] = (struct xvbd_slot){ NULL, XVBD_SLOT_SENT, BLKIF_OP_READ, 0 };
	slot_of[1] = (struct xvbd_slot){ NULL, XVBD_SLOT_SENT, BLKIF_OP_WRITE, 0 };
	slot_of[2] = (struct xvbd_slot){ NULL, XVBD_SLOT_HELD, BLKIF_OP_READ, 0 };
	slot_of[4] = (struct xvbd_slot){ NULL, XVBD_SLOT_SENT, BLKIF_OP_DISCARD, 1 };
	slot_of[5] = (struct xvbd_slot){ NULL, XVBD_SLOT_SENT, BLKIF_OP_FLUSH_DISKCACHE, 1 };
	slot_of[6] = (struct xvbd_slot){ NULL, XVBD_SLOT_SENT, BLKIF_OP_WRITE_BARRIER, 1 };
	return 0;
}

#define Q1 BIT_ULL(XVBD_ID_TAG_BITS)

struct answer {
	const char *name;
	u16 ring;
	u64 id;
	u8 op;
	s16 status;
	enum xvbd_verdict verdict;
	const char *says;
};

static const struct answer answers[] = {
	{ "read", 0, 0, BLKIF_OP_READ, 0, XVBD_RSP_OK, "valid" },
	{ "read failed", 0, 0, BLKIF_OP_READ, BLKIF_RSP_ERROR, XVBD_RSP_OK, "valid" },
	{ "write", 0, 1, BLKIF_OP_WRITE, 0, XVBD_RSP_OK, "valid" },
	{ "discard", 1, Q1 | 0, BLKIF_OP_DISCARD, 0, XVBD_RSP_OK, "valid" },
	{ "discard unsupported", 1, Q1 | 0, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP, XVBD_RSP_OK,
	  "valid" },
	{ "flush", 1, Q1 | 1, BLKIF_OP_FLUSH_DISKCACHE, 0, XVBD_RSP_OK, "valid" },
	{ "barrier", 1, Q1 | 2, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_EOPNOTSUPP, XVBD_RSP_OK,
	  "valid" },

	{ "tag out of range", 0, DEPTH, BLKIF_OP_READ, 0, XVBD_RSP_BAD_ID, "unknown id 0x4" },
	{ "largest tag", 0, XVBD_MAX_DEPTH - 1, BLKIF_OP_READ, 0, XVBD_RSP_BAD_ID,
	  "unknown id 0xffff" },
	{ "queue out of range", 0, 2 * Q1, BLKIF_OP_READ, 0, XVBD_RSP_BAD_ID,
	  "unknown id 0x20000" },
	{ "queue beyond 16 bits", 0, Q1 << 16, BLKIF_OP_READ, 0, XVBD_RSP_BAD_ID,
	  "unknown id 0x100000000" },
	{ "queue beyond 32 bits", 0, 1ull << 48, BLKIF_OP_READ, 0, XVBD_RSP_BAD_ID,
	  "unknown id 0x1000000000000" },
	{ "all ones", 0, ~0ull, BLKIF_OP_READ, 0, XVBD_RSP_BAD_ID, "0xffffffffffffffff" },

	{ "never sent", 0, 3, BLKIF_OP_READ, 0, XVBD_RSP_NOT_SENT, "0x3, which is not in flight" },
	{ "answered before", 0, 2, BLKIF_OP_READ, 0, XVBD_RSP_NOT_SENT, "not in flight" },
	{ "never sent, wrong all over", 1, 3, 77, 77, XVBD_RSP_NOT_SENT, "not in flight" },

	{ "sent on another ring", 1, 0, BLKIF_OP_READ, 0, XVBD_RSP_WRONG_RING, "flight on ring 0" },
	{ "sent on another ring, the other way", 0, Q1 | 0, BLKIF_OP_DISCARD, 0,
	  XVBD_RSP_WRONG_RING, "flight on ring 1" },

	{ "write for a read", 0, 0, BLKIF_OP_WRITE, 0, XVBD_RSP_BAD_OP, "operation 1, expected 0" },
	{ "read for a write", 0, 1, BLKIF_OP_READ, 0, XVBD_RSP_BAD_OP, "operation 0, expected 1" },
	{ "indirect is not echoed", 0, 0, BLKIF_OP_INDIRECT, 0, XVBD_RSP_BAD_OP, "operation 6" },
	{ "reserved operation", 0, 0, 4, 0, XVBD_RSP_BAD_OP, "operation 4" },
	{ "no such operation", 0, 0, 255, 0, XVBD_RSP_BAD_OP, "operation 255" },
	{ "flush for a barrier", 1, Q1 | 2, BLKIF_OP_FLUSH_DISKCACHE, 0, XVBD_RSP_BAD_OP,
	  "operation 3, expected 2" },

	{ "positive status", 0, 0, BLKIF_OP_READ, 1, XVBD_RSP_BAD_STATUS, "unknown status 1" },
	{ "unknown negative status", 0, 0, BLKIF_OP_READ, -3, XVBD_RSP_BAD_STATUS,
	  "unknown status -3" },
	{ "an errno", 0, 0, BLKIF_OP_READ, -5, XVBD_RSP_BAD_STATUS, "unknown status -5" },
	{ "extreme status", 0, 0, BLKIF_OP_READ, -32768, XVBD_RSP_BAD_STATUS, "-32768" },
};

static void answer_name(const struct answer *a, char *desc)
{
	strscpy(desc, a->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(answer, answers, answer_name);

static void check(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct blkif_response rsp = { .id = a->id, .operation = a->op, .status = a->status };
	struct xvbd_slot before[QUEUES * DEPTH];
	struct xvbd_slot *slot;
	char text[96];

	memcpy(before, slot_of, sizeof(before));
	KUNIT_EXPECT_EQ(test, (int)xvbd_rsp_check(&slots, a->ring, &rsp, &slot), (int)a->verdict);
	KUNIT_EXPECT_EQ(test, !slot, a->verdict == XVBD_RSP_BAD_ID);
	/* Looking changes nothing. */
	KUNIT_EXPECT_EQ(test, memcmp(before, slot_of, sizeof(before)), 0);

	KUNIT_EXPECT_LT(test, xvbd_rsp_describe(a->verdict, &rsp, slot, text, sizeof(text)),
			(int)sizeof(text));
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, a->says), "'%s' lacks '%s'", text, a->says);
}

static void ids_are_ours(struct kunit *test)
{
	u32 queue, tag;

	for (queue = 0; queue < QUEUES; queue++)
		for (tag = 0; tag < DEPTH; tag++)
			KUNIT_EXPECT_PTR_EQ(test, xvbd_slot_get(&slots, xvbd_id(queue, tag)),
					    &slot_of[queue * DEPTH + tag]);
}

/* No 64-bit id leads outside of the table. */
static void no_id_leads_astray(struct kunit *test)
{
	u64 id = 1;
	u32 i;

	for (i = 0; i < 100000; i++) {
		struct xvbd_slot *slot;

		id = id * 6364136223846793005ull + 1442695040888963407ull;
		slot = xvbd_slot_get(&slots, i & 1 ? id : id >> (i % 64));
		if (slot)
			KUNIT_EXPECT_TRUE(test,
					  slot >= slot_of && slot < slot_of + QUEUES * DEPTH);
	}
}

/* A disk that is gone has no slots, and no answer is right. */
static void no_slots(struct kunit *test)
{
	static const struct xvbd_slots none;
	struct blkif_response rsp = { .id = 0, .operation = BLKIF_OP_READ, .status = 0 };
	struct xvbd_slot *slot;

	KUNIT_EXPECT_EQ(test, (int)xvbd_rsp_check(&none, 0, &rsp, &slot), (int)XVBD_RSP_BAD_ID);
}

static struct kunit_case response_cases[] = {
	KUNIT_CASE_PARAM(check, answer_gen_params),
	KUNIT_CASE(ids_are_ours),
	KUNIT_CASE(no_id_leads_astray),
	KUNIT_CASE(no_slots),
	{}
};

static struct kunit_suite response_suite = {
	.name = "xen-vbd-response",
	.init = set_up,
	.test_cases = response_cases,
};

kunit_test_suite(response_suite);
