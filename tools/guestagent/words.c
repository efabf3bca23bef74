// SPDX-License-Identifier: GPL-2.0-or-later
#include "words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

void words_add(struct words *words, const char *key, const char *value)
{
	static const char digits[] = "0123456789abcdef";
	char *text, *p;

	if (!value || !*value || words->error)
		return;
	/* A blank, the key, '=', each byte as \xHH at worst, and the end. */
	text = realloc(words->text, words->used + strlen(key) + 4 * strlen(value) + 3);
	if (!text) {
		words->error = -ENOMEM;
		return;
	}
	words->text = text;
	p = text + words->used;
	if (words->used)
		*p++ = ' ';
	p = stpcpy(p, key);
	*p++ = '=';
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c > ' ' && c < 0x7f && c != '\\' && c != '"') {
			*p++ = (char)c;
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		*p++ = digits[c >> 4];
		*p++ = digits[c & 0xf];
	}
	*p = '\0';
	words->used = (size_t)(p - text);
}

void words_add_u64(struct words *words, const char *key, uint64_t value)
{
	words_addf(words, key, "%" PRIu64, value);
}

void words_addf(struct words *words, const char *key, const char *format, ...)
{
	_cleanup_free_ char *value = NULL;
	va_list ap;
	int r;

	va_start(ap, format);
	r = vasprintf(&value, format, ap);
	va_end(ap);
	if (r < 0) {
		value = NULL; /* undefined after a failure */
		words->error = -ENOMEM;
		return;
	}
	words_add(words, key, value);
}

int words_result(const struct words *words)
{
	return words->error;
}

void words_clear(struct words *words)
{
	free(words->text);
	*words = (struct words){ 0 };
}
