// SPDX-License-Identifier: GPL-2.0-or-later
/* The data path of a device: what is asked of the guest's worker, and what follows. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/device.h"
#include "control/guest.h"
#include "control/nodes.h"
#include "control/status.h"
#include "host/host.h"
#include "lib/cleanup.h"

#define REATTACH_RETRY_US     UINT64_C(20000)
#define REATTACH_RETRY_MAX_US UINT64_C(1000000)

static void send_connect(struct device *dev);

static void link_down(struct device *dev)
{
	dev->hs.link = HS_LINK_DOWN;
	status_changed(dev->broker);
	device_kick(dev);
}

void device_connect_failed(struct device *dev, const char *text)
{
	uint64_t delay = REATTACH_RETRY_US << (dev->tries < 10 ? dev->tries : 10);

	if (!dev->reattach) {
		device_fault(dev, text);
		return;
	}
	if (delay >= REATTACH_RETRY_MAX_US) {
		delay = REATTACH_RETRY_MAX_US;
		device_tell_trouble(dev, "cannot serve its guest again", text);
	}
	dev->tries++;
	device_retry_later(dev, delay);
}

static void kept_path(const struct device *dev, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s.%s", dev->broker->options.runtime_dir, dev->about.name,
		 dev->class->kept);
}

void device_counters_name(const struct device *dev, char *buf, size_t size)
{
	snprintf(buf, size, "%s.counters", dev->about.name);
}

static void counters_path(const struct device *dev, char *buf, size_t size)
{
	char name[sizeof(dev->about.name) + 16];

	device_counters_name(dev, name, sizeof(name));
	snprintf(buf, size, "%s/%s", dev->broker->options.runtime_dir, name);
}

static void remove_file(const struct device *dev, const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		log_full(LOG_WARNING, &dev->about, -errno, "cannot remove %s: %m", path);
}

void device_remove_kept(struct device *dev)
{
	char path[PATH_MAX];

	kept_path(dev, path, sizeof(path));
	remove_file(dev, path);
	counters_path(dev, path, sizeof(path));
	remove_file(dev, path);
	dev->counted = false;
}

static int open_kept(struct device *dev)
{
	char path[PATH_MAX];
	int fd;

	kept_path(dev, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (dev->reattach ? 0 : O_TRUNC),
		  0600);
	return fd < 0 ? -errno : fd;
}

/*
 * Goes on as long as the device is attached, whatever becomes of workers, brokers and
 * connections. We only make it: what is in it is the worker's word.
 */
static int open_counters(struct device *dev)
{
	bool ours = dev->reattach || dev->counted;
	char path[PATH_MAX];
	int fd;

	counters_path(dev, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (ours ? 0 : O_TRUNC), 0600);
	if (fd < 0)
		return -errno;
	dev->counted = true;
	return fd;
}

/* Returns 0, -EAGAIN when the device was put off, or -errno after connect_failed(). */
static int get_worker(struct device *dev, struct workerproc **ret)
{
	uint64_t delay = 0;
	char text[128];
	int r;

	r = guest_worker(dev->guest, ret, &delay);
	if (r == -EAGAIN) {
		device_retry_later(dev, delay);
	} else if (r < 0) {
		errno = -r;
		snprintf(text, sizeof(text), "cannot start a worker: %m");
		device_connect_failed(dev, text);
	}
	return r;
}

/* For requests that end a link: without a worker there is nothing left to do. */
static void request_or_down(struct device *dev, enum worker_msg_type type, workerproc_reply_fn fn)
{
	struct worker_msg msg = { .type = type, .class = dev->class->worker, .devid = dev->devid };

	dev->hs.link = HS_LINK_BUSY;
	if (!dev->guest->worker ||
	    workerproc_request(dev->guest->worker, &msg, NULL, 0, fn, dev) < 0) {
		struct worker_reply reply = { .error = -ECONNRESET };

		fn(dev, &reply);
	}
}

static void warn_reply(struct device *dev, const char *what, const struct worker_reply *reply)
{
	if (reply->error < 0 && reply->error != -ECONNRESET)
		log_full(LOG_WARNING, &dev->about, reply->error, "%s: %s: %m", what, reply->text);
}

static void on_connected(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;
	int r;

	dev->connecting = false;
	if (reply->error == -ECONNRESET) {
		link_down(dev);
		return;
	}
	if (dev->reattach && !dev->kept_dropped &&
	    (reply->error == -EBADMSG || reply->error == -ESTALE)) {
		char path[PATH_MAX];

		/*
		 * Better to do some requests again than none ever: what the
		 * frontend has no answer to is taken from the ring.
		 */
		log_full(LOG_WARNING, &dev->about, 0,
			 "its %s is of no use (%s): going on from the ring alone", dev->class->kept,
			 reply->text);
		kept_path(dev, path, sizeof(path));
		if (truncate(path, 0) >= 0) {
			dev->kept_dropped = true;
			send_connect(dev);
			return;
		}
	}
	if (reply->error < 0) {
		device_connect_failed(dev, reply->text);
		return;
	}
	dev->tries = 0;
	dev->hs.link = HS_LINK_UP;
	status_changed(dev->broker);
	if (*dev->early_fault) {
		/* Its threads were quicker than the reply, and have ended. */
		device_fault_up(dev, dev->early_fault);
		return;
	}
	dev->class->connected(dev);
	if (dev->reattach) {
		log_full(LOG_NOTICE, &dev->about, 0, "serves its connected guest again");
	} else {
		/* -ESTALE: the toolstack was quicker; the next step sees what it wants. */
		r = nodes_connect(dev);
		if (r < 0 && r != -ESTALE)
			broker_xs_failed(dev->broker, dev, r, "connecting");
	}
	device_clear_error(dev);
	device_kick(dev);
}

static void send_connect(struct device *dev)
{
	const struct device_class *class = dev->class;
	struct worker_msg msg = {
		.type = class->connect,
		.class = class->worker,
		.devid = dev->devid,
	};
	int fds[WORKER_MAX_RINGS];
	struct workerproc *w;
	size_t n, wanted;

	if (get_worker(dev, &w) < 0)
		return;
	wanted = class->connect_msg(dev, &msg);
	for (n = 0; n < wanted; n++) {
		fds[n] = host_evtchn_open();
		if (fds[n] < 0) {
			char text[128];

			errno = -fds[n];
			snprintf(text, sizeof(text), "cannot open an event channel device: %m");
			while (n > 0)
				close(fds[--n]);
			device_connect_failed(dev, text);
			return;
		}
	}
	dev->early_fault[0] = '\0';
	dev->connecting = workerproc_request(w, &msg, fds, n, on_connected, dev) >= 0;
	if (!dev->connecting)
		link_down(dev);
}

static void on_attached(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;

	if (reply->error == -ECONNRESET) {
		link_down(dev);
		return;
	}
	if (reply->error < 0) {
		/* The descriptor is gone with the message. */
		dev->hs.attached = false;
		dev->class->returned(dev);
		device_connect_failed(dev, reply->text);
		return;
	}
	send_connect(dev);
}

static void send_attach(struct device *dev)
{
	const struct device_class *class = dev->class;
	struct worker_msg msg = {
		.type = class->attach,
		.class = class->worker,
		.devid = dev->devid,
	};
	int fds[WORKER_MAX_RINGS], kept, counters, r;
	char text[DEVICE_TEXT];
	struct workerproc *w;
	size_t n = 0;

	if (class->ready && !class->ready(dev))
		return;
	if (get_worker(dev, &w) < 0)
		return;
	kept = open_kept(dev);
	if (kept < 0) {
		errno = -kept;
		snprintf(text, sizeof(text), "cannot open its %s in %.128s: %m", class->kept,
			 dev->broker->options.runtime_dir);
		device_connect_failed(dev, text);
		return;
	}
	counters = open_counters(dev);
	if (counters < 0) {
		errno = -counters;
		snprintf(text, sizeof(text), "cannot open its counters in %.128s: %m",
			 dev->broker->options.runtime_dir);
		close(kept);
		device_connect_failed(dev, text);
		return;
	}
	r = class->attach_msg(dev, &msg, kept, fds, &n, text, sizeof(text));
	if (r < 0) {
		close(kept);
		close(counters);
		device_connect_failed(dev, text);
		return;
	}
	fds[n++] = counters;
	dev->hs.attached = true;
	if (workerproc_request(w, &msg, fds, n, on_attached, dev) < 0) {
		dev->hs.attached = false;
		class->returned(dev);
		link_down(dev);
	}
}

/* What the worker holds is not enough for this connection: it came back for more. */
static void on_returned(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;

	warn_reply(dev, "detaching", reply);
	dev->hs.attached = false;
	dev->class->returned(dev);
	if (reply->error == -ECONNRESET)
		link_down(dev);
	else
		send_attach(dev);
}

void device_connect(struct device *dev, bool reattach)
{
	char text[DEVICE_TEXT];

	dev->hs.link = HS_LINK_BUSY;
	dev->reattach = reattach;
	dev->kept_dropped = false;
	if (dev->class->parse(dev, text, sizeof(text)) < 0)
		device_connect_failed(dev, text);
	else if (!dev->hs.attached)
		send_attach(dev);
	else if (dev->class->outgrown && dev->class->outgrown(dev))
		request_or_down(dev, WORKER_DETACH, on_returned);
	else
		send_connect(dev);
}

static void on_disconnected(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;

	warn_reply(dev, "disconnecting", reply);
	dev->class->disconnected(dev);
	link_down(dev);
}

void device_disconnect(struct device *dev)
{
	request_or_down(dev, WORKER_DISCONNECT, on_disconnected);
}

static void on_detached(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;

	warn_reply(dev, "detaching", reply);
	dev->hs.attached = false;
	dev->class->returned(dev);
	link_down(dev);
}

void device_detach(struct device *dev)
{
	request_or_down(dev, WORKER_DETACH, on_detached);
}

static void on_reconfigured(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;

	/* A ring broke meanwhile, and the link is being taken down. */
	if (!dev->changing)
		return;
	dev->changing = false;
	if (reply->error == -ECONNRESET) {
		link_down(dev);
		return;
	}
	dev->hs.link = HS_LINK_UP;
	if (reply->error < 0) {
		device_fault_up(dev, reply->text);
		return;
	}
	dev->class->changed(dev);
	device_kick(dev);
}

void device_reconfigure(struct device *dev)
{
	struct worker_msg msg = { .class = dev->class->worker, .devid = dev->devid };
	struct workerproc *w = dev->guest->worker;

	dev->hs.link = HS_LINK_BUSY;
	dev->class->change_msg(dev, &msg);
	dev->changing = w && workerproc_request(w, &msg, NULL, 0, on_reconfigured, dev) >= 0;
	if (!dev->changing)
		link_down(dev);
}

void device_worker_died(struct device *dev)
{
	if (dev->hs.attached) {
		dev->hs.attached = false;
		dev->class->returned(dev);
	}
	dev->class->disconnected(dev);
	/* A busy link was ended by the answer that its request got. */
	if (dev->hs.link != HS_LINK_BUSY)
		dev->hs.link = HS_LINK_DOWN;
	device_kick(dev);
}

void device_ring_error(struct device *dev, const struct worker_ring_error *error)
{
	char text[WORKER_ERROR_SIZE + 32];

	snprintf(text, sizeof(text), "ring %u: %s", error->ring, error->text);
	if (dev->connecting) {
		/* What there is to take down is only known from the reply; the first word counts.
		 */
		if (!*dev->early_fault)
			memcpy(dev->early_fault, text, sizeof(text));
		return;
	}
	if (dev->hs.link != HS_LINK_UP && !dev->changing)
		return;
	dev->changing = false;
	device_fault_up(dev, text);
}
