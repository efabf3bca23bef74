/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What "xenpv top" shows, as lines and as JSON: xentop's columns, and those of the rings. */
#pragma once

#include <stddef.h>

#include "xenpv/guests/rates.h"

struct json_object;

#define TOP_LINE 400

enum top_sort {
	TOP_BY_DOMID,
	TOP_BY_CPU,
	TOP_BY_MEMORY,
	TOP_BY_IOPS,
	TOP_BY_NAME,
	_TOP_SORT_MAX,
};

struct top_row {
	const struct guest_view *guest;
	const struct guest_view *before; /* it, or NULL; borrowed */
	double seconds;                  /* since then */
	struct rates rates;
};

struct top_table {
	const struct view *view;
	struct top_row *row;
	size_t n;
};

const char *top_sort_name(enum top_sort sort);
/* -EINVAL */
int top_sort_parse(const char *text, enum top_sort *ret);

/*
 * top_table_make - rows of a view, sorted
 * @before: an older view, or NULL
 * @seconds: between the two
 *
 * Borrows both views. -ENOMEM; top_table_clear() it.
 */
int top_table_make(const struct view *view, const struct view *before, double seconds,
		   enum top_sort sort, struct top_table *ret);
void top_table_clear(struct top_table *t);

/* The three lines above the table. @clock: "09:00:25" */
#define TOP_HEAD 3
void top_head(const struct view *view, const char *clock, char ret[TOP_HEAD][TOP_LINE]);
void top_columns(char ret[TOP_LINE]);
void top_line(const struct top_table *t, const struct top_row *row, char ret[TOP_LINE]);

/* A device of the guest on a line; @n counts vbds, then vifs. false: there is no such. */
bool top_device(const struct top_row *row, size_t n, char ret[TOP_LINE]);

struct json_object *top_json(const struct top_table *t, const char *clock, double seconds);
