/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixed-size messages with descriptors over a SOCK_SEQPACKET socket.
 */
#pragma once

#include <stddef.h>

#define FDPASS_MAX 64

/*
 * fdpass_send - send one message and duplicates of @n descriptors with it
 * @n: 0..FDPASS_MAX
 *
 * The caller keeps its own descriptors. Never raises SIGPIPE.
 * Errors: -EAGAIN (non-blocking socket is full), -EPIPE, -ECONNRESET, others of sendmsg(2).
 */
int fdpass_send(int sock, const void *msg, size_t size, const int *fds, size_t n);

/*
 * fdpass_recv - receive one message of exactly @size bytes
 * @fds: room for @max_fds descriptors, 0..FDPASS_MAX
 * @ret_n: how many arrived; they are CLOEXEC and belong to the caller
 *
 * A message of another size, or with more descriptors than @max_fds, is thrown
 * away with all that came with it.
 * Errors: -EAGAIN, -ECONNRESET (the peer closed), -EBADMSG (wrong size or too
 * many descriptors), others of recvmsg(2).
 */
int fdpass_recv(int sock, void *msg, size_t size, int *fds, size_t max_fds, size_t *ret_n);
