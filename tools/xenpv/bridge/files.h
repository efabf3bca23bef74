/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files as a whole: read, replaced in one step, removed. */
#pragma once

#include <stddef.h>

#define FILE_TEXT_MAX (1u << 20)

/*
 * file_read - the text of a file
 * Errors: -ENOENT, -EFBIG beyond @max bytes, -EINVAL for a NUL byte, others of read(2).
 */
int file_read(const char *path, size_t max, char **ret);

/*
 * file_replace - write a file, or remove it with a NULL @text
 *
 * Readers see the old or the new file. Missing directories above it are made.
 * What is to be removed and is not there is no error. The seam of file changes.
 */
int file_replace(const char *path, const char *text);
