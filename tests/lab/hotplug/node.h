/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the lab's hotplug scripts share: the nodes of the device that they were called for. */
#pragma once

struct xs;

struct device {
	struct xs *xs;
	const char *dir; /* XENBUS_PATH */
};

/* Connect to xenstore for the device that libxl named; 0 or a negative errno. */
int device_open(struct device *d);

/* The value of a node, owned by the caller, or NULL. */
char *node_read(struct device *d, const char *name);

/* 0 or a negative errno. */
int node_write(struct device *d, const char *name, const char *value);

/* Tell the toolstack that @what failed with the errno @error; returns the exit status, 1. */
int node_fail(struct device *d, const char *what, int error);
