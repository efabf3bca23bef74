// SPDX-License-Identifier: GPL-2.0-or-later
/* The image of a device: which one, opening it, trying again, its size. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "control/device.h"
#include "control/image.h"
#include "control/nodes.h"
#include "control/status.h"
#include "lib/cleanup.h"

/* How long an own fence, which goes with the last I/O of a dead worker, is waited for. */
#define FENCE_PATIENCE_US UINT64_C(3000000)
/* A device that we found here at start was ours: its old worker may be ending still. */
#define FOUND_PATIENCE_US UINT64_C(3000000)
#define RETRY_FIRST_US    UINT64_C(10000)
#define RETRY_MAX_US      UINT64_C(1000000)

static void refuse(struct device *dev, const char *text)
{
	log_full(LOG_ERR, &dev->about, 0, "refused: %s", text);
	device_set_error(dev, text);
	dev->hs.image = HS_IMAGE_REFUSED;
	dev->hs.refusal_told = false;
	device_kick(dev);
}

void device_choose_image(struct device *dev)
{
	_cleanup_free_ char *physical = NULL, *physical_path = NULL, *copy = NULL;
	struct xs_conn *xs = dev->broker->xs;
	struct image_choice choice;
	char error[512];
	int r;

	if (dev->params &&
	    !strncmp(dev->params, IMAGE_REFUSED_PREFIX, strlen(IMAGE_REFUSED_PREFIX))) {
		/* We refused it before we were restarted; its reason stands in xenstore. */
		dev->hs.image = HS_IMAGE_REFUSED;
		dev->hs.refusal_told = true;
		return;
	}
	xsc_read(xs, XBT_NULL, dev->dir, "physical-device", &physical);
	xsc_read(xs, XBT_NULL, dev->dir, "physical-device-path", &physical_path);
	const struct image_nodes nodes = { dev->script, dev->params, physical, physical_path };

	r = image_choose(&nodes, &choice, error, sizeof(error));
	if (r < 0) {
		refuse(dev, error);
		return;
	}
	if (r == 0) {
		dev->hs.image = HS_IMAGE_LATER;
		return;
	}
	copy = strdup(choice.path);
	if (!copy)
		return; /* asked again with the next event */
	free(dev->path);
	dev->path = TAKE_PTR(copy);
	dev->check_rdev = choice.check_rdev;
	dev->major = choice.major;
	dev->minor = choice.minor;
	dev->hs.image = HS_IMAGE_CLOSED;
}

void device_close_image(struct device *dev)
{
	opener_cancel(dev->opener);
	opener_cancel(dev->refresher);
	dev->opener = dev->refresher = NULL;
	close_fd(&dev->image.fd);
	if (dev->hs.image == HS_IMAGE_READY || dev->hs.image == HS_IMAGE_OPENING)
		dev->hs.image = HS_IMAGE_CLOSED;
}

static uint64_t now(const struct device *dev)
{
	uint64_t t = 0;

	sd_event_now(dev->broker->event, CLOCK_MONOTONIC, &t);
	return t;
}

/* May a failure be a matter of waiting? */
static bool worth_waiting(struct device *dev, int err)
{
	/* The guest is connected and waits with us, however long it takes. */
	if (dev->hs.ours == XenbusStateConnected && dev->hs.online)
		return true;
	if (dev->open_until == 0) {
		if (err == -EAGAIN)
			dev->open_until = now(dev) + FENCE_PATIENCE_US;
		else if (err == -EBUSY && dev->found)
			dev->open_until = now(dev) + FOUND_PATIENCE_US;
	}
	return (err == -EAGAIN || err == -EBUSY) && now(dev) < dev->open_until;
}

static void on_open_failed(struct device *dev, int err, const char *text)
{
	uint64_t delay;

	if (!worth_waiting(dev, err)) {
		refuse(dev, text);
		return;
	}
	delay = RETRY_FIRST_US << (dev->tries < 10 ? dev->tries : 10);
	if (delay > RETRY_MAX_US)
		delay = RETRY_MAX_US;
	dev->tries++;
	/* The first few are the old worker's last I/O; after that somebody should know. */
	if (delay == RETRY_MAX_US && (!dev->error || strcmp(dev->error, text))) {
		log_full(LOG_ERR, &dev->about, 0, "the guest waits for its disk: %s", text);
		device_set_error(dev, text);
		nodes_tell_error(dev);
	}
	device_retry_later(dev, delay);
}

static void on_opened(void *userdata, const struct opener_reply *reply)
{
	struct device *dev = userdata;

	dev->opener = NULL;
	if (reply->err < 0) {
		on_open_failed(dev, reply->err, reply->error);
		return;
	}
	dev->image = reply->image;
	dev->image_dev = reply->dev;
	dev->image_ino = reply->ino;
	dev->tries = 0;
	dev->open_until = 0;
	dev->hs.image = HS_IMAGE_READY;
	if (dev->error) {
		device_set_error(dev, NULL);
		nodes_clear_error(dev);
	}
	log_full(LOG_INFO, &dev->about, 0, "opened %s: %" PRIu64 " bytes, %s%s%s", dev->path,
		 dev->image.size, dev->image.readonly ? "read-only" : "read-write",
		 dev->shared ? ", shared" : "", dev->image.direct ? ", direct I/O" : "");
	device_kick(dev);
}

/* A connected guest has unplugged its emulated disks long ago. */
static enum storage_exclusion exclusion(const struct device *dev)
{
	if (!dev->hvm || dev->hs.ours == XenbusStateConnected)
		return STORAGE_EXCLUDE_ALL;
	return dev->found ? STORAGE_EXCLUDE_BESIDE : STORAGE_EXCLUDE_LATER;
}

void device_open(struct device *dev)
{
	const struct opener_request request = {
		.op = OPENER_OPEN,
		.path = dev->path,
		.check_rdev = dev->check_rdev,
		.major = dev->major,
		.minor = dev->minor,
		.params = {
			.readonly = dev->readonly,
			.shared = dev->shared,
			.direct = dev->broker->options.direct,
			.discard = dev->discard,
			.exclusion = exclusion(dev),
			.domid = dev->domid,
			.devid = dev->devid,
		},
	};
	int r;

	dev->opened = request.params;
	dev->hs.image = HS_IMAGE_OPENING;
	r = opener_start(dev->broker->openers, &request, dev->broker->options.open_timeout,
			 on_opened, dev, &dev->opener);
	if (r < 0) {
		char text[256];

		errno = -r;
		snprintf(text, sizeof(text), "cannot open %.128s: %m", dev->path);
		on_open_failed(dev, r, text);
	}
}

static void on_refreshed(void *userdata, const struct opener_reply *reply)
{
	struct device *dev = userdata;

	dev->refresher = NULL;
	if (dev->hs.image != HS_IMAGE_READY)
		return;
	if (reply->err < 0) {
		log_full(LOG_WARNING, &dev->about, 0, "cannot read the size of its image: %s",
			 reply->err == -ESTALE ? "the path leads to another file now"
					       : reply->error);
		return;
	}
	if (reply->image.size == dev->image.size)
		return;
	if (reply->image.size == 0 || reply->image.size % dev->image.logical_block) {
		log_full(LOG_WARNING, &dev->about, 0,
			 "the new size of %s, %" PRIu64 " bytes, is not a multiple of %u: ignored",
			 dev->path, reply->image.size, dev->image.logical_block);
		return;
	}
	device_resize(dev, reply->image.size);
}

void device_look_at_size(struct device *dev)
{
	const struct opener_request request = {
		.op = OPENER_REFRESH,
		.path = dev->path,
		.dev = dev->image_dev,
		.ino = dev->image_ino,
		.image = dev->image,
	};

	if (dev->hs.image != HS_IMAGE_READY || dev->refresher)
		return;
	opener_start(dev->broker->openers, &request, dev->broker->options.open_timeout,
		     on_refreshed, dev, &dev->refresher);
}
