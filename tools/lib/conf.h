/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files in the manner of systemd: "[section]", "key = value",
 * comments from '#' or ';' at the start of a line, and drop-ins in <file>.d/
 * read in the order of their names. What is not set keeps its default.
 *
 * A program describes its keys in a table; everything else is an error that
 * names file and line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_BOOL,   /* bool */
	CONF_U32,    /* uint32_t within [min, max] */
	CONF_STRING, /* char *, allocated; replaced when set again */
};

struct conf_key {
	const char *section;
	const char *name;
	enum conf_type type;
	size_t offset; /* of the member in the program's structure */
	uint32_t min, max;
};

/*
 * conf_load - read @path, then @path.d/<name>.conf
 * @keys: table that ends with an entry whose section is NULL
 * @config: structure with the defaults; changed as far as the files were read
 * @error, @error_size: one line with file, line and cause on failure
 *
 * A missing file is no error. Errors: -EINVAL (see @error), -errno of reading.
 */
int conf_load(const char *path, const struct conf_key *keys, void *config, char *error,
	      size_t error_size);

/* Parse one file's text (not modified); @name is for messages. */
int conf_parse(const char *name, const char *text, const struct conf_key *keys, void *config,
	       char *error, size_t error_size);
