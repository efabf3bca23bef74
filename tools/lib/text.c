// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/text.h"

/* Bytes of the well-formed, printable character that begins here, or 0. */
static size_t character(const unsigned char *p)
{
	static const struct {
		unsigned char mask, lead;
		unsigned int min;
	} forms[] = { { 0xe0, 0xc0, 0xa0 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	if (*p < 0x80)
		return *p >= ' ' && *p != 0x7f;
	for (size_t i = 0; i < 3; i++) {
		unsigned int code = *p & (unsigned char)~forms[i].mask;

		if ((*p & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t k = 1; k <= i + 1; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (p[k] & 0x3f);
		}
		/* overlong, C1 controls, surrogates, beyond Unicode; marks that turn text around */
		if (code < forms[i].min || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff ||
		    (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
		    (code >= 0x2066 && code <= 0x2069))
			return 0;
		return i + 2;
	}
	return 0;
}

void text_fit(char *text, size_t max)
{
	size_t i = 0;

	while (text[i]) {
		size_t n = character((unsigned char *)text + i);

		if (i + (n ?: 1) > max) {
			text[i] = '\0';
			break;
		}
		if (n == 0)
			text[i] = '?';
		i += n ?: 1;
	}
}
