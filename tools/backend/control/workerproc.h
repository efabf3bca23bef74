/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One guest's worker: the process, its socket, and the requests that are on
 * their way. Knows nothing of xenstore or of handshakes.
 *
 * Every request is answered: by the worker, or with -ECONNRESET when it died, or
 * was killed because it did not answer in time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "worker/proto.h"

struct workerproc;

struct workerproc_settings {
	const char *path;
	const char *user; /* the worker changes to this user; empty: it stays */
	struct worker_hello hello;
	unsigned int answer_timeout_s;
};

/* The answer to one request; @reply->error is 0 or a negative errno. */
typedef void (*workerproc_reply_fn)(void *userdata, const struct worker_reply *reply);

struct workerproc_events {
	/* a ring of @devid was stopped */
	void (*ring_error)(void *userdata, enum worker_class class, uint32_t devid,
			   const struct worker_ring_error *error);
	/*
	 * The process is gone and all requests have been answered. @why is one
	 * line. The callee frees the workerproc.
	 */
	void (*died)(void *userdata, const char *why);
};

/* Start a worker and say HELLO. SIGCHLD has to be blocked, in all threads. */
int workerproc_start(sd_event *event, const struct workerproc_settings *settings,
		     const struct workerproc_events *events, void *userdata,
		     struct workerproc **ret);

/*
 * Close the socket, which makes a worker end at once, and forget it; requests
 * on their way are dropped without an answer. The zombie is reaped by the loop.
 */
void workerproc_free(struct workerproc *w);

pid_t workerproc_pid(const struct workerproc *w);

/*
 * workerproc_request - send a request
 * @msg: type, devid and contents; the seq is set here
 * @fds, @n: descriptors to go with it; taken over, also on failure
 *
 * Errors: -ENOMEM, -ECONNRESET (it died, and died() is going to be called).
 */
int workerproc_request(struct workerproc *w, struct worker_msg *msg, int *fds, size_t n,
		       workerproc_reply_fn fn, void *userdata);

/* Drop the callbacks of requests made with @userdata: their owner goes away. */
void workerproc_cancel(struct workerproc *w, const void *userdata);
