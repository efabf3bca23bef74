/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the frontend of a disk publishes about its rings. All of it is the guest's word and
 * is bounded here; the grants and ports themselves can only be tried.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "control/keys.h"
#include "worker/proto.h"

/* What we offered: the frontend may not go beyond. */
struct disk_limits {
	uint32_t max_queues;
	uint32_t max_ring_page_order;
	uint32_t max_indirect_segments;
	bool persistent;
};

/*
 * disk_frontend_parse - read and check the rings of a frontend (blkif.h: "Frontend
 * XenBus Nodes", "Multi-page ring buffers", "Multi-queue")
 * @ret: filled but for `reattach`
 * @error: one line that names key and value
 *
 * Errors: -EINVAL with @error, or what @read returned.
 */
int disk_frontend_parse(keys_read_fn read, void *userdata, const struct disk_limits *limits,
			struct worker_connect *ret, char *error, size_t error_size);
