/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event channels of host.h within one process: what host/loop does with a hub and
 * threads takes a hundred times as long, and not always equally long. loopfront_notify()
 * ends up here, by the linker's --wrap. Grants stay those of host/loop, but counted.
 */
#pragma once

#include <stdint.h>

/* Event channels that are bound at present. */
unsigned int events_bound(void);

/* Calls of host_gnt_map() that were not undone. */
unsigned int events_mapped(void);
