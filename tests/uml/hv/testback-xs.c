/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testback-xs.h"

const char *program = "testback";
struct xs_handle *xs;

void fatal(const char *what, int error)
{
	fprintf(stderr, "%s: %s: %s\n", program, what, strerror(error));
	exit(1);
}

void xs_connect(void)
{
	xs = xs_open(0);
	if (!xs)
		fatal("xenstore", errno);
}

char *xs_get(const char *dir, const char *name)
{
	char path[2 * PATH_SIZE];
	unsigned int len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return xs_read(xs, XBT_NULL, path, &len);
}

uint32_t xs_get_number(const char *dir, const char *name, uint32_t missing)
{
	char *value = xs_get(dir, name);
	uint32_t n = value ? (uint32_t)strtoul(value, NULL, 10) : missing;

	free(value);
	return n;
}

void xs_put(const char *dir, const char *name, uint64_t number)
{
	char path[2 * PATH_SIZE], value[24];
	int len = snprintf(value, sizeof(value), "%llu", (unsigned long long)number);

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	xs_write(xs, XBT_NULL, path, value, (unsigned int)len);
}
