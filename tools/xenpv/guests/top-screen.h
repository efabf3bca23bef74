/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screen of "xenpv top". One at a time: the terminal is the process's. */
#pragma once

#include "xenpv/guests/top-table.h"

struct screen {
	bool devices; /* each device on a line of its own */
	enum top_sort sort;
	size_t first; /* row at the top */
	size_t left;  /* column at the left */
};

/* -ENOTTY: there is no terminal that can do this */
int screen_open(struct screen *screen);
void screen_close(void);

/* Redraw; after a change of the window's size, too. */
void screen_draw(struct screen *screen, const struct top_table *t, const char *clock);
void screen_resized(void);

enum screen_key {
	SCREEN_NONE, /* no more keys */
	SCREEN_REDRAW,
	SCREEN_RESORT,
	SCREEN_QUIT,
};

/* The next key, if there is one. */
enum screen_key screen_key(struct screen *screen);
