/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests' virtual network interfaces (VNIFs), as their configurations describe them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/mac.h"

struct xlconf;

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

struct vnif {
	unsigned int line;
	bool has_mac;
	struct mac mac;
	char *bridge;   /* NULL: none was named */
	bool elsewhere; /* its backend is another domain than dom0 */
	bool routed;    /* its script is not one that uses a bridge */
};

struct guest {
	char *file;
	char *name;
	struct vnif *vnif;
	size_t n;
};

struct guests {
	struct guest *item;
	size_t n;
};

void guests_clear(struct guests *guests);

/*
 * guests_add - take the VNIFs out of a configuration
 *
 * What is wrong with a single VNIF goes to @findings; such a one is kept as far as it is
 * understood. Errors: -ENOMEM.
 */
int guests_add(struct guests *guests, const char *file, const struct xlconf *conf,
	       struct findings *findings);
