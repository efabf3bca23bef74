// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* Length of the UTF-8 character at @s (RFC 3629), or 0 if there is none. */
static size_t utf8_length(const char *s)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)s;
	uint32_t code;
	size_t length;

	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		length = 2, code = u[0] & 0x1f;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		length = 3, code = u[0] & 0x0f;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		length = 4, code = u[0] & 0x07;
	else
		return 0;

	for (size_t i = 1; i < length; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (u[i] & 0x3f);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

/* A copy of @value that any toolstack can read; NULL when out of memory. */
static char *clean_value(const char *value)
{
	char *copy = malloc(REPORT_VALUE_MAX + 1);
	size_t used = 0;

	if (!copy)
		return NULL;
	while (*value) {
		size_t length = utf8_length(value);
		size_t step = length ?: 1;

		if (used + step > REPORT_VALUE_MAX)
			break;
		if (!length)
			copy[used] = '?';
		else if (length == 1 && ((unsigned char)*value < 0x20 || *value == 0x7f))
			copy[used] = ' ';
		else
			memcpy(copy + used, value, length);
		used += step;
		value += step;
	}
	copy[used] = '\0';
	return copy;
}

static int report_grow(struct report *report)
{
	size_t allocated = report->allocated ? 2 * report->allocated : 16;
	struct report_entry *entries;

	if (report->n < report->allocated)
		return 0;
	entries = reallocarray(report->entries, allocated, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	report->entries = entries;
	report->allocated = allocated;
	return 0;
}

int report_add(struct report *report, const char *path, const char *value)
{
	_cleanup_free_ char *path_copy = NULL, *value_copy = NULL;
	int r;

	r = report_grow(report);
	if (r < 0)
		return r;
	path_copy = strdup(path);
	if (!path_copy)
		return -ENOMEM;
	if (value && *value) {
		value_copy = clean_value(value);
		if (!value_copy)
			return -ENOMEM;
	}
	report->entries[report->n++] = (struct report_entry){
		.path = TAKE_PTR(path_copy),
		.value = TAKE_PTR(value_copy),
	};
	return 0;
}

int report_addf(struct report *report, const char *path, const char *format, ...)
{
	_cleanup_free_ char *value = NULL;
	va_list ap;
	int r;

	va_start(ap, format);
	r = vasprintf(&value, format, ap);
	va_end(ap);
	if (r < 0) {
		value = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	return report_add(report, path, value);
}

const char *report_find(const struct report *report, const char *path)
{
	for (size_t i = report->n; i-- > 0;)
		if (strcmp(report->entries[i].path, path) == 0)
			return report->entries[i].value;
	return NULL;
}

static void print_json_string(const char *s, FILE *file)
{
	fputc('"', file);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', file);
		fputc(*s, file);
	}
	fputc('"', file);
}

int report_print_json(const struct report *report, FILE *file)
{
	/* report_add() left no control character and no broken UTF-8 to escape. */
	fputs("{", file);
	for (size_t i = 0; i < report->n; i++) {
		fputs(i ? ",\n  " : "\n  ", file);
		print_json_string(report->entries[i].path, file);
		fputs(": ", file);
		if (report->entries[i].value)
			print_json_string(report->entries[i].value, file);
		else
			fputs("null", file);
	}
	fputs(report->n ? "\n}\n" : "}\n", file);
	return fflush(file) == 0 && !ferror(file) ? 0 : -EIO;
}

void report_clear(struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		free(report->entries[i].path);
		free(report->entries[i].value);
	}
	free(report->entries);
	*report = (struct report){ 0 };
}
