/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A blkif request, parsed from a private copy of its slot and checked against
 * the disk. Pure: touches neither ring nor grants, so the fuzzer drives it.
 *
 * Order of use: request_parse(), request_check(), then for an indirect request
 * request_parse_segments() on the copied descriptor pages, and last
 * request_check_segments().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/abi.h"

#define REQUEST_WHY_SIZE 128

struct request_segment {
	uint32_t gref;
	uint8_t first; /* first and last 512-byte sector within the page, inclusive */
	uint8_t last;
};

struct request {
	uint8_t op;      /* BLKIF_OP_*, as on the wire */
	uint8_t data_op; /* BLKIF_OP_READ or _WRITE when data moves, 0xff else */
	bool secure;     /* BLKIF_DISCARD_SECURE */
	bool indirect;
	uint16_t nr_segments; /* as on the wire until request_check() accepted it */
	uint64_t id;          /* opaque, echoed */
	uint64_t sector;      /* first 512-byte sector */
	uint64_t nr_sectors;  /* discard: from the wire; data: after request_check_segments() */
	uint32_t indirect_refs[ABI_MAX_INDIRECT_PAGES];
	struct request_segment direct[ABI_MAX_DIRECT];
};

/* What the disk allows; @sectors may change between requests (resize). */
struct request_limits {
	uint64_t sectors;       /* of 512 bytes */
	uint32_t logical_block; /* bytes; transfers are multiples of it */
	uint32_t max_indirect;  /* segments, 0: indirect requests were not offered */
	bool readonly;
	bool discard;
	bool secure_discard;
};

/* Parse the copy of a slot. Takes any bytes: judging them is request_check()'s part. */
void request_parse(const struct abi *abi, const uint8_t slot[static ABI_MAX_SLOT],
		   struct request *ret);

/*
 * request_check - judge everything but the segments
 * @why: one clause that names the refused value
 *
 * Returns BLKIF_RSP_OKAY, or the status to answer the request with. After OKAY
 * nr_segments is within bounds for the operation.
 */
int request_check(const struct request *req, const struct request_limits *limits,
		  char why[static REQUEST_WHY_SIZE]);

/* Descriptor pages that an accepted indirect request has. */
static inline uint32_t request_indirect_pages(const struct request *req)
{
	return (req->nr_segments + ABI_SEGMENTS_PER_PAGE - 1) / ABI_SEGMENTS_PER_PAGE;
}

/* Parse @n segment descriptors; the layout is that of both ABIs. */
void request_parse_segments(const uint8_t *bytes, size_t n, struct request_segment *ret);

/*
 * request_check_segments - judge the segments and the range on the disk
 * @segs: @req->nr_segments of them
 *
 * On OKAY sets @req->nr_sectors, the sum of the segments. Status as above.
 */
int request_check_segments(struct request *req, const struct request_segment *segs,
			   const struct request_limits *limits, char why[static REQUEST_WHY_SIZE]);

/* "read", "write", ... or "unknown". */
const char *request_op_name(uint8_t op);
