/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Toeplitz hash of netif.h ("Hash algorithms"), by table. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TOEPLITZ_MAX_KEY  40u /* bytes */
#define TOEPLITZ_MAX_DATA 36u /* bytes: IPv6 addresses and ports */

struct toeplitz {
	/* what a half byte at this place adds to the hash */
	uint32_t table[TOEPLITZ_MAX_DATA * 2][16];
};

/* @len: 0..TOEPLITZ_MAX_KEY; the rest of the key is zero. */
void toeplitz_init(struct toeplitz *t, const uint8_t *key, size_t len);

/* @len: 0..TOEPLITZ_MAX_DATA */
uint32_t toeplitz_hash(const struct toeplitz *t, const uint8_t *data, size_t len);
