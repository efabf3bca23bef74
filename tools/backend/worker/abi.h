/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the fields of a blkif request and response lie in a ring slot, for the
 * two ABIs of x86 (xen/io/protocols.h). The structures of blkif.h have the
 * layout of the compiling machine only, so the offsets are written out: 64-bit
 * fields are aligned to 8 bytes for x86_64 and to 4 for x86_32.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "worker/proto.h"

#define ABI_SECTOR_SIZE        512u /* unit of every sector field, blkif.h */
#define ABI_SECTORS_PER_PAGE   8u   /* of a 4 KiB grant */
#define ABI_MAX_SLOT           112u /* the larger of the two slot sizes */
#define ABI_RING_HEADER        64u  /* indices and padding before the first slot, ring.h */
#define ABI_SEGMENT_SIZE       8u   /* gref, first_sect, last_sect, 2 bytes of padding */
#define ABI_MAX_DIRECT         11u  /* BLKIF_MAX_SEGMENTS_PER_REQUEST */
#define ABI_MAX_INDIRECT_PAGES 8u   /* BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST */
#define ABI_SEGMENTS_PER_PAGE  512u /* descriptors in one indirect page */
#define ABI_MAX_SEGMENTS       256u /* what this backend accepts in one request */

struct abi {
	uint32_t slot_size;
	/* struct blkif_request; operation is byte 0 and nr_segments byte 1 in both */
	uint32_t id;
	uint32_t sector;
	uint32_t segments;
	/* struct blkif_request_discard; flag is byte 1 */
	uint32_t discard_sectors;
	/* struct blkif_request_indirect; indirect_op is byte 1, nr_segments bytes 2..3 */
	uint32_t indirect_refs;
	/* struct blkif_response; the id is at 0 */
	uint32_t response_op;
	uint32_t response_status;
};

/* The layout for @which, NULL for a value that is no ABI. */
const struct abi *abi_get(uint32_t which);

/*
 * Slots in a ring of @pages pages: what fits after the header, rounded down to
 * a power of two (ring.h, __RING_SIZE). 0 for a page count that is not allowed.
 */
uint32_t abi_ring_slots(const struct abi *abi, uint32_t pages);
