/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzz targets share: an input that is eaten from the front, and a check that aborts. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST_HOLD(condition)                                                                       \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct input {
	const uint8_t *data;
	size_t size;
};

/* Take @n bytes; what the input does not have reads as zeroes. */
static inline void take_bytes(struct input *in, void *ret, size_t n)
{
	size_t have = n < in->size ? n : in->size;

	memset(ret, 0, n);
	memcpy(ret, in->data, have);
	in->data += have;
	in->size -= have;
}

static inline uint32_t take_u32(struct input *in)
{
	uint32_t v;

	take_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint8_t take_u8(struct input *in)
{
	uint8_t v;

	take_bytes(in, &v, sizeof(v));
	return v;
}
