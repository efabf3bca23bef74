/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict parsers of foreign text. A number is digits from the first byte to the
 * last: no sign, no blank, no prefix, nothing after it.
 *
 * All return 0, or -EINVAL (not of this form) or -ERANGE (a number, but out of
 * bounds), and leave *ret untouched on failure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Decimal number within [min, max]. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret);

/* A whole string that is a finite number. */
int parse_real(const char *s, double *ret);

/* yes, true, on, 1 / no, false, off, 0 */
int parse_bool(const char *s, bool *ret);

/* "<major>:<minor>" in hexadecimal, as hotplug scripts write `physical-device`. */
int parse_devnum(const char *s, uint32_t *ret_major, uint32_t *ret_minor);

/*
 * parse_component - take one decimal component off a path
 * @p: cursor at the first digit; moved behind the number and a following '/'
 *
 * The number has to end at '/' or at the end of the string.
 */
int parse_component(const char **p, uint32_t *ret);
