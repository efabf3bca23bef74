/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain configurations in the format of xl (xl.cfg(5)): assignments of strings,
 * numbers and lists, comments, nothing that is carried out.
 */
#pragma once

#include <stddef.h>

#define XLCONF_SIZE_MAX   (1u << 20)
#define XLCONF_DEPTH_MAX  8
#define XLCONF_VALUES_MAX 16384

enum xlconf_type {
	XLCONF_STRING,
	XLCONF_NUMBER,
	XLCONF_LIST,
};

struct xlconf_value {
	enum xlconf_type type;
	unsigned int line;          /* where it begins, from 1 */
	char *text;                 /* string, or the digits of a number */
	struct xlconf_value **item; /* of a list */
	size_t n;
};

struct xlconf_setting {
	char *name;
	struct xlconf_value *value;
	unsigned int line;
	unsigned int before; /* line of the value that this one replaced, 0 for none */
};

struct xlconf {
	struct xlconf_setting *setting; /* each name once, the last value counts */
	size_t n;
	size_t values;
};

void xlconf_clear(struct xlconf *conf);

/*
 * xlconf_parse - read a configuration
 * @text: its NUL-terminated text
 * @ret_line, @why: where and why it is not one, on -EINVAL
 *
 * Errors: -EINVAL, -E2BIG (more than XLCONF_VALUES_MAX values), -ENOMEM. On
 * failure *ret is empty.
 */
int xlconf_parse(const char *text, struct xlconf *ret, unsigned int *ret_line, char *why,
		 size_t why_size);

/* NULL if it is not set. */
const struct xlconf_value *xlconf_get(const struct xlconf *conf, const char *name);
