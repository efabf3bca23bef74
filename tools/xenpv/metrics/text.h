/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A view in the text format of Prometheus (version 0.0.4). */
#pragma once

#include <stddef.h>

struct view;

/*
 * metrics_text - all figures of a view
 * @ret: allocated, NUL-terminated
 *
 * Of guests there are as many as the hypervisor has, of devices at most VIEW_DEVICES_MAX each.
 * -ENOMEM
 */
int metrics_text(const struct view *view, char **ret, size_t *ret_size);
