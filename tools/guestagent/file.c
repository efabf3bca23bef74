// SPDX-License-Identifier: GPL-2.0-or-later
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

static int format_path(char path[static PATH_MAX], const char *format, va_list ap)
{
	int n = vsnprintf(path, PATH_MAX, format, ap);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int read_path(char **ret, const char *path)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t size = 1024, used = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	for (;;) {
		char *more = realloc(text, size + 1);
		ssize_t n;

		if (!more)
			return -ENOMEM;
		text = more;
		n = read(fd, text + used, size - used);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
		if (used < size)
			continue;
		if (size >= FILE_MAX_SIZE)
			return -EFBIG;
		size *= 4;
	}
	if (memchr(text, '\0', used))
		return -EINVAL;
	text[used] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

int file_read(char **ret, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int r;

	va_start(ap, format);
	r = format_path(path, format, ap);
	va_end(ap);
	return r < 0 ? r : read_path(ret, path);
}

int file_read_line(char **ret, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int r;

	va_start(ap, format);
	r = format_path(path, format, ap);
	va_end(ap);
	if (r >= 0)
		r = read_path(ret, path);
	if (r >= 0)
		(*ret)[strcspn(*ret, "\n")] = '\0';
	return r;
}

int file_read_u64(uint64_t *ret, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	va_list ap;
	int r;

	va_start(ap, format);
	r = format_path(path, format, ap);
	va_end(ap);
	if (r >= 0)
		r = read_path(&text, path);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, 0, UINT64_MAX, ret);
}

bool file_exists(const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int r;

	va_start(ap, format);
	r = format_path(path, format, ap);
	va_end(ap);
	return r >= 0 && access(path, F_OK) == 0;
}
