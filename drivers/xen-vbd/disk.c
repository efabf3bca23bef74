// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hdreg.h>
#include <linux/list.h>
#include <linux/major.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "vbd.h"

/* The block layer knows no endless wait; this many jiffies are weeks. */
#define XVBD_NEVER 0x40000000u

/* Major number of our own, or 0 when device numbers are dynamic. */
int xvbd_major;

static DEFINE_MUTEX(places_lock);
static LIST_HEAD(places);	/* of struct xvbd by siblings; places_lock */

static int xvbd_getgeo(struct gendisk *gd, struct hd_geometry *geo)
{
	sector_t cylinders = get_capacity(gd);

	/* Nothing depends on it; what every virtual disk answers. */
	geo->heads = 255;
	geo->sectors = 63;
	sector_div(cylinders, 255 * 63);
	geo->cylinders = min_t(sector_t, cylinders, U16_MAX);
	return 0;
}

XENPV_GETGEO_OP(xvbd_getgeo)

static const struct block_device_operations xvbd_fops = {
	.owner = THIS_MODULE,
	.getgeo = xvbd_getgeo_op,
};

/*
 * Take the name and, when they are free, the minors that the device number
 * stands for. hda and xvda cannot both be given to one guest.
 */
static int reserve_place(struct xvbd *vbd)
{
	struct xvbd_vdev *mine = &vbd->place;
	struct xvbd *other;
	int err = 0;

	if (!xvbd_major)
		mine->minor = -1;

	mutex_lock(&places_lock);
	list_for_each_entry(other, &places, siblings) {
		const struct xvbd_vdev *its = &other->place;

		if (its->disk == mine->disk && its->partition == mine->partition) {
			xenbus_dev_error(vbd->link.xdev, -EEXIST,
					 "virtual-device %u has the name of virtual-device %u: give one of them another",
					 vbd->vdev, other->vdev);
			err = -EEXIST;
			break;
		}
		if (mine->minor >= 0 && its->minor >= 0 &&
		    mine->minor < its->minor + (s32)its->minors &&
		    its->minor < mine->minor + (s32)mine->minors)
			mine->minor = -1;
	}
	if (!err) {
		list_add_tail(&vbd->siblings, &places);
		vbd->reserved = true;
	}
	mutex_unlock(&places_lock);
	return err;
}

static void release_place(struct xvbd *vbd)
{
	mutex_lock(&places_lock);
	if (vbd->reserved)
		list_del_init(&vbd->siblings);
	vbd->reserved = false;
	mutex_unlock(&places_lock);
}

static int alloc_slots(struct xvbd *vbd, u32 nr_queues, u32 depth)
{
	vbd->slots.nr_queues = nr_queues;
	vbd->slots.depth = depth;
	vbd->slots.slot = kvcalloc((size_t)nr_queues * depth, sizeof(*vbd->slots.slot),
				   GFP_KERNEL);
	return vbd->slots.slot ? 0 : -ENOMEM;
}

static void free_slots(struct xvbd *vbd)
{
	kvfree(vbd->slots.slot);
	memset(&vbd->slots, 0, sizeof(vbd->slots));
}

static void set_numbers(struct xvbd *vbd, struct gendisk *gd)
{
	if (vbd->place.partition)
		gd->flags |= GENHD_FL_NO_PART;
	if (vbd->place.minor < 0)
		return;
	gd->major = xvbd_major;
	gd->first_minor = vbd->place.minor;
	gd->minors = vbd->place.minors;
}

/**
 * xvbd_disk_create - make the disk, with as many queues as there are rings
 * @vbd: connected for the first time; @vbd->media and @vbd->geometry are set
 *
 * The disk takes no I/O before it is added. Return: 0 or a negative errno.
 */
int xvbd_disk_create(struct xvbd *vbd)
{
	struct blk_mq_tag_set *set = &vbd->tag_set;
	struct xvbd_params params;
	struct gendisk *gd;
	int err;

	err = reserve_place(vbd);
	if (err)
		return err;

	xvbd_params_read(&params);
	vbd->max_ents = vbd->geometry.segments;
	memset(set, 0, sizeof(*set));
	set->ops = &xvbd_mq_ops;
	set->nr_hw_queues = vbd->nr_rings;
	set->queue_depth = vbd->rings[0].nr_ents;
	set->numa_node = NUMA_NO_NODE;
	set->cmd_size = struct_size((struct xvbd_req *)NULL, ent, vbd->max_ents);
	set->flags = BLK_MQ_F_SHOULD_MERGE;
	set->timeout = params.io_timeout ? params.io_timeout * HZ : XVBD_NEVER;
	set->driver_data = vbd;

	err = alloc_slots(vbd, set->nr_hw_queues, set->queue_depth);
	if (err)
		goto out_place;
	err = blk_mq_alloc_tag_set(set);
	if (err)
		goto out_slots;
	gd = xenpv_blk_alloc_disk(set, vbd);
	if (IS_ERR(gd)) {
		err = PTR_ERR(gd);
		goto out_tags;
	}
	err = xvbd_vdev_name(&vbd->place, gd->disk_name, sizeof(gd->disk_name));
	if (err)
		goto out_disk;
	set_numbers(vbd, gd);
	gd->fops = &xvbd_fops;
	gd->private_data = vbd;
	if (vbd->media.info & VDISK_REMOVABLE)
		gd->flags |= GENHD_FL_REMOVABLE;
	vbd->gd = gd;
	return 0;

out_disk:
	xenpv_blk_free_disk(gd, false);
out_tags:
	blk_mq_free_tag_set(set);
out_slots:
	free_slots(vbd);
out_place:
	release_place(vbd);
	return err;
}

/**
 * xvbd_disk_destroy - take the disk away from the system
 * @vbd: device; its link is alive, or has failed all I/O
 *
 * Waits for I/O, which the link ends in bounded time. Does nothing when there
 * is no disk.
 */
void xvbd_disk_destroy(struct xvbd *vbd)
{
	struct gendisk *gd;

	/* Nothing new can be added: connecting for the first time needs this. */
	mutex_lock(&vbd->link.lock);
	vbd->dead = true;
	gd = vbd->gd;
	mutex_unlock(&vbd->link.lock);
	if (!gd)
		return;

	cancel_work_sync(&vbd->add_work);
	xenpv_debugfs_del(vbd->debugfs);
	if (vbd->added)
		del_gendisk(gd);

	/* Whatever the link does from here on, it finds no disk and no ring. */
	mutex_lock(&vbd->link.lock);
	if (vbd->quiesced)
		blk_mq_unquiesce_queue(gd->queue);
	vbd->quiesced = false;
	vbd->gd = NULL;
	xvbd_quiesce(&vbd->link);
	mutex_unlock(&vbd->link.lock);
	xenpv_blk_free_disk(gd, vbd->added);
	blk_mq_free_tag_set(&vbd->tag_set);
	free_slots(vbd);
	release_place(vbd);
}

/**
 * xvbd_add_work - announce the disk; reads its partition table
 * @work: &xvbd.add_work
 *
 * Not part of the link's work, which must be free to recover the reads.
 */
void xvbd_add_work(struct work_struct *work)
{
	struct xvbd *vbd = container_of(work, struct xvbd, add_work);
	struct xenbus_device *xdev = vbd->link.xdev;
	int err;

	err = xenpv_blk_add_disk(&xdev->dev, vbd->gd);
	if (err) {
		xenbus_dev_error(xdev, err, "adding %s", vbd->gd->disk_name);
		return;
	}
	WRITE_ONCE(vbd->added, true);
}
