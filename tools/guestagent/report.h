/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report: the xenstore nodes, relative to the guest's home, that the agent wants
 * to exist or to be absent, in the order in which they are to be written.
 *
 * Building a report touches no xenstore, so that every reporter can be tested by
 * its output alone. Nothing here logs.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/*
 * Longest value written, in bytes. xenstored allows a guest 2048 bytes a node, path and
 * permissions included.
 */
#define REPORT_VALUE_MAX 1024

struct report_entry {
	char *path;
	char *value; /* NULL: the node must not exist */
};

/* Start with a zeroed one; report_clear() frees what it holds. */
struct report {
	struct report_entry *entries;
	size_t n;
	size_t allocated;
};

/*
 * report_add - append the wish that node @path holds @value
 * @value: made fit for the toolstack first: cut at REPORT_VALUE_MAX bytes between two
 *         characters, bytes that are not UTF-8 become '?', control characters ' '.
 *         NULL or "" asks for the node's absence: a missing node says "unknown", an
 *         empty one would say nothing at all.
 *
 * Errors: -ENOMEM (the report is unchanged).
 */
int report_add(struct report *report, const char *path, const char *value);

/* As report_add(), the value formatted like printf(). */
int report_addf(struct report *report, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The value of @path as last added; NULL if it was not, or is to be absent. */
const char *report_find(const struct report *report, const char *path);

/* Write the report as one JSON object, absent nodes as null. Returns 0 or -EIO. */
int report_print_json(const struct report *report, FILE *file);

/* Free the entries; the report is then empty and may be used again. */
void report_clear(struct report *report);
