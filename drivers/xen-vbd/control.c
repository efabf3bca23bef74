// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "vbd.h"

static int read_u64(const char *dir, const char *key, u64 *value)
{
	unsigned long long v;

	if (xenbus_scanf(XBT_NIL, dir, key, "%llu", &v) != 1)
		return -ENOENT;
	*value = v;
	return 0;
}

/**
 * xvbd_read_media - read and check what the backend says of the disk
 * @vbd: device
 * @media: receives it
 *
 * Return: 0, or -EINVAL with the node and its value in the error node.
 */
int xvbd_read_media(struct xvbd *vbd, struct xvbd_media *media)
{
	const char *back = vbd->link.backend;
	const char *bad;

	memset(media, 0, sizeof(*media));
	if (read_u64(back, "sectors", &media->sectors)) {
		xenbus_dev_error(vbd->link.xdev, -EINVAL, "%s/sectors is not a number", back);
		return -EINVAL;
	}
	media->sector_size = xenbus_read_unsigned(back, "sector-size", XVBD_SECTOR);
	media->physical_size = xenbus_read_unsigned(back, "physical-sector-size",
						    media->sector_size);
	media->info = xenbus_read_unsigned(back, "info", 0);
	bad = xvbd_media_check(media);
	if (bad) {
		xenbus_dev_error(vbd->link.xdev, -EINVAL, "%s/%s cannot be %llu", back, bad,
				 strcmp(bad, "sectors") ? (u64)media->sector_size :
							  media->sectors);
		return -EINVAL;
	}
	return 0;
}

static u8 choose_cache(struct xvbd *vbd)
{
	const char *back = vbd->link.backend;
	bool barrier = xenbus_read_unsigned(back, "feature-barrier", 0) &&
		       !test_bit(XVBD_REFUSED_BARRIER, &vbd->refused);

	WRITE_ONCE(vbd->barrier, barrier);
	if (xenbus_read_unsigned(back, "feature-flush-cache", 0) &&
	    !test_bit(XVBD_REFUSED_FLUSH, &vbd->refused))
		return XVBD_CACHE_FLUSH;
	return vbd->barrier ? XVBD_CACHE_BARRIER : XVBD_CACHE_NONE;
}

static void read_discard(struct xvbd *vbd, struct xenpv_blk_limits *lim)
{
	const char *back = vbd->link.backend;
	u32 most = min_t(u64, vbd->media.sectors, UINT_MAX >> SECTOR_SHIFT);

	WRITE_ONCE(vbd->secure, false);
	if (!xenbus_read_unsigned(back, "feature-discard", 0) ||
	    test_bit(XVBD_REFUSED_DISCARD, &vbd->refused))
		return;
	lim->max_discard_sectors = most;
	lim->discard_granularity = xenbus_read_unsigned(back, "discard-granularity",
							vbd->media.physical_size);
	lim->discard_alignment = xenbus_read_unsigned(back, "discard-alignment", 0);
	if (lim->discard_granularity < vbd->media.sector_size)
		lim->discard_granularity = vbd->media.sector_size;
	if (lim->discard_alignment >= lim->discard_granularity)
		lim->discard_alignment = 0;
	if (xenbus_read_unsigned(back, "discard-secure", 0) &&
	    !test_bit(XVBD_REFUSED_SECURE, &vbd->refused)) {
		lim->max_secure_erase_sectors = most;
		WRITE_ONCE(vbd->secure, true);
	}
}

/**
 * xvbd_read_features - read what the backend can do, as limits of the queue
 * @vbd: device whose media and geometry are known
 * @lim: receives them
 */
void xvbd_read_features(struct xvbd *vbd, struct xenpv_blk_limits *lim)
{
	memset(lim, 0, sizeof(*lim));
	lim->logical_block = vbd->media.sector_size;
	lim->physical_block = vbd->media.physical_size;
	lim->max_sectors = vbd->geometry.segments * (XVBD_FRAME_SIZE / XVBD_SECTOR);
	/* Copied data is packed into whole frames, however scattered it was. */
	lim->max_segments = vbd->copy ? USHRT_MAX : vbd->geometry.segments;
	read_discard(vbd, lim);
	WRITE_ONCE(vbd->cache, choose_cache(vbd));
	lim->write_cache = vbd->cache != XVBD_CACHE_NONE;
	lim->fua = vbd->cache == XVBD_CACHE_BARRIER;
}

/**
 * xvbd_show_media - make the disk's size and mode those of the media
 * @vbd: device with a disk
 */
void xvbd_show_media(struct xvbd *vbd)
{
	struct gendisk *gd = vbd->gd;
	bool ro = vbd->media.info & VDISK_READONLY;

	if (get_capacity(gd) != vbd->media.sectors) {
		if (vbd->added)
			dev_info(&vbd->link.xdev->dev, "%s: size changed from %llu to %llu sectors\n",
				 gd->disk_name, (u64)get_capacity(gd), vbd->media.sectors);
		set_capacity_and_notify(gd, vbd->media.sectors);
	}
	if (get_disk_ro(gd) != ro)
		set_disk_ro(gd, ro);
}

/**
 * xvbd_reread - the backend, still connected, changed something
 * @link: link
 *
 * Size, mode, and what it offers for flush and discard may change at any time.
 * A new logical sector size may not: it needs a new attachment.
 */
void xvbd_reread(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);
	struct xenpv_blk_limits lim;
	struct xvbd_media media;

	if (!vbd->gd || vbd->dead || xvbd_read_media(vbd, &media))
		return;
	if (media.sector_size != vbd->media.sector_size) {
		dev_warn(&link->xdev->dev,
			 "%s: ignoring a change of sector-size from %u to %u while connected\n",
			 vbd->gd->disk_name, vbd->media.sector_size, media.sector_size);
		media.sector_size = vbd->media.sector_size;
	}
	vbd->media = media;
	xvbd_read_features(vbd, &lim);
	if (xenpv_blk_apply_limits(vbd->gd, &lim))
		dev_warn(&link->xdev->dev, "%s: the kernel refuses the backend's new limits\n",
			 vbd->gd->disk_name);
	xvbd_show_media(vbd);
}
