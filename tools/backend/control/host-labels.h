/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Labels and UUIDs of the host's own file systems, for guests to keep theirs apart from. */
#pragma once

#include <stddef.h>

/* Words told to a guest, and bytes they take: a node of xenstore holds 4096 with its path. */
#define HOST_LABELS_MAX   64
#define HOST_LABELS_BYTES 3072

/*
 * host_labels_read - the labels of what the host has mounted or swaps on
 * @root: what is before /dev and /proc; empty except in tests
 * @ret:  gets lines "LABEL=...", "UUID=..." and "PARTUUID=...", sorted within their kind; empty
 *        if there are none
 *
 * The names are udev's in /dev/disk: no disk is read. Guests' own disks are not mounted here and so
 * not told. A label with a control character, which would pass for two lines, is left out.
 *
 * Returns 0, or 1 when not all of them had room. Errors: -errno of reading what is mounted.
 */
int host_labels_read(const char *root, char ret[static HOST_LABELS_BYTES]);
