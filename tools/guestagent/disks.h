/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's vbds, below data/xenpv/device/vbd/<devid>:
 *
 *   (itself)  name= driver= version= size= read-only= queues= ring-order=
 *   rate      read-ops= write-ops= read-bytes= write-bytes= busy-permille= in-flight=
 *   errors    io= timeouts= of xenpv's own driver, where its figures may be read
 *   <N>       partition N, or 0 for the whole disk: name= size= type= label= uuid=
 *             mount= total= free=
 *
 * Sizes in bytes, rates per second over the last interval.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/xs.h"
#include "report.h"

/* Disks reported, and partitions of each. */
#define DISKS_MAX       64
#define PARTITIONS_MAX  16

#define DISK_NAME_BYTES 32

/* Counters of a disk at a moment, and what they say of the time between two. */
struct disk_sample {
	uint64_t reads, writes; /* requests */
	uint64_t read_bytes, written_bytes;
	uint64_t busy_msec;
	uint64_t in_flight;
};

struct disk_history {
	uint32_t devid;
	bool seen; /* by the look under way */
	bool has_rate;
	uint64_t when; /* microseconds, of @last */
	struct disk_sample last;
	struct disk_sample rate; /* per second; busy in a thousandth */
};

struct disk_content {
	char name[DISK_NAME_BYTES];
	uint64_t size;
	char *words; /* of fsprobe(); NULL if nothing was found */
};

/* Start with a zeroed one; disks_clear() frees what it holds. */
struct disks {
	struct disk_history history[DISKS_MAX];
	size_t n_history;
	/* Contents found before, so that a report reads no disk, which may hang. */
	struct disk_content *contents;
	size_t n_contents;
};

/*
 * disks_sample - look at the counters of all disks at @now, in microseconds
 *
 * To be called once an interval; rates are of the time between two calls.
 */
void disks_sample(struct disks *disks, const char *root, uint64_t now);

/* The content of the device @name may have changed; NULL: of any. */
void disks_forget(struct disks *disks, const char *name);

/*
 * disks_report - add the nodes of all vbds to @report
 * @xs: for what the frontend agreed with its backend; NULL leaves that out
 *
 * Errors: -ENOMEM, and those for which xsc_is_fatal() holds.
 */
int disks_report(struct disks *disks, const char *root, struct xs_conn *xs, struct report *report);

void disks_clear(struct disks *disks);
