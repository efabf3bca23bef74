/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small xenstore client over /dev/xen/xenbus (xs_wire.h). Requests are
 * synchronous; watch events that arrive meanwhile are kept for xs_event().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct xs;

/* Returns 0 or a negative errno. */
int xs_open(struct xs **ret);

/* Readable when a watch event may be waiting. */
int xs_fd(const struct xs *xs);

/*
 * xs_read - the value of a node
 * @ret: receives a malloc'd copy, with a NUL that is not counted in @ret_len
 *
 * Returns 0 or a negative errno (-ENOENT: no such node).
 */
int xs_read(struct xs *xs, const char *path, char **ret, size_t *ret_len);
int xs_write(struct xs *xs, const char *path, const void *value, size_t len);

/* Watch a subtree; its events carry @token. */
int xs_watch(struct xs *xs, const char *path, const char *token);
int xs_unwatch(struct xs *xs, const char *path, const char *token);

/* True when xs_event() has an event at hand that the descriptor no longer shows. */
bool xs_pending(const struct xs *xs);

/*
 * xs_event - take the next watch event without waiting
 *
 * Returns 1 and malloc'd @ret_path and @ret_token, 0 when there is none, or a
 * negative errno when the connection is lost.
 */
int xs_event(struct xs *xs, char **ret_path, char **ret_token);
