/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernel versions in the block layer; see compat.h. */
#ifndef XENPV_COMPAT_BLK_H
#define XENPV_COMPAT_BLK_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/version.h>

/*
 * The kernel's own function was another one in the first releases of 5.10 than in the last, so
 * neither is used there.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
static inline bool xenpv_blk_set_capacity(struct gendisk *gd, sector_t sectors)
{
	char *envp[2] = { "RESIZE=1", NULL };
	sector_t before = get_capacity(gd);

	set_capacity(gd, sectors);
	if (!(gd->flags & GENHD_FL_UP))
		return false;
	revalidate_disk_size(gd, true);
	if (before == sectors || !before || !sectors)
		return false;
	kobject_uevent_env(&disk_to_dev(gd)->kobj, KOBJ_CHANGE, envp);
	return true;
}

#define set_capacity_and_notify(gd, n)	xenpv_blk_set_capacity(gd, n)
#endif

/* No new request from here on; what is in flight may finish. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define blk_mark_disk_dead(gd)		blk_set_queue_dying((gd)->queue)
#endif

/*
 * XENPV_TIMEOUT_OP - .timeout of blk_mq_ops, named <fn>_op
 * @fn: enum blk_eh_timer_return (struct request *)
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
#define XENPV_TIMEOUT_OP(fn)								\
static enum blk_eh_timer_return fn##_op(struct request *rq, bool reserved)		\
{											\
	return fn(rq);									\
}
#else
#define XENPV_TIMEOUT_OP(fn)								\
static enum blk_eh_timer_return fn##_op(struct request *rq)				\
{											\
	return fn(rq);									\
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define GENHD_FL_NO_PART		GENHD_FL_NO_PART_SCAN
#endif

/* From here on, requests are merged unless a driver does not want it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0) && !defined(BLK_MQ_F_SHOULD_MERGE)
#define BLK_MQ_F_SHOULD_MERGE		0
#endif

/*
 * XENPV_GETGEO_OP - .getgeo of block_device_operations, named <fn>_op
 * @fn: int (struct gendisk *, struct hd_geometry *)
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define XENPV_GETGEO_OP(fn)								\
static int fn##_op(struct block_device *bdev, struct hd_geometry *geo)			\
{											\
	return fn(bdev->bd_disk, geo);							\
}
#else
#define XENPV_GETGEO_OP(fn)								\
static int fn##_op(struct gendisk *gd, struct hd_geometry *geo)				\
{											\
	return fn(gd, geo);								\
}
#endif

/**
 * xenpv_blk_alloc_disk - allocate a disk and its queue
 * @set: tag set, allocated
 * @data: the queue's queuedata
 *
 * The disk counts as one that does not rotate, and gives no entropy. Return:
 * the disk, for xenpv_blk_free_disk(), or an ERR_PTR.
 */
static inline struct gendisk *xenpv_blk_alloc_disk(struct blk_mq_tag_set *set, void *data)
{
	struct gendisk *gd;

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	struct request_queue *q = blk_mq_init_queue(set);

	if (IS_ERR(q))
		return ERR_CAST(q);
	q->queuedata = data;
	gd = alloc_disk_node(0, set->numa_node);
	if (!gd) {
		blk_cleanup_queue(q);
		return ERR_PTR(-ENOMEM);
	}
	gd->queue = q;
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	gd = blk_mq_alloc_disk(set, data);
#else
	gd = blk_mq_alloc_disk(set, NULL, data);
#endif
	if (IS_ERR(gd))
		return gd;
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
	/* Later kernels have it for every disk: as many partitions as there are. */
	gd->flags |= GENHD_FL_EXT_DEVT;
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	blk_queue_flag_set(QUEUE_FLAG_NONROT, gd->queue);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, gd->queue);
#endif
	return gd;
}

/**
 * xenpv_blk_free_disk - put a disk and its queue
 * @gd: disk of xenpv_blk_alloc_disk(); deleted, if it was added
 * @added: it was
 */
static inline void xenpv_blk_free_disk(struct gendisk *gd, bool added)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	blk_cleanup_queue(gd->queue);
	/* A disk puts the reference to its queue that it got when it was added. */
	if (!added)
		gd->queue = NULL;
	put_disk(gd);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
	blk_cleanup_disk(gd);
#else
	put_disk(gd);
#endif
}

/** xenpv_blk_add_disk - device_add_disk(); old kernels tell of no error */
static inline int xenpv_blk_add_disk(struct device *parent, struct gendisk *gd)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	device_add_disk(parent, gd, NULL);
	return 0;
#else
	return device_add_disk(parent, gd, NULL);
#endif
}

/** struct xenpv_blk_limits - the queue limits a block frontend sets, in bytes or as named */
struct xenpv_blk_limits {
	unsigned int logical_block;
	unsigned int physical_block;
	unsigned int max_sectors;
	unsigned int max_segments;
	unsigned int max_discard_sectors;
	unsigned int discard_granularity;
	unsigned int discard_alignment;
	unsigned int max_secure_erase_sectors;
	bool write_cache;
	bool fua;
};

/**
 * xenpv_blk_apply_limits - make a queue follow @lim
 * @gd: disk; its queue is new, or quiesced, or the change is harmless to I/O in flight
 * @lim: limits, already validated
 *
 * Every segment stays inside one page, so that it is one grant, and starts on
 * a 512-byte boundary, the unit of first_sect and last_sect (blkif.h). Return: 0,
 * or a negative errno of a kernel that finds the limits at odds.
 */
static inline int xenpv_blk_apply_limits(struct gendisk *gd, const struct xenpv_blk_limits *lim)
{
	struct request_queue *q = gd->queue;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	/* Frozen it need not be, nor can it: a lost backend leaves requests in flight. */
	struct queue_limits new = queue_limits_start_update(q);

	new.logical_block_size = lim->logical_block;
	new.physical_block_size = lim->physical_block;
	new.max_hw_sectors = lim->max_sectors;
	new.seg_boundary_mask = PAGE_SIZE - 1;
	new.max_segment_size = PAGE_SIZE;
	new.max_segments = lim->max_segments;
	new.dma_alignment = 511;
	new.max_hw_discard_sectors = lim->max_discard_sectors;
	new.discard_granularity = lim->discard_granularity;
	new.discard_alignment = lim->discard_alignment;
	new.max_secure_erase_sectors = lim->max_secure_erase_sectors;
	new.features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA);
	if (lim->write_cache)
		new.features |= BLK_FEAT_WRITE_CACHE;
	if (lim->fua)
		new.features |= BLK_FEAT_FUA;
	return queue_limits_commit_update(q, &new);
#else
	blk_queue_logical_block_size(q, lim->logical_block);
	blk_queue_physical_block_size(q, lim->physical_block);
	blk_queue_max_hw_sectors(q, lim->max_sectors);
	blk_queue_segment_boundary(q, PAGE_SIZE - 1);
	blk_queue_max_segment_size(q, PAGE_SIZE);
	blk_queue_max_segments(q, lim->max_segments);
	blk_queue_dma_alignment(q, 511);
	blk_queue_max_discard_sectors(q, lim->max_discard_sectors);
	q->limits.discard_granularity = lim->discard_granularity;
	q->limits.discard_alignment = lim->discard_alignment;
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
	if (lim->max_discard_sectors)
		blk_queue_flag_set(QUEUE_FLAG_DISCARD, q);
	else
		blk_queue_flag_clear(QUEUE_FLAG_DISCARD, q);
	if (lim->max_secure_erase_sectors)
		blk_queue_flag_set(QUEUE_FLAG_SECERASE, q);
	else
		blk_queue_flag_clear(QUEUE_FLAG_SECERASE, q);
#else
	blk_queue_max_secure_erase_sectors(q, lim->max_secure_erase_sectors);
#endif
	blk_queue_write_cache(q, lim->write_cache, lim->fua);
	return 0;
#endif
}

#endif /* XENPV_COMPAT_BLK_H */
