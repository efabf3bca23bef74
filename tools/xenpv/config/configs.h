/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that a check is asked to read: domain configurations, each once. */
#pragma once

#include <stddef.h>

#include "xenpv/config/findings.h"

#define CONFIGURATIONS "/etc/xen"

struct problem;

struct configs {
	char **path;
	size_t n;
};

/*
 * configs_find - the domain configurations in a directory
 * @dir: as CONFIGURATIONS
 *
 * These are *.cfg; files without a dot in their name that set the guest's name, as there are
 * others in /etc/xen, too; and those in auto, where links to more may be. A file is found by one
 * of its names only, of these in this order. Sorted. Links to nowhere are found, too,
 * for who reads them to say so. Errors: -ENOMEM, with an empty *ret.
 */
int configs_find(const char *dir, struct configs *ret);
void configs_clear(struct configs *configs);

/*
 * What to do with the text of a configuration.
 * @text: valid during the call
 *
 * An error ends the reading, and is told as one of @path.
 */
typedef int (*config_fn)(void *userdata, const char *path, const char *text);

/*
 * configs_read - call @fn for each file
 * @names: @n of them; with none, those that configs_find() finds in CONFIGURATIONS
 * @findings: gets those that are too large or have a NUL byte, which are no configurations
 * @ret_n: of different files, these included
 *
 * The same file by another name, as from /etc/xen/auto, is not a second guest. Errors, with @p
 * set: what stat() and reading say, -ENOMEM, and those of @fn.
 */
int configs_read(char **names, int n, struct findings *findings, config_fn fn, void *userdata,
		 size_t *ret_n, struct problem *p);
