/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "pattern.h"

#define PIECE 4096u

/* A full-period mix of a counter: neighbours have nothing in common. */
static uint64_t word_at(uint64_t seed, uint64_t index)
{
	uint64_t x = seed + (index + 1) * 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ull;
	x = (x ^ (x >> 29)) * 0xa0761d6478bd642full;
	return x ^ (x >> 32);
}

static void mix(struct sum *sum, uint64_t word)
{
	sum->hash = (sum->hash ^ word) * 0xd6e8feb86659fd93ull;
	sum->hash = (sum->hash << 27) | (sum->hash >> 37);
}

void sum_add(struct sum *sum, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len > 0) {
		if (sum->bytes == 0 && len >= 8) {
			uint64_t word;

			memcpy(&word, p, 8);
			mix(sum, word);
			p += 8;
			len -= 8;
			continue;
		}
		sum->word |= (uint64_t)*p++ << (8 * sum->bytes);
		len--;
		if (++sum->bytes == 8) {
			mix(sum, sum->word);
			sum->word = 0;
			sum->bytes = 0;
		}
	}
}

uint64_t sum_end(const struct sum *sum)
{
	struct sum last = *sum;

	mix(&last, last.word ^ ((uint64_t)last.bytes << 60));
	return last.hash;
}

void pattern_fill(uint64_t seed, uint64_t offset, void *data, size_t len)
{
	unsigned char *p = data;

	while (len > 0) {
		uint64_t word = word_at(seed, offset / 8);
		size_t skip = offset % 8, n = 8 - skip;

		if (n > len)
			n = len;
		memcpy(p, (const unsigned char *)&word + skip, n);
		p += n;
		offset += n;
		len -= n;
	}
}

bool pattern_check(uint64_t seed, uint64_t offset, const void *data, size_t len,
		   uint64_t *ret_where)
{
	const unsigned char *p = data;
	unsigned char expected[PIECE];

	for (size_t done = 0; done < len;) {
		size_t n = len - done < PIECE ? len - done : PIECE, i = 0;

		pattern_fill(seed, offset + done, expected, n);
		if (memcmp(expected, p + done, n) != 0) {
			while (expected[i] == p[done + i])
				i++;
			*ret_where = offset + done + i;
			return false;
		}
		done += n;
	}
	return true;
}
