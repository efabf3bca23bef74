// SPDX-License-Identifier: GPL-2.0-or-later
/* What is written to xenstore about disks alone. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#include "control/disk.h"
#include "control/image.h"
#include "control/nodes.h"
#include "lib/cleanup.h"

/* blkif.h, VDISK_*; the header that has them is the rings', which the broker does not know. */
#define VDISK_CDROM     0x1
#define VDISK_REMOVABLE 0x2
#define VDISK_READONLY  0x4

/* The wire's sector, whatever the disk's logical block is. */
#define SECTOR_SIZE 512

/* The disk as it is; blkif.h, "Backend Device Properties". */
static int put_disk(const struct disk *disk, xs_transaction_t t)
{
	const struct device *dev = &disk->dev;
	const struct storage_image *i = &disk->image;
	bool discard = disk->discard && i->can_discard && !i->readonly;
	const struct node_pair pairs[] = {
		{ "sectors", i->size / SECTOR_SIZE },
		{ "sector-size", i->logical_block },
		{ "physical-sector-size", i->physical_block },
		{ "info", (disk->cdrom ? VDISK_CDROM : 0) |
				  (disk->removable ? VDISK_REMOVABLE : 0) |
				  (i->readonly ? VDISK_READONLY : 0) },
		{ "feature-flush-cache", 1 },
		{ "feature-barrier", 1 },
		{ "feature-persistent", dev->broker->options.persistent_grants },
		{ "feature-discard", discard },
	};
	const struct node_pair discards[] = {
		{ "discard-granularity", i->discard_granularity },
		{ "discard-alignment", i->discard_alignment },
		{ "discard-secure", i->can_secure_discard },
	};
	int r;

	r = nodes_put_all(dev, t, pairs, ELEMENTSOF(pairs));
	if (r < 0 || !discard)
		return r;
	return nodes_put_all(dev, t, discards, ELEMENTSOF(discards));
}

int disk_put_offer(struct device *dev, xs_transaction_t t)
{
	const struct options *o = &dev->broker->options;
	const struct node_pair pairs[] = {
		{ "multi-queue-max-queues", dev->broker->max_queues },
		{ "max-ring-page-order", o->max_ring_page_order },
	};
	int r;

	/* Without the node a frontend does not try; zero would be taken for a limit. */
	if (o->max_indirect_segments > 0)
		r = nodes_put(dev, t, "feature-max-indirect-segments", o->max_indirect_segments);
	else
		r = xsc_remove(dev->broker->xs, t, dev->dir, "feature-max-indirect-segments");
	if (r < 0)
		return r;
	if (dev->hs.image == HS_IMAGE_READY) {
		r = put_disk(to_disk(dev), t);
		if (r < 0)
			return r;
	}
	return nodes_put_all(dev, t, pairs, ELEMENTSOF(pairs));
}

int disk_put_connected(struct device *dev, xs_transaction_t t)
{
	return put_disk(to_disk(dev), t);
}

static int resize_body(struct xs_conn *xs, xs_transaction_t t, void *userdata)
{
	struct disk *disk = userdata;
	struct device *dev = &disk->dev;
	int r;

	(void)xs;
	r = nodes_check_state(dev, t, XenbusStateConnected);
	if (r < 0)
		return r;
	r = nodes_put(dev, t, "sectors", disk->image.size / SECTOR_SIZE);
	if (r < 0)
		return r;
	return nodes_put(dev, t, "state", XenbusStateConnected);
}

int disk_nodes_resize(struct disk *disk)
{
	return xsc_transaction(disk->dev.broker->xs, resize_body, disk);
}

int disk_nodes_read_offer(struct disk *disk, struct disk_limits *ret)
{
	const struct device *dev = &disk->dev;
	struct disk_limits l = { .max_queues = 1 };
	struct xs_conn *xs = dev->broker->xs;
	uint32_t persistent = 0;
	const struct {
		const char *key;
		uint32_t min, max, *value;
	} keys[] = {
		{ "multi-queue-max-queues", 1, WORKER_MAX_RINGS, &l.max_queues },
		{ "max-ring-page-order", 0, 4, &l.max_ring_page_order },
		{ "feature-max-indirect-segments", 0, 256, &l.max_indirect_segments },
		{ "feature-persistent", 0, 1, &persistent },
	};

	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		int r = xsc_read_u32(xs, XBT_NULL, dev->dir, keys[i].key, keys[i].min, keys[i].max,
				     keys[i].value);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	l.persistent = persistent;
	*ret = l;
	return 0;
}

/*
 * The stock script takes params that are neither file nor device for another script's
 * business: it exits with 1, and leaves hotplug-error alone, which libxl then prints.
 * So params is made such.
 */
int disk_tell_refusal(struct device *dev)
{
	const struct disk *disk = to_disk(dev);

	if (!disk->params ||
	    !strncmp(disk->params, IMAGE_REFUSED_PREFIX, strlen(IMAGE_REFUSED_PREFIX)))
		return 0;
	/* A path at the limit of a node's size does not get the prefix and stay whole. */
	return xsc_printf(dev->broker->xs, XBT_NULL, dev->dir, "params", "%s%.*s",
			  IMAGE_REFUSED_PREFIX, (int)(XENSTORE_PAYLOAD_MAX / 2), disk->params);
}
