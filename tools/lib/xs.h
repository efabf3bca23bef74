/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore on an sd-event loop, over libxenstore.
 *
 * Requests are synchronous round trips to xenstored on the same host. Watch
 * events arrive through the loop. The first watch makes libxenstore start a
 * reader thread (with all signals blocked), so a process that forks uses no
 * function of this file in the child before exec.
 *
 * Paths are absolute or relative to the own domain's home. Nearly every function
 * takes a directory and a key; an empty key means the directory's own node.
 *
 * All functions return 0 or a negative errno: -ENOENT (no such node), -EACCES,
 * -ENAMETOOLONG (path beyond xenstore's limit), quota errors of xenstored
 * as they are (-ENOSPC, -E2BIG). -EPIPE, -EBADF, -ENOTCONN mean that the
 * connection is gone, which no caller can repair: see xsc_is_fatal().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <xenstore.h>

struct xs_conn;
struct xs_watch;

/*
 * A watch fired. @path is the changed node as xenstored names it: relative if
 * the watch was set on a relative path; the watched path itself right after
 * xsc_watch(). The callback may remove any watch, also its own.
 */
typedef void (*xsc_watch_fn)(void *userdata, const char *path);

/* Connect; @event may be NULL if no watch is going to be used. */
int xsc_open(sd_event *event, struct xs_conn **ret);
void xsc_close(struct xs_conn *xs);
static inline void xsc_closep(struct xs_conn **xs)
{
	xsc_close(*xs);
}

/* Is @err (negative errno) the end of the connection? */
bool xsc_is_fatal(int err);

/* Watches. Those still set when the connection closes are freed with it. */
int xsc_watch(struct xs_conn *xs, const char *path, xsc_watch_fn fn, void *userdata,
	      struct xs_watch **ret);
void xsc_unwatch(struct xs_watch *w);

/*
 * xsc_read - read a node as text
 * @ret: allocated, owned by the caller
 *
 * A value with a NUL byte in it is refused with -EBADMSG.
 */
int xsc_read(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key, char **ret);

/* Read a strict decimal number within [min, max]: -EINVAL, -ERANGE as in parse.h. */
int xsc_read_u32(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key,
		 uint32_t min, uint32_t max, uint32_t *ret);

bool xsc_exists(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key);

int xsc_write(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key,
	      const char *value);
__attribute__((format(printf, 5, 6))) int xsc_printf(struct xs_conn *xs, xs_transaction_t t,
						     const char *dir, const char *key,
						     const char *fmt, ...);

/* Remove a node with all below it; a missing node is no error. */
int xsc_remove(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key);

/*
 * xsc_list - names of the children of a node
 * @ret: allocated as one block, free() it
 */
int xsc_list(struct xs_conn *xs, xs_transaction_t t, const char *dir, char ***ret,
	     unsigned int *ret_n);

/*
 * xsc_transaction - run @body within a transaction, again when others interfered
 *
 * @body returns 0 to commit, or a negative errno, which aborts and is returned.
 * It may run several times and so has no other effect than on @t and @userdata.
 * Gives up with -EAGAIN after XSC_TRANSACTION_TRIES conflicts.
 */
#define XSC_TRANSACTION_TRIES 64
typedef int (*xsc_body_fn)(struct xs_conn *xs, xs_transaction_t t, void *userdata);
int xsc_transaction(struct xs_conn *xs, xsc_body_fn body, void *userdata);

/* The own domain's id: node `domid` of the own home; 0 if dom0's toolstack did not write it. */
int xsc_own_domid(struct xs_conn *xs, uint32_t *ret);
