// SPDX-License-Identifier: GPL-2.0-or-later
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xs.h"

int device_open(struct device *d)
{
	d->dir = getenv("XENBUS_PATH");
	if (!d->dir)
		return -EINVAL;
	return xs_open(&d->xs);
}

char *node_read(struct device *d, const char *name)
{
	char path[256], *value;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", d->dir, name);
	return xs_read(d->xs, path, &value, &len) < 0 ? NULL : value;
}

int node_write(struct device *d, const char *name, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", d->dir, name);
	return xs_write(d->xs, path, value, strlen(value));
}

int node_fail(struct device *d, const char *what, int error)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
	fprintf(stderr, "hotplug: %s\n", text);
	node_write(d, "hotplug-error", text);
	node_write(d, "hotplug-status", "error");
	return 1;
}
