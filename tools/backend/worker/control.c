/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fdpass.h"
#include "worker/control-vif.h"

#define MAX_DEVICES  1024
#define SEND_TIMEOUT 10000 /* ms; a broker that does not read for so long is gone */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int control_send(int sock, const struct worker_msg *msg)
{
	struct pollfd p = { .fd = sock, .events = POLLOUT };
	int r;

	for (;;) {
		r = fdpass_send(sock, msg, sizeof(*msg), NULL, 0);
		if (r != -EAGAIN)
			return r;
		if (poll(&p, 1, SEND_TIMEOUT) == 0)
			return -ETIMEDOUT;
	}
}

int control_reply(struct control *c, const struct worker_msg *to, int error, const char *text)
{
	struct worker_msg msg = {
		.type = WORKER_REPLY,
		.seq = to->seq,
		.class = to->class,
		.devid = to->devid,
		.reply.error = error,
	};

	if (error)
		snprintf(msg.reply.text, sizeof(msg.reply.text), "%s", text);
	return control_send(c->sock, &msg);
}

static void ring_failed(void *arg, uint32_t class, uint32_t devid, uint32_t ring, int error,
			const char *text)
{
	struct control *c = arg;
	struct worker_msg msg = {
		.type = WORKER_RING_ERROR,
		.class = class,
		.devid = devid,
		.ring_error = { .ring = ring, .error = error },
	};
	int r;

	snprintf(msg.ring_error.text, sizeof(msg.ring_error.text), "%s", text);
	r = control_send(c->sock, &msg);
	if (r < 0)
		log_error(r, "cannot report a failed ring to the broker: %m");
}

int control_hello(struct control *c, struct worker_msg *ret)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };
	struct worker_msg msg;
	size_t n;
	int r;

	do {
		poll(&p, 1, -1);
		r = fdpass_recv(c->sock, &msg, sizeof(msg), NULL, 0, &n);
	} while (r == -EAGAIN);
	if (r < 0)
		return r;
	if (msg.type != WORKER_HELLO || msg.hello.version != WORKER_PROTO_VERSION) {
		control_reply(c, &msg, -EPROTO, "expected HELLO of this protocol version");
		return -EPROTO;
	}
	c->env.hello = msg.hello;
	c->env.ring_failed = ring_failed;
	c->env.arg = c;
	c->env.ended_event = c->ended_event;
	*ret = msg;
	return 0;
}

static struct device *find(struct control *c, uint32_t devid)
{
	struct device *d = c->devices;

	while (d && d->about.devid != devid)
		d = d->next;
	return d;
}

static int attach(struct control *c, const struct worker_msg *msg, int *fds, size_t n, char *error)
{
	struct device *d;
	int r;

	if (n != DEVICE_FDS) {
		snprintf(error, WORKER_ERROR_SIZE, "ATTACH with %zu descriptors, not %d", n,
			 DEVICE_FDS);
		return -EPROTO;
	}
	if (find(c, msg->devid)) {
		snprintf(error, WORKER_ERROR_SIZE, "the disk is attached already");
		return -EEXIST;
	}
	if (c->nr_devices == MAX_DEVICES) {
		snprintf(error, WORKER_ERROR_SIZE, "%u disks are attached, no more fit",
			 c->nr_devices);
		return -ENOSPC;
	}
	r = device_new(&c->env, msg->devid, &msg->attach, fds, &d, error);
	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
	if (r < 0)
		return r;
	d->next = c->devices;
	c->devices = d;
	c->nr_devices++;
	return 0;
}

static int connect_rings(struct device *d, const struct worker_msg *msg, int *fds, size_t n,
			 char *error)
{
	int r;

	if (n != msg->connect.rings || n > WORKER_MAX_RINGS) {
		snprintf(error, WORKER_ERROR_SIZE, "CONNECT of %u rings with %zu descriptors",
			 msg->connect.rings, n);
		return -EPROTO;
	}
	r = device_connect(d, &msg->connect, fds, error);
	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
	return r;
}

static int detach(struct control *c, struct device *d, char *error)
{
	struct device **link = &c->devices;

	if (d->state != DEVICE_ATTACHED) {
		snprintf(error, WORKER_ERROR_SIZE, "the disk is still connected");
		return -EBUSY;
	}
	while (*link != d)
		link = &(*link)->next;
	*link = d->next;
	c->nr_devices--;
	device_free(d);
	return 0;
}

/* The answer to @msg waits for the queues of @d to end. */
static void owe_reply(struct device *d, uint32_t seq, int error, const char *text)
{
	d->reply_owed = true;
	d->reply_seq = seq;
	d->reply_error = error;
	snprintf(d->reply_text, sizeof(d->reply_text), "%s", text);
	d->drain_deadline = now_ms() + DEVICE_DRAIN_MS;
}

static int reply_stats(struct control *c, const struct worker_msg *msg, const struct device *d)
{
	struct worker_msg reply = {
		.type = WORKER_REPLY,
		.seq = msg->seq,
		.class = WORKER_VBD,
		.devid = msg->devid,
	};

	device_stats(d, &reply.reply.stats);
	return control_send(c->sock, &reply);
}

static int handle_disk(struct control *c, const struct worker_msg *msg, int *fds, size_t n)
{
	char error[WORKER_ERROR_SIZE] = "";
	struct device *d = find(c, msg->devid);
	int r = 0;

	if (msg->type != WORKER_ATTACH && !d)
		return control_reply(c, msg, -ENOENT, "no such disk is attached");
	if (d && d->reply_owed)
		return control_reply(c, msg, -EBUSY, "the disk is still being disconnected");

	switch (msg->type) {
	case WORKER_ATTACH:
		r = attach(c, msg, fds, n, error);
		break;
	case WORKER_CONNECT:
		r = connect_rings(d, msg, fds, n, error);
		if (r < 0 && d->state == DEVICE_DRAINING) {
			owe_reply(d, msg->seq, r, error);
			return 0;
		}
		break;
	case WORKER_DISCONNECT:
		device_disconnect(d);
		if (d->state == DEVICE_DRAINING) {
			owe_reply(d, msg->seq, 0, "");
			return 0;
		}
		break;
	case WORKER_DETACH:
		r = detach(c, d, error);
		break;
	case WORKER_RESIZE:
		if (msg->resize.size < d->image.logical_block || msg->resize.size > INT64_MAX) {
			r = -EINVAL;
			snprintf(error, sizeof(error), "size of %" PRIu64 " bytes",
				 msg->resize.size);
			break;
		}
		device_resize(d, msg->resize.size);
		break;
	case WORKER_STATS:
		return reply_stats(c, msg, d);
	default:
		r = -EPROTO;
		snprintf(error, sizeof(error), "message type %u is unknown", msg->type);
		break;
	}
	return control_reply(c, msg, r, error);
}

static int receive(struct control *c)
{
	int fds[FDPASS_MAX];
	struct worker_msg msg;
	size_t n = 0;
	int r;

	r = fdpass_recv(c->sock, &msg, sizeof(msg), fds, FDPASS_MAX, &n);
	if (r < 0)
		return r == -EAGAIN || r == -EINTR ? 0 : r;
	switch (msg.class) {
	case WORKER_VBD:
		r = handle_disk(c, &msg, fds, n);
		break;
	case WORKER_VIF:
		r = control_vif(c, &msg, fds, n);
		break;
	default:
		r = control_reply(c, &msg, -EPROTO, "message of an unknown class");
		break;
	}
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
	return r;
}

static void reply_owed(struct control *c, struct device *d, int error, const char *text)
{
	const struct worker_msg to = {
		.seq = d->reply_seq,
		.class = WORKER_VBD,
		.devid = d->about.devid,
	};

	control_reply(c, &to, error, text);
	d->reply_owed = false;
}

/* Answer for the disks whose draining is over, or takes too long. Returns a poll timeout. */
static int settle(struct control *c)
{
	uint64_t now = now_ms(), wait = UINT64_MAX;
	char text[WORKER_ERROR_SIZE];

	for (struct device *d = c->devices; d; d = d->next) {
		if (d->state != DEVICE_DRAINING)
			continue;
		if (device_drained(d)) {
			if (d->reply_owed)
				reply_owed(c, d, d->reply_error, d->reply_text);
		} else if (d->reply_owed && now >= d->drain_deadline) {
			snprintf(text, sizeof(text),
				 "%u requests are still in flight after %u s; the storage does not "
				 "answer",
				 device_in_flight(d), DEVICE_DRAIN_MS / 1000);
			reply_owed(c, d, -ETIMEDOUT, text);
		} else if (d->reply_owed && d->drain_deadline - now < wait) {
			wait = d->drain_deadline - now;
		}
	}
	return wait == UINT64_MAX ? -1 : (int)wait + 1;
}

int control_run(struct control *c)
{
	struct pollfd p[2] = {
		{ .fd = c->sock, .events = POLLIN },
		{ .fd = c->ended_event, .events = POLLIN },
	};
	eventfd_t ignored;
	int r;

	for (;;) {
		if (poll(p, 2, settle(c)) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[1].revents)
			eventfd_read(c->ended_event, &ignored);
		if (!p[0].revents)
			continue;
		r = receive(c);
		if (r == -ECONNRESET || r == -EPIPE)
			return 0; /* the broker is gone */
		if (r < 0)
			return r;
	}
}
