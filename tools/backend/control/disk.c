// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/disk.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/image.h"
#include "control/status.h"
#include "lib/cleanup.h"

static int read_flag(struct device *dev, const char *key, bool *ret)
{
	uint32_t v = *ret;
	int r;

	r = xsc_read_u32(dev->broker->xs, XBT_NULL, dev->dir, key, 0, 1, &v);
	*ret = v;
	return xsc_is_fatal(r) ? r : 0;
}

/* libxl 4.10 and later write this node, in dom0, which alone can read it. */
static int read_guest_type(struct disk *disk)
{
	_cleanup_free_ char *type = NULL;
	char dir[32];
	int r;

	snprintf(dir, sizeof(dir), "/libxl/%u", disk->dev.domid);
	r = xsc_read(disk->dev.broker->xs, XBT_NULL, dir, "type", &type);
	disk->hvm = type && !strcmp(type, "hvm");
	return xsc_is_fatal(r) ? r : 0;
}

static void disk_init(struct device *dev)
{
	struct disk *disk = to_disk(dev);

	disk->image.fd = -1;
	disk->discard = true;
}

static int disk_read(struct device *dev)
{
	_cleanup_free_ char *mode = NULL, *type = NULL;
	struct disk *disk = to_disk(dev);
	int r;

	if ((r = device_read_optional(dev, "mode", &mode)) < 0 ||
	    (r = device_read_optional(dev, "params", &disk->params)) < 0 ||
	    (r = device_read_optional(dev, "script", &disk->script)) < 0 ||
	    (r = device_read_optional(dev, "dev", &disk->vdev)) < 0 ||
	    (r = device_read_optional(dev, "device-type", &type)) < 0 ||
	    (r = read_flag(dev, "removable", &disk->removable)) < 0 ||
	    (r = read_flag(dev, "discard-enable", &disk->discard)) < 0)
		return r;
	r = read_guest_type(disk);
	if (r < 0)
		return r;
	image_parse_mode(mode, &disk->readonly, &disk->shared);
	disk->cdrom = type && !strcmp(type, "cdrom");
	disk->discard = disk->discard && dev->broker->options.discard;
	return 0;
}

static void disk_free(struct device *dev)
{
	struct disk *disk = to_disk(dev);

	disk_close(dev, true);
	free(disk->rings);
	free(disk->params);
	free(disk->script);
	free(disk->vdev);
	free(disk->path);
}

static void disk_describe(const struct device *dev, char *buf, size_t size)
{
	const struct disk *disk = to_const_disk(dev);

	snprintf(buf, size, "%s %s", disk->params ? disk->params : "no params",
		 disk->shared     ? "w!"
		 : disk->readonly ? "r"
				  : "w");
}

static void disk_status(const struct device *dev, struct json_object *o)
{
	const struct disk *disk = to_const_disk(dev);

	status_add_string(o, "vdev", disk->vdev);
	status_add_string(o, "path", disk->path ? disk->path : disk->params);
	status_add_bool(o, "readonly", disk->readonly);
	status_add_bool(o, "shared", disk->shared);
	if (dev->hs.image == HS_IMAGE_READY) {
		status_add_number(o, "size", disk->image.size);
		status_add_number(o, "logical_block", disk->image.logical_block);
		status_add_bool(o, "direct", disk->image.direct);
		status_add_bool(o, "discard", disk->image.can_discard);
	}
	if (disk->rings && dev->hs.link == HS_LINK_UP) {
		status_add_number(o, "rings", disk->rings->rings);
		status_add_number(o, "ring_pages", disk->rings->ring_pages);
		status_add_bool(o, "persistent", disk->rings->persistent);
		status_add_number(o, "max_indirect", disk->rings->max_indirect);
	}
}

static void disk_touched(struct device *dev, const char *key)
{
	if (!strcmp(key, "resize"))
		disk_look_at_size(dev);
}

static const char *const asks_nothing[] = { NULL };

const struct device_class disk_class = {
	.worker = WORKER_VBD,
	.attach = WORKER_ATTACH,
	.connect = WORKER_CONNECT,
	.size = sizeof(struct disk),
	.frontends = "vbd",
	.asks = asks_nothing,
	.kept = "journal",
	.kernel = "xen-blkback",
	.init = disk_init,
	.read = disk_read,
	.free = disk_free,
	.describe = disk_describe,
	.status = disk_status,
	.touched = disk_touched,
	.choose = disk_choose,
	.open = disk_open,
	.opening = disk_opening,
	.close = disk_close,
	.returned = disk_returned,
	.put_offer = disk_put_offer,
	.put_connected = disk_put_connected,
	.tell_refusal = disk_tell_refusal,
	.parse = disk_parse,
	.ready = disk_ready,
	.attach_msg = disk_attach_msg,
	.connect_msg = disk_connect_msg,
	.connected = disk_connected,
	.disconnected = disk_disconnected,
};
