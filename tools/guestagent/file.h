/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files of /proc, /sys and /etc, whose content is never trusted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* More than any file read whole here has; what goes beyond is an error. */
#define FILE_MAX_SIZE 65536

/*
 * file_read - the text of a file
 * @ret: NUL-terminated, owned by the caller
 *
 * @format gives the path. Neither follows into a FIFO nor blocks on one. Errors: negative
 * errno of open() and read(), -EFBIG, -EINVAL (it holds a NUL byte), -ENAMETOOLONG, -ENOMEM.
 */
__attribute__((format(printf, 2, 3))) int file_read(char **ret, const char *format, ...);

/* As file_read(), the first line alone without its newline. */
__attribute__((format(printf, 2, 3))) int file_read_line(char **ret, const char *format, ...);

/* As file_read_line(), a decimal number and nothing else; -EINVAL, -ERANGE as in parse.h. */
__attribute__((format(printf, 2, 3))) int file_read_u64(uint64_t *ret, const char *format, ...);

/* Is there something at the path? */
__attribute__((format(printf, 1, 2))) bool file_exists(const char *format, ...);
