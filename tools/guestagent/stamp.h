/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the shutdown began, left in /run by the agent for "xenpv-agent --stopped", which
 * runs after the agent and every other process was killed.
 */
#pragma once

#include <stdint.h>

/* Microseconds since boot, suspended time included. */
uint64_t stamp_now(void);

/* Keep @usec, a value of stamp_now(). Returns 0 or a negative errno. */
int stamp_save(uint64_t usec);

/* Errors: -ENOENT (none was kept), -EINVAL (not a stamp of this boot), -errno of reading. */
int stamp_load(uint64_t *ret_usec);

/* Forget what was kept; that nothing was is no error. */
int stamp_remove(void);
