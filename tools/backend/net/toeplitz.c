/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/toeplitz.h"

#include <string.h>

/* The 32 bits of the key that begin at bit @at, counted from the left. */
static uint32_t key_window(const uint8_t *key, unsigned int at)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 5; i++)
		v = v << 8 | key[at / 8 + i];
	return (uint32_t)(v >> (8 - at % 8));
}

void toeplitz_init(struct toeplitz *t, const uint8_t *key, size_t len)
{
	uint8_t padded[TOEPLITZ_MAX_KEY + 5] = { 0 };

	memcpy(padded, key, len < TOEPLITZ_MAX_KEY ? len : TOEPLITZ_MAX_KEY);
	for (unsigned int place = 0; place < TOEPLITZ_MAX_DATA * 2; place++) {
		for (unsigned int v = 0; v < 16; v++) {
			uint32_t sum = 0;

			for (unsigned int bit = 0; bit < 4; bit++) {
				if (v & 8u >> bit)
					sum ^= key_window(padded, place * 4 + bit);
			}
			t->table[place][v] = sum;
		}
	}
}

uint32_t toeplitz_hash(const struct toeplitz *t, const uint8_t *data, size_t len)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < len && i < TOEPLITZ_MAX_DATA; i++) {
		hash ^= t->table[2 * i][data[i] >> 4];
		hash ^= t->table[2 * i + 1][data[i] & 15];
	}
	return hash;
}
