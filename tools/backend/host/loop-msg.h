/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the test bench with descriptors, for loop.c and the programs under tests/. */
#pragma once

#include <sys/types.h>

#include "loop-proto.h"

/*
 * loop_connect - connect to the hub
 * @path: its socket; NULL means the environment variable XENPV_LOOP_SOCKET
 *
 * Returns the descriptor (CLOEXEC) or a negative errno.
 */
int loop_connect(const char *path);

/* Send one message with @nfds descriptors, which stay the caller's. Returns 0 or -errno. */
int loop_send(int sock, const struct loop_msg *msg, const int *fds, int nfds);

/*
 * loop_recv - receive one message
 * @fds: LOOP_MAX_FDS descriptors, now the caller's (CLOEXEC); -1 where none came
 * @ret_pid: who sent it, where the socket has SO_PASSCRED; may be NULL
 * @flags: of recvmsg(), e.g. MSG_DONTWAIT
 *
 * Returns 0, -ECONNRESET when the peer is gone, -EAGAIN, or another negative errno.
 */
int loop_recv(int sock, struct loop_msg *ret, int fds[LOOP_MAX_FDS], pid_t *ret_pid, int flags);

/*
 * loop_call - send a request and wait for its answer
 * @msg: the request; on success the answer
 * @fds: LOOP_MAX_FDS descriptors of the answer, or NULL when none is expected
 *
 * Waits for at most 10 s. Returns 0, the negative errno of the answer, or that of the
 * failed call. Not for several threads on one socket at the same time.
 */
int loop_call(int sock, struct loop_msg *msg, int fds[LOOP_MAX_FDS]);

void loop_close_fds(int fds[LOOP_MAX_FDS]);
