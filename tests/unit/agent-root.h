/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory that stands for the root of a guest, with files that a test puts there. */
#pragma once

#include <stdlib.h>

struct root {
	char path[40];
};

/* cmocka fixtures; *state is a struct root. */
int root_set_up(void **state);
int root_tear_down(void **state);

/* A file below the root, its directories made; replaced if it exists. Asserts on failure. */
void root_file(const struct root *root, const char *path, const char *text);

/* A symbolic link below the root. */
void root_link(const struct root *root, const char *path, const char *target);

/* Remove a file or link. */
void root_remove(const struct root *root, const char *path);
