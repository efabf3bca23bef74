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
#include "control/frontend.h"
#include "control/guest.h"
#include "control/nodes.h"
#include "control/status.h"
#include "host/host.h"
#include "lib/cleanup.h"

#define REATTACH_RETRY_US     UINT64_C(20000)
#define REATTACH_RETRY_MAX_US UINT64_C(1000000)
/* The device model closes an image a moment after the guest has asked for it. */
#define UNPLUG_RETRY_US    UINT64_C(100000)
#define UNPLUG_TRIES_QUIET 20

static void send_connect(struct device *dev);

static void link_down(struct device *dev)
{
	dev->hs.link = HS_LINK_DOWN;
	status_changed(dev->broker);
	device_kick(dev);
}

/* Connecting failed. A frontend that is connected already waits with us; another is closed. */
static void connect_failed(struct device *dev, const char *text)
{
	uint64_t delay = REATTACH_RETRY_US << (dev->tries < 10 ? dev->tries : 10);

	if (!dev->reattach) {
		device_fault(dev, text);
		return;
	}
	if (delay >= REATTACH_RETRY_MAX_US) {
		delay = REATTACH_RETRY_MAX_US;
		if (!dev->error || strcmp(dev->error, text)) {
			log_full(LOG_ERR, &dev->about, 0, "cannot serve its guest again: %s", text);
			device_set_error(dev, text);
			nodes_tell_error(dev);
		}
	}
	dev->tries++;
	device_retry_later(dev, delay);
}

static void journal_path(const struct device *dev, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s.journal", dev->broker->options.runtime_dir, dev->about.name);
}

static int open_journal(struct device *dev)
{
	char path[PATH_MAX];
	int fd;

	journal_path(dev, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (dev->reattach ? 0 : O_TRUNC),
		  0600);
	return fd < 0 ? -errno : fd;
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
		connect_failed(dev, text);
	}
	return r;
}

/* For requests that end a link: without a worker there is nothing left to do. */
static void request_or_down(struct device *dev, enum worker_msg_type type, workerproc_reply_fn fn)
{
	struct worker_msg msg = { .type = type, .devid = dev->devid };

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

	if (reply->error == -ECONNRESET) {
		link_down(dev);
		return;
	}
	if (dev->reattach && !dev->journal_dropped &&
	    (reply->error == -EBADMSG || reply->error == -ESTALE)) {
		char path[PATH_MAX];

		/*
		 * Better to do some requests again than none ever: what the
		 * frontend has no answer to is taken from the ring.
		 */
		log_full(LOG_WARNING, &dev->about, 0,
			 "its journal is of no use (%s): going on from the ring alone",
			 reply->text);
		journal_path(dev, path, sizeof(path));
		if (truncate(path, 0) >= 0) {
			dev->journal_dropped = true;
			send_connect(dev);
			return;
		}
	}
	if (reply->error < 0) {
		connect_failed(dev, reply->text);
		return;
	}
	dev->tries = 0;
	dev->hs.link = HS_LINK_UP;
	status_changed(dev->broker);
	if (dev->reattach) {
		log_full(LOG_NOTICE, &dev->about, 0, "serves its connected guest again");
	} else {
		/* -ESTALE: the toolstack was quicker; the next step sees what it wants. */
		r = nodes_connect(dev);
		if (r < 0 && r != -ESTALE)
			broker_xs_failed(dev->broker, dev, r, "connecting");
		else if (r >= 0)
			log_full(LOG_INFO, &dev->about, 0,
				 "connected: %u ring%s of %u page%s, %u indirect segments%s",
				 dev->rings->rings, dev->rings->rings > 1 ? "s" : "",
				 dev->rings->ring_pages, dev->rings->ring_pages > 1 ? "s" : "",
				 dev->rings->max_indirect,
				 dev->rings->persistent ? ", persistent grants" : "");
	}
	if (dev->error) {
		device_set_error(dev, NULL);
		nodes_clear_error(dev);
	}
	if (dev->resize_wanted)
		device_look_at_size(dev);
	device_kick(dev);
}

static void send_connect(struct device *dev)
{
	struct worker_msg msg = { .type = WORKER_CONNECT, .devid = dev->devid };
	int fds[WORKER_MAX_RINGS];
	struct workerproc *w;
	uint32_t n;

	if (get_worker(dev, &w) < 0)
		return;
	msg.connect = *dev->rings;
	for (n = 0; n < dev->rings->rings; n++) {
		fds[n] = host_evtchn_open();
		if (fds[n] < 0) {
			char text[128];

			errno = -fds[n];
			snprintf(text, sizeof(text), "cannot open an event channel device: %m");
			while (n > 0)
				close(fds[--n]);
			connect_failed(dev, text);
			return;
		}
	}
	if (workerproc_request(w, &msg, fds, n, on_connected, dev) < 0)
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
		dev->hs.image = HS_IMAGE_CLOSED;
		connect_failed(dev, reply->text);
		return;
	}
	send_connect(dev);
}

/*
 * Take the image from the device model of an HVM guest, which closes it when the guest
 * unplugs the emulated disks: before its PV drivers start, if it does at all. Returns
 * false when the device was put off, or has failed.
 */
static bool exclude_device_model(struct device *dev)
{
	char text[320];
	int r;

	if (dev->opened.exclusion == STORAGE_EXCLUDE_ALL)
		return true;
	r = storage_exclude(&dev->opened, &dev->image);
	if (r >= 0) {
		dev->opened.exclusion = STORAGE_EXCLUDE_ALL;
		dev->unplug_tries = 0;
		return true;
	}
	if (r != -EBUSY) {
		errno = -r;
		snprintf(text, sizeof(text), "cannot lock %.128s: %m", dev->path);
		connect_failed(dev, text);
		return false;
	}
	if (++dev->unplug_tries == UNPLUG_TRIES_QUIET) {
		snprintf(text, sizeof(text),
			 "%.128s is in use, by the guest's device model unless it is something "
			 "else's: the guest has to unplug its emulated disks (xen_emul_unplug)",
			 dev->path);
		log_full(LOG_ERR, &dev->about, 0, "the guest waits for its disk: %s", text);
		device_set_error(dev, text);
		nodes_tell_error(dev);
	}
	device_retry_later(dev, UNPLUG_RETRY_US);
	return false;
}

static void send_attach(struct device *dev)
{
	struct worker_msg msg = { .type = WORKER_ATTACH, .devid = dev->devid };
	struct workerproc *w;
	int fds[2];

	if (!exclude_device_model(dev))
		return;
	if (get_worker(dev, &w) < 0)
		return;
	fds[1] = open_journal(dev);
	if (fds[1] < 0) {
		char text[256];

		errno = -fds[1];
		snprintf(text, sizeof(text), "cannot open its journal in %.128s: %m",
			 dev->broker->options.runtime_dir);
		connect_failed(dev, text);
		return;
	}
	fds[0] = TAKE_FD(dev->image.fd);
	msg.attach.image = dev->image;
	dev->hs.attached = true;
	if (workerproc_request(w, &msg, fds, 2, on_attached, dev) < 0) {
		dev->hs.attached = false;
		dev->hs.image = HS_IMAGE_CLOSED;
		link_down(dev);
	}
}

static int read_frontend(void *userdata, const char *key, char **ret)
{
	struct device *dev = userdata;

	return xsc_read(dev->broker->xs, XBT_NULL, dev->frontend, key, ret);
}

void device_connect(struct device *dev, bool reattach)
{
	struct frontend_limits limits;
	struct worker_connect rings;
	char text[256];
	int r;

	dev->hs.link = HS_LINK_BUSY;
	dev->reattach = reattach;
	dev->journal_dropped = false;
	r = nodes_read_offer(dev, &limits);
	if (r < 0) {
		errno = -r;
		snprintf(text, sizeof(text), "cannot read what was offered to the frontend: %m");
		connect_failed(dev, text);
		return;
	}
	/* The node is written with the others when connecting, so it is not there before. */
	if (!reattach)
		limits.persistent = dev->broker->options.persistent_grants;
	r = frontend_parse(read_frontend, dev, &limits, &rings, text, sizeof(text));
	if (r < 0) {
		connect_failed(dev, text);
		return;
	}
	rings.reattach = reattach;
	if (!dev->rings)
		dev->rings = malloc(sizeof(*dev->rings));
	if (!dev->rings) {
		connect_failed(dev, "out of memory");
		return;
	}
	*dev->rings = rings;
	if (dev->hs.attached)
		send_connect(dev);
	else
		send_attach(dev);
}

static void on_disconnected(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;

	warn_reply(dev, "disconnecting", reply);
	free(dev->rings);
	dev->rings = NULL;
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
	dev->hs.image = HS_IMAGE_CLOSED;
	link_down(dev);
}

void device_detach(struct device *dev)
{
	request_or_down(dev, WORKER_DETACH, on_detached);
}

static void on_resized(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;
	int r;

	if (reply->error < 0) {
		warn_reply(dev, "resizing", reply);
		return;
	}
	if (dev->hs.ours != XenbusStateConnected)
		return;
	r = nodes_resize(dev);
	if (r < 0 && r != -ESTALE)
		broker_xs_failed(dev->broker, dev, r, "resizing");
}

void device_resize(struct device *dev, uint64_t size)
{
	struct worker_msg msg = {
		.type = WORKER_RESIZE,
		.devid = dev->devid,
		.resize.size = size,
	};

	/* In the middle of a change the worker may or may not have the old size: ask later. */
	if (dev->hs.link == HS_LINK_BUSY) {
		dev->resize_wanted = true;
		return;
	}
	dev->resize_wanted = false;
	log_full(LOG_NOTICE, &dev->about, 0, "%s has changed its size from %llu to %llu bytes",
		 dev->path, (unsigned long long)dev->image.size, (unsigned long long)size);
	dev->image.size = size;
	if (dev->hs.attached && dev->guest->worker)
		workerproc_request(dev->guest->worker, &msg, NULL, 0, on_resized, dev);
	status_changed(dev->broker);
}

void device_worker_died(struct device *dev)
{
	if (dev->hs.attached) {
		dev->hs.attached = false;
		dev->hs.image = HS_IMAGE_CLOSED;
	}
	/* A busy link was ended by the answer that its request got. */
	if (dev->hs.link != HS_LINK_BUSY)
		dev->hs.link = HS_LINK_DOWN;
	device_kick(dev);
}

void device_ring_error(struct device *dev, const struct worker_ring_error *error)
{
	char text[WORKER_ERROR_SIZE + 32];

	if (dev->hs.link != HS_LINK_UP)
		return;
	snprintf(text, sizeof(text), "ring %u: %s", error->ring, error->text);
	device_fault(dev, text);
	/* Unlike a failed connect: there is something to take down first. */
	dev->hs.link = HS_LINK_BROKEN;
}
