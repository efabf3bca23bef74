/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control thread of the worker: messages of proto.h on the broker's socket. */
#pragma once

#include "worker/device.h"

struct vif;

struct control {
	int sock;
	int ended_event;
	struct device_env env;
	struct device *devices;
	uint32_t nr_devices;
	struct vif *vifs;
	uint32_t nr_vifs;
};

/*
 * control_hello - await the first message, which says whom we serve
 * @ret: to be answered with control_reply() when the worker is ready
 *
 * Errors: -EPROTO (no HELLO, or of another version; answered already), those of recvmsg(2).
 */
int control_hello(struct control *c, struct worker_msg *ret);

/* Send one message; they go out whole, so any thread may. */
int control_send(int sock, const struct worker_msg *msg);

/* Answer the message @to; @error 0 or a negative errno, explained by @text. */
int control_reply(struct control *c, const struct worker_msg *to, int error, const char *text);

/* Serve until the socket closes (0) or fails (negative errno). c->env is complete. */
int control_run(struct control *c);
