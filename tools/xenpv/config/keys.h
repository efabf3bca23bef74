/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings that a domain configuration may have: those of xl.cfg(5), and xm's of old. */
#pragma once

enum key_type {
	KEY_NUMBER, /* digits, also as a string */
	KEY_SIGNED, /* the same, perhaps with a - before it */
	KEY_BOOL,   /* 0 or 1 */
	KEY_STRING,
	KEY_LIST,
	KEY_ANY, /* a string or a list, or a number */
};

enum key_note {
	KEY_FINE,
	KEY_FIXED, /* the installer's value, which is not to be changed */
	KEY_GONE,  /* xm's; xl does nothing with it */
};

struct key {
	const char *name;
	enum key_type type;
	enum key_note note;
	/* KEY_FIXED: the value. KEY_GONE: what to write instead, or NULL: nothing */
	const char *word;
};

/* NULL for a setting that nobody knows. */
const struct key *key_find(const char *name);
