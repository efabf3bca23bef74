/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of xen-vbd share. */
#ifndef XVBD_VBD_H
#define XVBD_VBD_H

#include <linux/blk-mq.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <xen/interface/io/blkif.h>

#include "../core/compat.h"
#include "../core/compat-blk.h"
#include "../core/gntpool.h"
#include "../core/link.h"
#include "../core/ring.h"
#include "../core/ringmath.h"
#include "../core/stats.h"
#include "negotiate.h"
#include "request.h"
#include "response.h"
#include "vdev.h"

#define XVBD_NO_FRAME 0xffff

/* How a flush or a FUA write is told to the backend. */
enum xvbd_cache {
	XVBD_CACHE_NONE,	/* the backend writes through, or knows no flush */
	XVBD_CACHE_FLUSH,	/* BLKIF_OP_FLUSH_DISKCACHE; FUA is write, then flush */
	XVBD_CACHE_BARRIER,	/* BLKIF_OP_WRITE_BARRIER, empty for a flush */
};

/* Operations the backend turned out not to know; bits of &xvbd.refused. */
enum xvbd_refused {
	XVBD_REFUSED_FLUSH,
	XVBD_REFUSED_BARRIER,
	XVBD_REFUSED_DISCARD,
	XVBD_REFUSED_SECURE,
};

/**
 * struct xvbd_params - module parameters within their bounds
 * @wish: see &struct xvbd_wish; @wish.grants is 0 for automatic
 * @persistent: use persistent grants where the backend offers them
 * @trusted: backends may see whole pages of ours
 * @io_timeout: seconds until a request is looked after, 0 for never
 * @link: bounds of the connection
 */
struct xvbd_params {
	struct xvbd_wish wish;
	bool persistent;
	bool trusted;
	unsigned int io_timeout;
	struct xenpv_link_params link;
};

struct xvbd;

/**
 * struct xvbd_req - a request's private part, behind struct request
 * @next: next in a list of answered requests
 * @ring: ring it was sent on
 * @status: BLKIF_RSP_* of its response
 * @op: BLKIF_OP_* that was sent
 * @timeouts: how often it timed out since it was sent
 * @copied: its data goes through pages of the ring's pool
 * @flush: its data is written; a flush is to follow, to make it a FUA write.
 *	Valid when the request has been prepared, which %RQF_DONTPREP tells
 * @nr_ents: entries of @ent
 * @frame: entry of the frame with indirect segments, or %XVBD_NO_FRAME
 * @bytes: bytes that this sending carries; the rest is sent later
 * @ent: grant pool entries, one a segment
 *
 * Belongs to the submitter, then to the ring's consumer, then to completion.
 */
struct xvbd_req {
	struct xvbd_req *next;
	struct xvbd_ring *ring;
	s16 status;
	u8 op;
	u8 timeouts;
	bool copied;
	bool flush;
	u16 nr_ents;
	u16 frame;
	u32 bytes;
	u16 ent[];
};

/**
 * struct xvbd_ring - one ring and what it needs
 * @vbd: device
 * @shared: memory, grants, event channel
 * @sring: @shared.addr
 * @nr_ents: slots
 * @index: number of the ring
 * @stats: counters, of the queue of the same number
 * @submit_lock: guards the producer's fields; taken from any context
 * @prod_pvt: index after the last request written
 * @prod_pub: index the backend was shown; also read by the consumer
 * @consume_lock: guards the consumer's fields; bottom halves off
 * @cons: index of the next response
 * @eoi: see &struct xenpv_eoi
 * @dead: no response is consumed any more
 * @tasklet: consumes responses
 * @res_lock: guards what follows; taken from any context, held briefly
 * @unused: slots no request has
 * @starved: a request found too little; run the queues when some comes back
 * @refs: references for pages of others; entries only when not copying
 * @pages: pages of the ring's own: data when copying, indirect segments
 */
struct xvbd_ring {
	struct xvbd *vbd;
	struct xenpv_shring shared;
	struct blkif_sring *sring;
	u32 nr_ents;
	u16 index;
	struct xenpv_stats __percpu *stats;

	spinlock_t submit_lock ____cacheline_aligned_in_smp;
	u32 prod_pvt;
	u32 prod_pub;

	spinlock_t consume_lock ____cacheline_aligned_in_smp;
	u32 cons;
	struct xenpv_eoi eoi;
	bool dead;
	struct tasklet_struct tasklet;

	spinlock_t res_lock ____cacheline_aligned_in_smp;
	u32 unused;
	bool starved;
	struct xenpv_gntpool refs;
	struct xenpv_gntpool pages;
};

/**
 * struct xvbd - a disk
 * @link: connection; its mutex guards all that is not said to be otherwise
 * @vdev: virtual device number
 * @place: what @vdev stands for
 * @handle: device number in requests
 * @geometry: what was settled with the present backend
 * @max_ents: segments that a request has room to remember; fixed at first connect
 * @copy: all data goes through the rings' own pages; changes quiesced
 * @persistent: the backend keeps our grants mapped
 * @trusted: the backend may see whole pages of ours
 * @rings: @geometry.queues rings, or NULL; changes quiesced
 * @nr_rings: rings in @rings; changes quiesced
 * @media: the disk as last read
 * @cache: &enum xvbd_cache; read without lock
 * @sector_mask: logical block in sectors, minus one; changes quiesced
 * @barrier: feature-barrier is offered; read without lock
 * @secure: discard-secure is offered; read without lock
 * @refused: bits of &enum xvbd_refused, set atomically; cleared at connect
 * @slots: request ids in use
 * @tag_set: the block layer's part; valid with @gd
 * @gd: disk, from the first connect on
 * @stats: counters of each hardware queue
 * @debugfs: directory
 * @quiesced: the queues are stopped
 * @failed: all I/O fails; read without lock
 * @dead: detached; the disk takes no more I/O
 * @added: the disk is known to the system; written by @add_work
 * @add_work: adds the disk, which reads its partition table
 * @idle: woken as requests end while draining
 * @draining: somebody waits at @idle
 * @reserved: name and minors are taken
 * @siblings: in the list of reserved places
 */
struct xvbd {
	struct xenpv_link link;
	u32 vdev;
	struct xvbd_vdev place;
	blkif_vdev_t handle;
	struct xvbd_geometry geometry;
	u32 max_ents;
	bool copy;
	bool persistent;
	bool trusted;
	struct xvbd_ring *rings;
	u32 nr_rings;
	struct xvbd_media media;
	u8 cache;
	u32 sector_mask;
	bool barrier;
	bool secure;
	unsigned long refused;
	struct xvbd_slots slots;
	struct blk_mq_tag_set tag_set;
	struct gendisk *gd;
	struct xenpv_stats __percpu **stats;
	struct dentry *debugfs;
	bool quiesced;
	bool failed;
	bool dead;
	bool added;
	struct work_struct add_work;
	wait_queue_head_t idle;
	bool draining;
	bool reserved;
	struct list_head siblings;
};

static inline struct xvbd *xvbd_of(struct xenpv_link *link)
{
	return container_of(link, struct xvbd, link);
}

/* params.c */
void xvbd_params_read(struct xvbd_params *params);

/* connect.c */
int xvbd_setup(struct xenpv_link *link);
int xvbd_connect(struct xenpv_link *link);
void xvbd_start(struct xenpv_link *link);
void xvbd_free_rings(struct xvbd *vbd);

/* control.c */
int xvbd_read_media(struct xvbd *vbd, struct xvbd_media *media);
void xvbd_read_features(struct xvbd *vbd, struct xenpv_blk_limits *lim);
void xvbd_show_media(struct xvbd *vbd);
void xvbd_reread(struct xenpv_link *link);

/* disk.c */
extern int xvbd_major;
int xvbd_disk_create(struct xvbd *vbd);
void xvbd_disk_destroy(struct xvbd *vbd);
void xvbd_add_work(struct work_struct *work);

/* queue.c */
extern const struct blk_mq_ops xvbd_mq_ops;
void xvbd_notify(struct xvbd_ring *ring);
void xvbd_give_back(struct xvbd_ring *ring, struct xvbd_req *req);
bool xvbd_take(struct xvbd_ring *ring, struct xvbd_req *req, u32 segs, bool frame);

/* transfer.c */
blk_status_t xvbd_prepare(struct xvbd_ring *ring, struct request *rq, struct xvbd_req *req,
			  struct blkif_request *wire);
bool xvbd_revoke(struct xvbd_req *req);
void xvbd_abandon(struct xvbd_req *req, struct request *rq);
void xvbd_copy_in(struct xvbd_req *req, struct request *rq);

/* complete.c */
irqreturn_t xvbd_interrupt(int irq, void *data);
void xvbd_tasklet(struct tasklet_struct *t);
bool xvbd_consume(struct xvbd_ring *ring, bool eoi);
void xvbd_complete(struct request *rq);
enum blk_eh_timer_return xvbd_timeout(struct request *rq);

/* recover.c */
void xvbd_quiesce(struct xenpv_link *link);
void xvbd_release(struct xenpv_link *link);
void xvbd_fail(struct xenpv_link *link);
void xvbd_drain(struct xenpv_link *link);
void xvbd_kick(struct xenpv_link *link);

/* stats.c */
int xvbd_stats_alloc(struct xvbd *vbd);
void xvbd_stats_free(struct xvbd *vbd);
void xvbd_debugfs_add(struct xvbd *vbd);

#endif /* XVBD_VBD_H */
