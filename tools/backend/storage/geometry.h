/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Size, block sizes, alignment and discard of an open file or block device. */
#pragma once

#include "storage/storage.h"

/*
 * geometry_read - fill in everything but fd, kind, readonly
 * @image: fd is open; direct tells whether with O_DIRECT, and is cleared when
 *   what it demands is more than a guest may be asked for
 * @discard: the guest may discard
 *
 * Errors: those of fstat(2), ioctl(2); -EINVAL (no size).
 */
int geometry_read(struct storage_image *image, bool discard);
