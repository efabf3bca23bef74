// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"

static int digit(char c, unsigned int base)
{
	unsigned int v;

	if (c >= '0' && c <= '9')
		v = c - '0';
	else if (c >= 'a' && c <= 'f')
		v = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		v = c - 'A' + 10;
	else
		return -1;
	return v < base ? (int)v : -1;
}

/* Read digits up to @end, which is 0 or a separator; leaves *p on it. */
static int parse_digits(const char **p, char end, unsigned int base, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;
	bool overflow = false;

	do {
		int d = digit(*s, base);

		if (d < 0)
			return -EINVAL;
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			overflow = true;
		s++;
	} while (*s && *s != end);

	if (overflow)
		return -ERANGE;
	*p = s;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r;

	r = parse_digits(&s, '\0', 10, &v);
	if (r < 0)
		return r;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r;

	r = parse_u64(s, min, max, &v);
	if (r < 0)
		return r;
	*ret = (uint32_t)v;
	return 0;
}

int parse_real(const char *s, double *ret)
{
	double value;
	char *end;

	/* not what strtod() skips */
	if (!*s || isspace((unsigned char)*s))
		return -EINVAL;
	value = strtod(s, &end);
	if (*end || !isfinite(value))
		return -EINVAL;
	*ret = value;
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
		if (!strcasecmp(s, yes[i])) {
			*ret = true;
			return 0;
		}
		if (!strcasecmp(s, no[i])) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}

int parse_devnum(const char *s, uint32_t *ret_major, uint32_t *ret_minor)
{
	uint64_t major, minor;
	int r;

	r = parse_digits(&s, ':', 16, &major);
	if (r < 0)
		return r;
	if (*s++ != ':')
		return -EINVAL;
	r = parse_digits(&s, '\0', 16, &minor);
	if (r < 0)
		return r;
	/* dev_t of Linux: 12 bits of major, 20 of minor */
	if (major > 0xfff || minor > 0xfffff)
		return -ERANGE;
	*ret_major = (uint32_t)major;
	*ret_minor = (uint32_t)minor;
	return 0;
}

int parse_component(const char **p, uint32_t *ret)
{
	const char *s = *p;
	uint64_t v;
	int r;

	r = parse_digits(&s, '/', 10, &v);
	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;
	if (*s == '/')
		s++;
	*p = s;
	*ret = (uint32_t)v;
	return 0;
}
