/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data that both ends can make for themselves: byte n of the stream with seed s is always the
 * same, so that any piece of it can be made and checked alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A checksum over a byte stream, however it is cut into pieces. Begins as SUM_INIT. */
struct sum {
	uint64_t hash;
	uint64_t word; /* bytes that do not make a word yet */
	unsigned int bytes;
};

#define SUM_INIT                                                                                   \
	{                                                                                          \
		.hash = 0x9e3779b97f4a7c15ull,                                                     \
	}

void sum_add(struct sum *sum, const void *data, size_t len);
uint64_t sum_end(const struct sum *sum);

/* Bytes @offset..@offset + @len of the stream with @seed. */
void pattern_fill(uint64_t seed, uint64_t offset, void *data, size_t len);

/* Whether @data is what pattern_fill() would make; *@ret_where is the first byte that differs. */
bool pattern_check(uint64_t seed, uint64_t offset, const void *data, size_t len,
		   uint64_t *ret_where);
