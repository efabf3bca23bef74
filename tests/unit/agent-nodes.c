// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent-nodes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NODES_MAX 64

static struct {
	char path[80];
	char value[200];
} nodes[NODES_MAX];
static size_t n_nodes;

const char *node(const char *path)
{
	for (size_t i = 0; i < n_nodes; i++)
		if (strcmp(nodes[i].path, path) == 0)
			return nodes[i].value;
	return NULL;
}

bool node_is(const char *path, const char *value)
{
	const char *is = node(path);

	return value ? is && strcmp(is, value) == 0 : !is;
}

void set_node(const char *path, const char *value)
{
	size_t i;

	for (i = 0; i < n_nodes && strcmp(nodes[i].path, path) != 0;)
		i++;
	assert_true(i < NODES_MAX);
	snprintf(nodes[i].path, sizeof(nodes[i].path), "%s", path);
	snprintf(nodes[i].value, sizeof(nodes[i].value), "%s", value);
	if (i == n_nodes)
		n_nodes++;
}

void remove_node(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < n_nodes;) {
		const char *p = nodes[i].path;

		if (strncmp(p, path, length) == 0 && (!p[length] || p[length] == '/'))
			nodes[i] = nodes[--n_nodes];
		else
			i++;
	}
}

void nodes_clear(void)
{
	n_nodes = 0;
}

size_t nodes_count(void)
{
	return n_nodes;
}
