/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What initramfs/xenpv-boot has left in /run/xenpv/fallback: that the kernel's own frontends
 * were taken because ours did not work. A line each time, the last of each kind counts:
 *
 *	device=vbd driver=xen-blkfront result=loaded uptime=12 reason=no disk after 10 s
 *
 * device is vbd or vif, result loaded or failed, uptime in seconds, reason the rest of the line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "report.h"

#define FALLBACK_FILE        "/run/xenpv/fallback"
#define FALLBACK_PATH        "data/xenpv/device/fallback"
#define FALLBACK_DRIVER_SIZE 32
#define FALLBACK_REASON_SIZE 160

enum fallback_kind {
	FALLBACK_VBD,
	FALLBACK_VIF,
	FALLBACK_MAX
};

struct fallback_entry {
	bool present;
	bool loaded;     /* the kernel's frontend, or it could not be loaded either */
	uint64_t uptime; /* seconds since boot when it was decided */
	char driver[FALLBACK_DRIVER_SIZE];
	char reason[FALLBACK_REASON_SIZE];
};

struct fallback {
	struct fallback_entry entry[FALLBACK_MAX];
	unsigned int malformed; /* lines that are of another form, and were left out */
};

/*
 * fallback_read - read and judge the file
 * @root: "" for the running system
 * @ret: filled in also on failure, with nothing
 *
 * A longer reason is cut. Returns 0, also if there is no file; errors: those of file_read().
 */
int fallback_read(const char *root, struct fallback *ret);

/* Add FALLBACK_PATH/{vbd,vif} and /reason below each for what is present. Errors: -ENOMEM. */
int fallback_report(const struct fallback *fallback, struct report *report);

/* Log a warning for each kind of device that is present in @fallback and was not so in @before. */
void fallback_log(const struct fallback *before, const struct fallback *fallback);
