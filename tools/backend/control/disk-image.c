// SPDX-License-Identifier: GPL-2.0-or-later
/* The image of a disk: which one, opening it, trying again, its size. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "control/disk.h"
#include "control/image.h"
#include "control/status.h"
#include "lib/cleanup.h"

/* How long an own fence, which goes with the last I/O of a dead worker, is waited for. */
#define FENCE_PATIENCE_US UINT64_C(3000000)
/* A device that we found here at start was ours: its old worker may be ending still. */
#define FOUND_PATIENCE_US UINT64_C(3000000)
/* The kernel writes a block device back before the claim of a worker that died is over. */
#define CLAIM_PATIENCE_US UINT64_C(30000000)
#define RETRY_FIRST_US    UINT64_C(10000)
#define RETRY_MAX_US      UINT64_C(1000000)

void disk_choose(struct device *dev)
{
	struct disk *disk = to_disk(dev);
	_cleanup_free_ char *physical = NULL, *physical_path = NULL, *copy = NULL;
	struct xs_conn *xs = dev->broker->xs;
	struct image_choice choice;
	char error[512];
	int r;

	if (disk->params &&
	    !strncmp(disk->params, IMAGE_REFUSED_PREFIX, strlen(IMAGE_REFUSED_PREFIX))) {
		/* We refused it before we were restarted; its reason stands in xenstore. */
		dev->hs.image = HS_IMAGE_REFUSED;
		dev->hs.refusal_told = true;
		return;
	}
	xsc_read(xs, XBT_NULL, dev->dir, "physical-device", &physical);
	xsc_read(xs, XBT_NULL, dev->dir, "physical-device-path", &physical_path);
	const struct image_nodes nodes = { disk->script, disk->params, physical, physical_path };

	r = image_choose(&nodes, &choice, error, sizeof(error));
	if (r < 0) {
		device_refuse(dev, error);
		return;
	}
	if (r == 0) {
		dev->hs.image = HS_IMAGE_LATER;
		return;
	}
	copy = strdup(choice.path);
	if (!copy)
		return; /* asked again with the next event */
	free(disk->path);
	disk->path = TAKE_PTR(copy);
	disk->check_rdev = choice.check_rdev;
	disk->major = choice.major;
	disk->minor = choice.minor;
	dev->hs.image = HS_IMAGE_CLOSED;
}

bool disk_opening(const struct device *dev)
{
	return to_const_disk(dev)->opener;
}

void disk_close(struct device *dev, bool gone)
{
	struct disk *disk = to_disk(dev);

	(void)gone;
	opener_cancel(disk->opener);
	opener_cancel(disk->refresher);
	disk->opener = disk->refresher = NULL;
	close_fd(&disk->image.fd);
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
static bool worth_waiting(struct disk *disk, int err)
{
	const struct device *dev = &disk->dev;

	/* The guest is connected and waits with us, however long it takes. */
	if (dev->hs.ours == XenbusStateConnected && dev->hs.online)
		return true;
	if (disk->open_until == 0) {
		if (err == -EAGAIN)
			disk->open_until = now(dev) + FENCE_PATIENCE_US;
		else if (err == -EBUSY && disk->handed)
			disk->open_until = now(dev) + CLAIM_PATIENCE_US;
		else if (err == -EBUSY && dev->found)
			disk->open_until = now(dev) + FOUND_PATIENCE_US;
	}
	return (err == -EAGAIN || err == -EBUSY) && now(dev) < disk->open_until;
}

static void on_open_failed(struct disk *disk, int err, const char *text)
{
	struct device *dev = &disk->dev;
	uint64_t delay;

	if (!worth_waiting(disk, err)) {
		device_refuse(dev, text);
		return;
	}
	delay = RETRY_FIRST_US << (dev->tries < 10 ? dev->tries : 10);
	if (delay > RETRY_MAX_US)
		delay = RETRY_MAX_US;
	dev->tries++;
	/* The first few are the old worker's last I/O; after that somebody should know. */
	if (delay == RETRY_MAX_US)
		device_tell_trouble(dev, "the guest waits for its disk", text);
	device_retry_later(dev, delay);
}

static void on_opened(void *userdata, const struct opener_reply *reply)
{
	struct disk *disk = userdata;
	struct device *dev = &disk->dev;

	disk->opener = NULL;
	if (reply->err < 0) {
		on_open_failed(disk, reply->err, reply->error);
		return;
	}
	disk->image = reply->image;
	disk->image_dev = reply->dev;
	disk->image_ino = reply->ino;
	dev->tries = 0;
	disk->open_until = 0;
	dev->hs.image = HS_IMAGE_READY;
	device_clear_error(dev);
	log_full(LOG_INFO, &dev->about, 0, "opened %s: %" PRIu64 " bytes, %s%s%s", disk->path,
		 disk->image.size, disk->image.readonly ? "read-only" : "read-write",
		 disk->shared ? ", shared" : "", disk->image.direct ? ", direct I/O" : "");
	device_kick(dev);
}

/* A connected guest has unplugged its emulated disks long ago. */
static enum storage_exclusion exclusion(const struct disk *disk)
{
	const struct device *dev = &disk->dev;

	if (!disk->hvm || dev->hs.ours == XenbusStateConnected)
		return STORAGE_EXCLUDE_ALL;
	return dev->found ? STORAGE_EXCLUDE_BESIDE : STORAGE_EXCLUDE_LATER;
}

void disk_open(struct device *dev)
{
	struct disk *disk = to_disk(dev);
	const struct opener_request request = {
		.op = OPENER_OPEN,
		.path = disk->path,
		.check_rdev = disk->check_rdev,
		.major = disk->major,
		.minor = disk->minor,
		.params = {
			.readonly = disk->readonly,
			.shared = disk->shared,
			.direct = dev->broker->options.direct,
			.discard = disk->discard,
			.exclusion = exclusion(disk),
			.domid = dev->domid,
			.devid = dev->devid,
		},
	};
	int r;

	disk->opened = request.params;
	dev->hs.image = HS_IMAGE_OPENING;
	r = opener_start(dev->broker->openers, &request, dev->broker->options.open_timeout,
			 on_opened, disk, &disk->opener);
	if (r < 0) {
		char text[256];

		errno = -r;
		snprintf(text, sizeof(text), "cannot open %.128s: %m", disk->path);
		on_open_failed(disk, r, text);
	}
}

static void on_refreshed(void *userdata, const struct opener_reply *reply)
{
	struct disk *disk = userdata;
	struct device *dev = &disk->dev;

	disk->refresher = NULL;
	if (dev->hs.image != HS_IMAGE_READY)
		return;
	if (reply->err < 0) {
		log_full(LOG_WARNING, &dev->about, 0, "cannot read the size of its image: %s",
			 reply->err == -ESTALE ? "the path leads to another file now"
					       : reply->error);
		return;
	}
	if (reply->image.size == disk->image.size)
		return;
	if (reply->image.size == 0 || reply->image.size % disk->image.logical_block) {
		log_full(LOG_WARNING, &dev->about, 0,
			 "the new size of %s, %" PRIu64 " bytes, is not a multiple of %u: ignored",
			 disk->path, reply->image.size, disk->image.logical_block);
		return;
	}
	disk_resize(disk, reply->image.size);
}

void disk_look_at_size(struct device *dev)
{
	struct disk *disk = to_disk(dev);
	const struct opener_request request = {
		.op = OPENER_REFRESH,
		.path = disk->path,
		.dev = disk->image_dev,
		.ino = disk->image_ino,
		.image = disk->image,
	};

	if (dev->class != &disk_class || dev->hs.image != HS_IMAGE_READY || disk->refresher)
		return;
	opener_start(dev->broker->openers, &request, dev->broker->options.open_timeout,
		     on_refreshed, disk, &disk->refresher);
}
