/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a frontend's keys. All of it is the guest's word and is bounded here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Read one key of the frontend: an allocated string in *ret, -ENOENT when it is
 * missing, another negative errno on failure.
 */
typedef int (*keys_read_fn)(void *userdata, const char *key, char **ret);

struct keys {
	keys_read_fn read;
	void *userdata;
	char *error; /* gets one line that names key and value */
	size_t error_size;
};

/*
 * keys_number - read a decimal number within [min, max]
 *
 * Returns 1, or 0 when the key is missing and *ret keeps its value. Errors:
 * -EINVAL, or what reading returned, with the line in ->error.
 */
int keys_number(struct keys *r, const char *key, uint32_t min, uint32_t max, uint32_t *ret);

/* The same, but a missing key is an error; returns 0. */
int keys_require(struct keys *r, const char *key, uint32_t min, uint32_t max, uint32_t *ret);
