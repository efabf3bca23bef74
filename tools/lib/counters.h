/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker has done for one device: a file in the runtime directory of xenpv-backendd
 * that the worker maps and whoever wants to know reads. Nobody is asked, so nobody is woken,
 * and a worker or broker that dies takes nothing along: the next one goes on counting.
 *
 * File layout, native byte order: struct counters_head in the first block, then a block of
 * COUNTERS_STRIDE bytes for each ring or queue, which its thread alone writes.
 *
 * The worker may be in the hands of a guest. So readers never map the file (it could be cut
 * short under them), and take nothing but numbers from it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/log.h"

#define COUNTERS_MAGIC   UINT64_C(0x73746e7565767058) /* "Xpveunts" in memory */
#define COUNTERS_VERSION 1
#define COUNTERS_STRIDE  256
#define COUNTERS_BLOCKS  32

enum counters_kind {
	COUNTERS_DISK,
	COUNTERS_VIF,
	_COUNTERS_KIND_MAX,
};

/* One ring of a disk. Sums since the disk was attached, but for the gauges. */
struct disk_counts {
	/* requests that were answered, each in one of these; a barrier with data is a write */
	uint64_t reads, writes, flushes, discards;
	uint64_t sectors_read, sectors_written; /* of 512 bytes, by requests that succeeded */
	uint64_t errors;                        /* requests that were answered with an error */
	uint64_t busy_ns;                       /* from taking a request to its answer, summed */
	uint64_t in_flight;                     /* gauge: taken and not answered */
	uint64_t events_received;
	uint64_t events_sent;
	uint64_t polls;        /* passes that found work without an event */
	uint64_t grant_copies; /* batched copy calls */
	uint64_t grant_maps;   /* map calls */
	uint64_t grant_unmaps;
	uint64_t persistent_hits;
	uint64_t replayed; /* requests taken up from a journal */
};

/* One queue of an interface. tx: from the guest. */
struct vif_counts {
	uint64_t tx_packets, tx_bytes, tx_dropped, tx_errors;
	uint64_t rx_packets, rx_bytes, rx_dropped;
	uint64_t rx_stalls;  /* times the guest gave no buffers for long */
	uint64_t rx_stalled; /* gauge: 1 as long as it does not */
	uint64_t events_received;
	uint64_t events_sent;
	uint64_t polls;         /* passes that found work without an event */
	uint64_t grant_copies;  /* batched copy calls */
	uint64_t static_hits;   /* slots served through a static grant mapping */
	uint64_t static_grants; /* gauge: mappings at present; in answers to STATS only */
	uint64_t rate_delays;   /* times the limit held a queue */
	uint64_t delays;        /* sleeps that listened neither to the tap nor to the guest */
};

union counters_block {
	struct disk_counts disk;
	struct vif_counts vif;
	uint64_t word[COUNTERS_STRIDE / sizeof(uint64_t)];
};

struct counters_head {
	uint64_t magic;
	uint32_t version;
	uint32_t kind;   /* enum counters_kind */
	uint32_t blocks; /* in use now or ever */
	uint32_t pad[59];
};

struct counters_file {
	struct counters_head head;
	union counters_block block[COUNTERS_BLOCKS];
};

/* Counters as the worker writes them, mapped. All zero: none. */
struct counters {
	struct counters_file *file;
};

/*
 * counters_open - go on with the counters in a file, or begin at 0 if it has none
 * @c: empty, or open with fewer blocks
 * @fd: not taken over
 * @blocks: how many are going to be used, 1..COUNTERS_BLOCKS
 * @about: for the log
 *
 * What cannot be kept in the file is counted all the same, for nobody to see, and the log
 * says why. Gauges of the blocks are 0. Errors: -ENOMEM.
 */
int counters_open(struct counters *c, int fd, enum counters_kind kind, uint32_t blocks,
		  const struct log_about *about);
void counters_close(struct counters *c);

/* All blocks of a device added up. */
void counters_sum(const struct counters_file *file, union counters_block *ret);

/*
 * counters_read - read the file of another process
 * @dir: descriptor of the directory
 * @name: without a slash
 * @ret: undefined on failure
 *
 * On success @ret->head.blocks is within bounds, and numbers are all that may be wrong.
 * Errors: -EINVAL (@name), -EBADMSG (not such a file), others of openat(2) and pread(2).
 */
int counters_read(int dir, const char *name, enum counters_kind kind, struct counters_file *ret);
