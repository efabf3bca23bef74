/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes in a slot, any descriptors: whatever is accepted stays within its
 * pages and within the disk.
 *
 * Input: options, size of the disk, slot, descriptors.
 */
#include "fuzz.h"
#include "worker/request.h"

#include <xen/io/blkif.h>

static void check_range(const struct request *req, const struct request_limits *limits)
{
	MUST_HOLD(req->nr_sectors > 0);
	MUST_HOLD(req->nr_sectors <= limits->sectors);
	MUST_HOLD(req->sector <= limits->sectors - req->nr_sectors);
	MUST_HOLD(req->sector * 512 % limits->logical_block == 0);
	MUST_HOLD(req->nr_sectors * 512 % limits->logical_block == 0);
}

static void check_segments(const struct request *req, const struct request_segment *seg,
			   const struct request_limits *limits)
{
	uint64_t sum = 0;

	MUST_HOLD(req->nr_segments <= (req->indirect ? limits->max_indirect : ABI_MAX_DIRECT));
	MUST_HOLD(req->data_op == BLKIF_OP_READ || req->data_op == BLKIF_OP_WRITE);
	MUST_HOLD(!limits->readonly || req->data_op == BLKIF_OP_READ);
	for (unsigned int i = 0; i < req->nr_segments; i++) {
		MUST_HOLD(seg[i].first <= seg[i].last && seg[i].last <= 7);
		sum += seg[i].last - seg[i].first + 1u;
	}
	MUST_HOLD(sum == req->nr_sectors);
	MUST_HOLD(sum <= ABI_MAX_SEGMENTS * 8);
	check_range(req, limits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t options = take_u8(&in);
	struct request_limits limits = {
		.logical_block = options & 1 ? 4096 : 512,
		.readonly = options & 2,
		.discard = options & 4,
		.secure_discard = options & 8,
		.max_indirect = options & 16   ? 256
				: options & 32 ? 32
					       : 0,
		.sectors = take_u32(&in),
	};
	/* on the heap, so that a byte too far is noticed */
	uint8_t *slot = malloc(ABI_MAX_SLOT);
	char *why = malloc(REQUEST_WHY_SIZE);
	struct request_segment *segs = NULL;
	struct request req;
	int r;

	take_bytes(&in, slot, ABI_MAX_SLOT);
	request_parse(abi_get(options & 64 ? WORKER_ABI_X86_32 : WORKER_ABI_X86_64), slot, &req);
	free(slot);
	MUST_HOLD(request_op_name(req.op));

	r = request_check(&req, &limits, why);
	MUST_HOLD(r <= 0);
	if (r != BLKIF_RSP_OKAY)
		goto out;
	if (req.op == BLKIF_OP_DISCARD) {
		MUST_HOLD(!limits.readonly && limits.discard);
		MUST_HOLD(!req.secure || limits.secure_discard);
		check_range(&req, &limits);
		goto out;
	}

	segs = malloc((req.nr_segments + 1u) * sizeof(*segs));
	if (req.indirect) {
		uint8_t *raw = malloc(req.nr_segments * ABI_SEGMENT_SIZE);

		MUST_HOLD(request_indirect_pages(&req) >= 1);
		MUST_HOLD(request_indirect_pages(&req) <= ABI_MAX_INDIRECT_PAGES);
		take_bytes(&in, raw, req.nr_segments * ABI_SEGMENT_SIZE);
		request_parse_segments(raw, req.nr_segments, segs);
		free(raw);
	} else {
		memcpy(segs, req.direct, req.nr_segments * sizeof(*segs));
	}
	r = request_check_segments(&req, segs, &limits, why);
	if (r == BLKIF_RSP_OKAY && req.nr_segments)
		check_segments(&req, segs, &limits);
out:
	if (r != BLKIF_RSP_OKAY)
		MUST_HOLD(strlen(why) > 0 && strlen(why) < REQUEST_WHY_SIZE);
	free(segs);
	free(why);
	return 0;
}
