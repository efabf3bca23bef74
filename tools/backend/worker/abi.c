/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/abi.h"

#include <xen/io/blkif.h>

#include "host/host.h"

static const struct abi abi_x86_32 = {
	.slot_size = 108,
	.id = 4,
	.sector = 12,
	.segments = 20,
	.discard_sectors = 20,
	.indirect_refs = 24,
	.response_op = 8,
	.response_status = 10,
};

static const struct abi abi_x86_64 = {
	.slot_size = 112,
	.id = 8,
	.sector = 16,
	.segments = 24,
	.discard_sectors = 24,
	.indirect_refs = 28,
	.response_op = 8,
	.response_status = 10,
};

_Static_assert(ABI_MAX_DIRECT == BLKIF_MAX_SEGMENTS_PER_REQUEST, "direct segments");
_Static_assert(ABI_MAX_INDIRECT_PAGES == BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST, "indirect pages");
_Static_assert(ABI_SEGMENT_SIZE == sizeof(struct blkif_request_segment), "segment");
_Static_assert(ABI_SEGMENTS_PER_PAGE == HOST_PAGE_SIZE / ABI_SEGMENT_SIZE, "indirect page");
_Static_assert(ABI_MAX_SEGMENTS <= ABI_MAX_INDIRECT_PAGES * ABI_SEGMENTS_PER_PAGE, "segments");

#ifdef __x86_64__
/* The public header, compiled here, has the x86_64 layout: it checks the table. */
_Static_assert(sizeof(union blkif_sring_entry) == 112, "x86_64 slot");
_Static_assert(offsetof(struct blkif_request, id) == 8, "x86_64 id");
_Static_assert(offsetof(struct blkif_request, sector_number) == 16, "x86_64 sector");
_Static_assert(offsetof(struct blkif_request, seg) == 24, "x86_64 segments");
_Static_assert(offsetof(struct blkif_request_discard, nr_sectors) == 24, "x86_64 discard");
_Static_assert(offsetof(struct blkif_request_indirect, indirect_grefs) == 28, "x86_64 indirect");
_Static_assert(offsetof(struct blkif_response, operation) == 8, "response operation");
_Static_assert(offsetof(struct blkif_response, status) == 10, "response status");
_Static_assert(offsetof(struct blkif_sring, ring) == ABI_RING_HEADER, "ring header");
#endif

const struct abi *abi_get(uint32_t which)
{
	switch (which) {
	case WORKER_ABI_NATIVE:
#if defined(__i386__)
		return &abi_x86_32;
#else
		return &abi_x86_64;
#endif
	case WORKER_ABI_X86_32:
		return &abi_x86_32;
	case WORKER_ABI_X86_64:
		return &abi_x86_64;
	default:
		return NULL;
	}
}

uint32_t abi_ring_slots(const struct abi *abi, uint32_t pages)
{
	uint32_t fit, slots = 1;

	if (pages == 0 || pages > WORKER_MAX_RING_PAGES || (pages & (pages - 1)))
		return 0;
	fit = (pages * HOST_PAGE_SIZE - ABI_RING_HEADER) / abi->slot_size;
	while (slots * 2 <= fit)
		slots *= 2;
	return slots;
}
