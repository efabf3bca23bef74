/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes of a xenstore in memory, for tests. Paths are those that the agent uses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Value of a node, or NULL; valid until the nodes change. */
const char *node(const char *path);
/* Has the node this value? NULL: is it absent? */
bool node_is(const char *path, const char *value);
void set_node(const char *path, const char *value);
/* With all below it. */
void remove_node(const char *path);
void nodes_clear(void);
size_t nodes_count(void);
