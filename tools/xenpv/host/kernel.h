/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seam to dom0's kernel: what it counts for guests' devices. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vbd_counters {
	uint64_t reads, writes; /* requests */
	uint64_t others;        /* requests that waited for memory, as xentop's VBD_OO */
	uint64_t flushes, discards;
	uint64_t read_bytes, written_bytes;
	uint64_t errors;
	bool has_errors;
	/* what only xenpv-backendd counts */
	bool has_queue;
	uint64_t in_flight, busy_us; /* sum of the times that requests took */
};

struct vif_counters {
	uint64_t sent_bytes, received_bytes; /* as the guest sees it */
	uint64_t sent_packets, received_packets;
	uint64_t errors, dropped; /* both ways */
	/* what only xenpv-backendd counts */
	bool has_stalls;
	uint64_t stalls;  /* times the guest gave no buffers for long */
	uint64_t stalled; /* queues for which it gives none now */
};

/* -ENOENT: the kernel does not serve this device */
int kernel_vbd(uint32_t domid, uint32_t devid, struct vbd_counters *ret);
int kernel_vif(uint32_t domid, uint32_t handle, struct vif_counters *ret);
