/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has a file or block device in use: for an error message, so best effort and bounded. */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

/*
 * holder_describe - "pid 812 (qemu-img)", "mounted on /srv", "used by dm-0"
 *
 * Looks for a process that holds a lock on the file or has it open exclusively, then for one
 * that has it open at all, then for mounts and stacked devices. Gives up after a
 * quarter of a second. An empty string when nothing was found.
 */
void holder_describe(const struct stat *st, char *ret, size_t size);
