/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a check has to say of configurations: where, how bad, what. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum severity {
	SEVERITY_ERROR,   /* the manual forbids it, or it cannot work */
	SEVERITY_WARNING, /* it works, but is not what was meant, perhaps */
};

struct finding {
	enum severity severity;
	char *file;
	unsigned int line; /* 0 for the file, or all files */
	char *text;        /* object, value, remedy */
};

struct findings {
	struct finding *item;
	size_t n;
	size_t errors;
	int error; /* -ENOMEM: the list is not whole */
};

void findings_clear(struct findings *f);
__attribute__((format(printf, 5, 6))) void findings_add(struct findings *f, enum severity severity,
							const char *file, unsigned int line,
							const char *fmt, ...);

/*
 * findings_print - on stdout, by file and line, and the counts
 * @n_files: how many configurations were read
 * @status: exit status if there are errors
 *
 * Text is "<file>:<line>: error: <text>" for each, JSON one object. Returns the exit status.
 */
int findings_print(const struct findings *f, size_t n_files, bool json, int status);

/* In the order of files as they came, then of lines; equal ones keep theirs. */
void findings_sort(struct findings *f);
