/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes below data/xenpv/device hold "key=value key=value ...": one node a device, since a
 * guest has few nodes and many facts. In values, blanks, backslashes, quotes and what is
 * not printable ASCII are written \xHH, as udev does, so that a reader may split at blanks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Start with a zeroed one; words_clear() frees what it holds. */
struct words {
	char *text; /* NULL if nothing was added */
	size_t used;
	int error; /* of an addition, for words_result() */
};

/* Append "key=value"; nothing for a value that is NULL or empty. */
void words_add(struct words *words, const char *key, const char *value);
void words_add_u64(struct words *words, const char *key, uint64_t value);
__attribute__((format(printf, 3, 4))) void words_addf(struct words *words, const char *key,
						      const char *format, ...);

/* 0, or -ENOMEM if an addition failed. */
int words_result(const struct words *words);

void words_clear(struct words *words);
