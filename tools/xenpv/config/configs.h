/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that a check is asked to read: domain configurations, each once. */
#pragma once

#include <stddef.h>

#include "xenpv/config/findings.h"

#define CONFIGURATIONS "/etc/xen/*.cfg"

struct problem;

/*
 * What to do with the text of a configuration.
 * @text: valid during the call
 *
 * An error ends the reading, and is told as one of @path.
 */
typedef int (*config_fn)(void *userdata, const char *path, const char *text);

/*
 * configs_read - call @fn for each file
 * @names: @n of them; with none, CONFIGURATIONS is read
 * @findings: gets those that are too large or have a NUL byte, which are no configurations
 * @ret_n: of different files, these included
 *
 * The same file by another name, as from /etc/xen/auto, is not a second guest. Errors, with @p
 * set: what stat() and reading say, -ENOMEM, and those of @fn.
 */
int configs_read(char **names, int n, struct findings *findings, config_fn fn, void *userdata,
		 size_t *ret_n, struct problem *p);
