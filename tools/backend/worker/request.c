/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/blkif.h>

#define NO_DATA 0xff

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

void request_parse_segments(const uint8_t *bytes, size_t n, struct request_segment *ret)
{
	for (size_t i = 0; i < n; i++, bytes += ABI_SEGMENT_SIZE) {
		ret[i].gref = get32(bytes);
		ret[i].first = bytes[4];
		ret[i].last = bytes[5];
	}
}

void request_parse(const struct abi *abi, const uint8_t slot[static ABI_MAX_SLOT],
		   struct request *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->op = slot[0];
	ret->data_op = NO_DATA;
	ret->id = get64(slot + abi->id);
	ret->sector = get64(slot + abi->sector);

	switch (ret->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
		ret->nr_segments = slot[1];
		if (ret->op == BLKIF_OP_READ)
			ret->data_op = BLKIF_OP_READ;
		else if (ret->nr_segments)
			ret->data_op = BLKIF_OP_WRITE;
		request_parse_segments(slot + abi->segments, ABI_MAX_DIRECT, ret->direct);
		break;
	case BLKIF_OP_DISCARD:
		ret->secure = slot[1] & BLKIF_DISCARD_SECURE;
		ret->nr_sectors = get64(slot + abi->discard_sectors);
		break;
	case BLKIF_OP_INDIRECT:
		ret->indirect = true;
		ret->data_op = slot[1];
		ret->nr_segments = get16(slot + 2);
		for (size_t i = 0; i < ABI_MAX_INDIRECT_PAGES; i++)
			ret->indirect_refs[i] = get32(slot + abi->indirect_refs + 4 * i);
		break;
	default:
		break;
	}
}

__attribute__((format(printf, 3, 4))) static int refuse(char *why, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, REQUEST_WHY_SIZE, fmt, ap);
	va_end(ap);
	return status;
}

/* The range [sector, sector + nr) against the disk, in terms that cannot overflow. */
static int check_range(uint64_t sector, uint64_t nr, const struct request_limits *limits, char *why)
{
	uint32_t block = limits->logical_block / ABI_SECTOR_SIZE;

	if (nr > limits->sectors || sector > limits->sectors - nr)
		return refuse(why, BLKIF_RSP_ERROR,
			      "sectors %" PRIu64 "+%" PRIu64 " are beyond the end, %" PRIu64,
			      sector, nr, limits->sectors);
	if (block > 1 && (sector % block || nr % block))
		return refuse(why, BLKIF_RSP_ERROR,
			      "sectors %" PRIu64 "+%" PRIu64 " are not aligned to %u bytes", sector,
			      nr, limits->logical_block);
	return BLKIF_RSP_OKAY;
}

int request_check(const struct request *req, const struct request_limits *limits,
		  char why[static REQUEST_WHY_SIZE])
{
	switch (req->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		if (req->nr_segments < 1 || req->nr_segments > ABI_MAX_DIRECT)
			return refuse(why, BLKIF_RSP_ERROR, "%u segments, not 1..%u",
				      req->nr_segments, ABI_MAX_DIRECT);
		break;
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
		if (req->nr_segments > ABI_MAX_DIRECT)
			return refuse(why, BLKIF_RSP_ERROR, "%u segments, not 0..%u",
				      req->nr_segments, ABI_MAX_DIRECT);
		break;
	case BLKIF_OP_INDIRECT:
		if (!limits->max_indirect)
			return refuse(why, BLKIF_RSP_EOPNOTSUPP,
				      "indirect requests were not offered");
		if (req->data_op != BLKIF_OP_READ && req->data_op != BLKIF_OP_WRITE)
			return refuse(why, BLKIF_RSP_ERROR, "indirect operation %u", req->data_op);
		if (req->nr_segments < 1 || req->nr_segments > limits->max_indirect ||
		    req->nr_segments > ABI_MAX_SEGMENTS)
			return refuse(why, BLKIF_RSP_ERROR, "%u indirect segments, not 1..%u",
				      req->nr_segments, limits->max_indirect);
		break;
	case BLKIF_OP_DISCARD:
		if (limits->readonly)
			return refuse(why, BLKIF_RSP_ERROR, "discard on a read-only disk");
		if (!limits->discard)
			return refuse(why, BLKIF_RSP_EOPNOTSUPP, "discard was not offered");
		if (req->secure && !limits->secure_discard)
			return refuse(why, BLKIF_RSP_EOPNOTSUPP, "secure discard was not offered");
		if (!req->nr_sectors)
			return refuse(why, BLKIF_RSP_ERROR, "discard of 0 sectors");
		return check_range(req->sector, req->nr_sectors, limits, why);
	default:
		return refuse(why, BLKIF_RSP_EOPNOTSUPP, "operation %u", req->op);
	}

	if (req->data_op == BLKIF_OP_WRITE && limits->readonly)
		return refuse(why, BLKIF_RSP_ERROR, "write to a read-only disk");
	return BLKIF_RSP_OKAY;
}

int request_check_segments(struct request *req, const struct request_segment *segs,
			   const struct request_limits *limits, char why[static REQUEST_WHY_SIZE])
{
	uint64_t sum = 0;
	int r;

	for (unsigned int i = 0; i < req->nr_segments; i++) {
		/* XSA-513: last_sect past the page reads and writes beyond the mapping */
		if (segs[i].first > segs[i].last || segs[i].last >= ABI_SECTORS_PER_PAGE)
			return refuse(why, BLKIF_RSP_ERROR,
				      "segment %u: first_sect %u, last_sect %u, not 0..%u", i,
				      segs[i].first, segs[i].last, ABI_SECTORS_PER_PAGE - 1);
		sum += segs[i].last - segs[i].first + 1u;
	}

	if (req->nr_segments) {
		r = check_range(req->sector, sum, limits, why);
		if (r != BLKIF_RSP_OKAY)
			return r;
	}
	req->nr_sectors = sum;
	return BLKIF_RSP_OKAY;
}

const char *request_op_name(uint8_t op)
{
	static const char *const names[] = {
		[BLKIF_OP_READ] = "read",
		[BLKIF_OP_WRITE] = "write",
		[BLKIF_OP_WRITE_BARRIER] = "barrier",
		[BLKIF_OP_FLUSH_DISKCACHE] = "flush",
		[BLKIF_OP_RESERVED_1] = "reserved",
		[BLKIF_OP_DISCARD] = "discard",
		[BLKIF_OP_INDIRECT] = "indirect",
	};

	return op < sizeof(names) / sizeof(names[0]) ? names[op] : "unknown";
}
