/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The class of disks: vbd, and vbd3, which differ in name only. */
#pragma once

#include "control/device.h"
#include "control/disk-frontend.h"
#include "storage/storage.h"

struct disk {
	struct device dev; /* first */

	/* identity, fixed */
	char *params, *script, *vdev;
	bool readonly, shared, discard, cdrom, removable;
	bool hvm; /* a device model may have the image, too */

	/* the image; hs.image says whether it is open */
	char *path;      /* what is or was opened */
	bool check_rdev; /* it has to be block device major:minor */
	uint32_t major, minor;
	struct storage_image image;   /* .fd is -1 once the worker has it */
	struct storage_params opened; /* how it was opened; .path is unset */
	uint64_t image_dev, image_ino;
	struct opener *opener;
	struct opener *refresher;
	unsigned int unplug_tries; /* to take the image from the device model */
	bool handed;               /* a worker has had the image, and may be dying with it */
	uint64_t open_until;       /* CLOCK_MONOTONIC us: until when a held image is waited for */
	bool resize_wanted;        /* the size changed while the link was busy */

	struct worker_connect *rings; /* of the connection, or of the one being made */
};

extern const struct device_class disk_class;

static inline struct disk *to_disk(struct device *dev)
{
	return (struct disk *)dev;
}

static inline const struct disk *to_const_disk(const struct device *dev)
{
	return (const struct disk *)dev;
}

/* disk-image.c */
void disk_choose(struct device *dev);
void disk_open(struct device *dev);
bool disk_opening(const struct device *dev);
void disk_close(struct device *dev, bool gone);

/* Has the size of the image changed? The answer comes later. Nothing for other devices. */
void disk_look_at_size(struct device *dev);

/* disk-link.c */
int disk_parse(struct device *dev, char *text, size_t size);
bool disk_ready(struct device *dev);
int disk_attach_msg(struct device *dev, struct worker_msg *msg, int kept, int *fds, size_t *ret_n,
		    char *text, size_t size);
size_t disk_connect_msg(struct device *dev, struct worker_msg *msg);
void disk_connected(struct device *dev);
void disk_disconnected(struct device *dev);
void disk_returned(struct device *dev);
void disk_resize(struct disk *disk, uint64_t size);

/* disk-nodes.c */
int disk_put_offer(struct device *dev, xs_transaction_t t);
int disk_put_connected(struct device *dev, xs_transaction_t t);
int disk_tell_refusal(struct device *dev);

/* New size, with the state Connected again, which makes frontends read it. */
int disk_nodes_resize(struct disk *disk);

/* What an earlier instance offered, for a frontend that connected to that. */
int disk_nodes_read_offer(struct disk *disk, struct disk_limits *ret);
