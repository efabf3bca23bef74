// SPDX-License-Identifier: GPL-2.0-or-later
/* The data path of a disk: what its worker is told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/disk.h"
#include "control/guest.h"
#include "control/status.h"
#include "lib/cleanup.h"

/* The device model closes an image a moment after the guest has asked for it. */
#define UNPLUG_RETRY_US    UINT64_C(100000)
#define UNPLUG_TRIES_QUIET 20

static int read_frontend(void *userdata, const char *key, char **ret)
{
	struct device *dev = userdata;

	return xsc_read(dev->broker->xs, XBT_NULL, dev->frontend, key, ret);
}

int disk_parse(struct device *dev, char *text, size_t size)
{
	struct disk *disk = to_disk(dev);
	struct disk_limits limits;
	struct worker_connect rings;
	int r;

	r = disk_nodes_read_offer(disk, &limits);
	if (r < 0) {
		errno = -r;
		snprintf(text, size, "cannot read what was offered to the frontend: %m");
		return r;
	}
	/* The node is written with the others when connecting, so it is not there before. */
	if (!dev->reattach)
		limits.persistent = dev->broker->options.persistent_grants;
	r = disk_frontend_parse(read_frontend, dev, &limits, &rings, text, size);
	if (r < 0)
		return r;
	rings.reattach = dev->reattach;
	if (!disk->rings)
		disk->rings = malloc(sizeof(*disk->rings));
	if (!disk->rings) {
		snprintf(text, size, "out of memory");
		return -ENOMEM;
	}
	*disk->rings = rings;
	return 0;
}

/*
 * Take the image from the device model of an HVM guest, which closes it when the guest
 * unplugs the emulated disks: before its PV drivers start, if it does at all.
 */
bool disk_ready(struct device *dev)
{
	struct disk *disk = to_disk(dev);
	char text[320];
	int r;

	if (disk->opened.exclusion == STORAGE_EXCLUDE_ALL)
		return true;
	r = storage_exclude(&disk->opened, &disk->image);
	if (r >= 0) {
		disk->opened.exclusion = STORAGE_EXCLUDE_ALL;
		disk->unplug_tries = 0;
		return true;
	}
	if (r != -EBUSY) {
		errno = -r;
		snprintf(text, sizeof(text), "cannot lock %.128s: %m", disk->path);
		device_connect_failed(dev, text);
		return false;
	}
	if (++disk->unplug_tries == UNPLUG_TRIES_QUIET) {
		snprintf(text, sizeof(text),
			 "%.128s is in use, by the guest's device model unless it is something "
			 "else's: the guest has to unplug its emulated disks (xen_emul_unplug)",
			 disk->path);
		device_tell_trouble(dev, "the guest waits for its disk", text);
	}
	device_retry_later(dev, UNPLUG_RETRY_US);
	return false;
}

int disk_attach_msg(struct device *dev, struct worker_msg *msg, int kept, int *fds, size_t *ret_n,
		    char *text, size_t size)
{
	struct disk *disk = to_disk(dev);

	(void)text;
	(void)size;
	fds[0] = TAKE_FD(disk->image.fd);
	disk->handed = true;
	fds[1] = kept;
	*ret_n = 2;
	msg->attach.image = disk->image;
	return 0;
}

size_t disk_connect_msg(struct device *dev, struct worker_msg *msg)
{
	struct disk *disk = to_disk(dev);

	msg->connect = *disk->rings;
	return disk->rings->rings;
}

void disk_connected(struct device *dev)
{
	struct disk *disk = to_disk(dev);
	const struct worker_connect *c = disk->rings;

	if (!dev->reattach)
		log_full(LOG_INFO, &dev->about, 0,
			 "connected: %u ring%s of %u page%s, %u indirect segments%s", c->rings,
			 c->rings > 1 ? "s" : "", c->ring_pages, c->ring_pages > 1 ? "s" : "",
			 c->max_indirect, c->persistent ? ", persistent grants" : "");
	if (disk->resize_wanted)
		disk_look_at_size(dev);
}

void disk_disconnected(struct device *dev)
{
	struct disk *disk = to_disk(dev);

	free(disk->rings);
	disk->rings = NULL;
}

/* The descriptor is gone with the worker. */
void disk_returned(struct device *dev)
{
	dev->hs.image = HS_IMAGE_CLOSED;
}

static void on_resized(void *userdata, const struct worker_reply *reply)
{
	struct device *dev = userdata;
	int r;

	if (reply->error < 0) {
		if (reply->error != -ECONNRESET)
			log_full(LOG_WARNING, &dev->about, reply->error, "resizing: %s: %m",
				 reply->text);
		return;
	}
	if (dev->hs.ours != XenbusStateConnected)
		return;
	r = disk_nodes_resize(to_disk(dev));
	if (r < 0 && r != -ESTALE)
		broker_xs_failed(dev->broker, dev, r, "resizing");
}

void disk_resize(struct disk *disk, uint64_t size)
{
	struct device *dev = &disk->dev;
	struct worker_msg msg = {
		.type = WORKER_RESIZE,
		.class = WORKER_VBD,
		.devid = dev->devid,
		.resize.size = size,
	};

	/* In the middle of a change the worker may or may not have the old size: ask later. */
	if (dev->hs.link == HS_LINK_BUSY) {
		disk->resize_wanted = true;
		return;
	}
	disk->resize_wanted = false;
	log_full(LOG_NOTICE, &dev->about, 0, "%s has changed its size from %llu to %llu bytes",
		 disk->path, (unsigned long long)disk->image.size, (unsigned long long)size);
	disk->image.size = size;
	if (dev->hs.attached && dev->guest->worker)
		workerproc_request(dev->guest->worker, &msg, NULL, 0, on_resized, dev);
	status_changed(dev->broker);
}
