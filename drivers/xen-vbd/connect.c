// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/events.h>
#include <xen/interface/io/protocols.h>

#include "../core/store.h"
#include "vbd.h"

/* Indirect requests need one frame each; more than this many never help. */
#define MAX_FRAMES 128u

static void init_ring(struct xvbd *vbd, struct xvbd_ring *ring, u32 index)
{
	ring->vbd = vbd;
	ring->index = index;
	ring->stats = vbd->stats[index];
	ring->dead = true;
	spin_lock_init(&ring->submit_lock);
	spin_lock_init(&ring->consume_lock);
	spin_lock_init(&ring->res_lock);
	tasklet_setup(&ring->tasklet, xvbd_tasklet);
}

/* Interrupts of a disk's rings go to different CPUs, as its queues do. */
static void spread_irq(struct xvbd_ring *ring)
{
	unsigned int cpu = cpumask_local_spread(ring->index, NUMA_NO_NODE);

	if (num_online_cpus() > 1)
		irq_set_affinity_and_hint(ring->shared.irq, cpumask_of(cpu));
}

static int share_ring(struct xvbd *vbd, struct xvbd_ring *ring)
{
	struct xenpv_link *link = &vbd->link;
	int err;

	err = xenpv_shring_alloc(&ring->shared, link->backend_id, vbd->geometry.ring_order);
	if (err)
		return err;
	ring->sring = ring->shared.addr;
	SHARED_RING_INIT(ring->sring);
	ring->nr_ents = xenpv_ring_entries(ring->shared.nr_pages * XEN_PAGE_SIZE,
					   offsetof(struct blkif_sring, ring),
					   sizeof(union blkif_sring_entry));
	ring->unused = ring->nr_ents;
	ring->dead = false;
	err = xenpv_shring_bind(&ring->shared, link->xdev, xvbd_interrupt, "xen-vbd", ring);
	if (err)
		return err;
	spread_irq(ring);
	return 0;
}

static int publish_ring(struct xenbus_transaction xbt, const struct xvbd *vbd,
			const struct xvbd_ring *ring, const char *dir)
{
	char key[24];
	u32 i;
	int err;

	if (vbd->geometry.ring_order == 0) {
		err = xenbus_printf(xbt, dir, "ring-ref", "%u", ring->shared.refs[0]);
		if (err)
			return err;
	}
	for (i = 0; vbd->geometry.ring_order && i < ring->shared.nr_pages; i++) {
		snprintf(key, sizeof(key), "ring-ref%u", i);
		err = xenbus_printf(xbt, dir, key, "%u", ring->shared.refs[i]);
		if (err)
			return err;
	}
	return xenbus_printf(xbt, dir, "event-channel", "%u", ring->shared.port);
}

/** struct publication - what is written */
struct publication {
	const struct xvbd *vbd;
	bool persistent;
};

/* The keys are those of blkif.h, "Frontend XenBus Nodes". */
static int publish(struct xenbus_transaction xbt, void *arg)
{
	const struct publication *p = arg;
	const struct xvbd *vbd = p->vbd;
	const char *node = vbd->link.xdev->nodename;
	u32 i;
	int err;

	err = xenbus_printf(xbt, node, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-persistent", "%u", p->persistent);
	/* A node of an earlier connection would mislead the backend. */
	if (!err && vbd->geometry.ring_order)
		err = xenbus_printf(xbt, node, "ring-page-order", "%u",
				    vbd->geometry.ring_order);
	else if (!err && xenbus_exists(xbt, node, "ring-page-order"))
		err = xenbus_rm(xbt, node, "ring-page-order");
	if (err)
		return err;

	if (vbd->nr_rings == 1) {
		if (xenbus_exists(xbt, node, "multi-queue-num-queues"))
			err = xenbus_rm(xbt, node, "multi-queue-num-queues");
		return err ? err : publish_ring(xbt, vbd, &vbd->rings[0], node);
	}

	err = xenbus_printf(xbt, node, "multi-queue-num-queues", "%u", vbd->nr_rings);
	for (i = 0; !err && i < vbd->nr_rings; i++) {
		char *dir = kasprintf(GFP_NOIO, "%s/queue-%u", node, i);

		if (!dir)
			return -ENOMEM;
		err = publish_ring(xbt, vbd, &vbd->rings[i], dir);
		kfree(dir);
	}
	return err;
}

/**
 * xvbd_free_rings - free rings that no backend uses any more
 * @vbd: device, quiesced; nothing is in flight. Does nothing without rings
 */
void xvbd_free_rings(struct xvbd *vbd)
{
	u32 i, deferred = 0;

	for (i = 0; i < vbd->nr_rings; i++) {
		struct xvbd_ring *ring = &vbd->rings[i];

		deferred += xenpv_gntpool_destroy(&ring->refs);
		deferred += xenpv_gntpool_destroy(&ring->pages);
		deferred += xenpv_shring_free(&ring->shared);
	}
	if (deferred) {
		xenpv_stat_add(vbd->stats[0], XENPV_STAT_STILL_MAPPED, deferred);
		dev_warn(&vbd->link.xdev->dev,
			 "domain %u still maps %u pages; they are freed when it lets go\n",
			 vbd->link.backend_id, deferred);
	}
	kvfree(vbd->rings);
	vbd->rings = NULL;
	vbd->nr_rings = 0;
}

/**
 * xvbd_setup - make rings and publish them
 * @link: link whose backend is in InitWait
 *
 * Return: 0 or a negative errno; what was made stays for xvbd_release().
 */
int xvbd_setup(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);
	struct publication publication = { .vbd = vbd };
	struct xvbd_params params;
	struct xvbd_offer offer;
	u32 i;
	int err;

	xvbd_quiesce(link);
	xvbd_release(link);
	xvbd_params_read(&params);

	offer.max_queues = xenbus_read_unsigned(link->backend, "multi-queue-max-queues", 1);
	offer.max_ring_order = xenbus_read_unsigned(link->backend, "max-ring-page-order", 0);
	/* The block layer's queues are fixed; fewer rings can serve them. */
	if (vbd->slots.nr_queues)
		params.wish.max_queues = min(params.wish.max_queues, vbd->slots.nr_queues);
	xvbd_settle_rings(&params.wish, &offer, &vbd->geometry);
	vbd->trusted = params.trusted &&
		       xenbus_read_unsigned(link->xdev->nodename, "trusted", 1);

	/* Counters are kept from the first connection on. */
	if (!vbd->gd)
		xvbd_stats_free(vbd);
	if (!vbd->stats) {
		err = xvbd_stats_alloc(vbd);
		if (err)
			return err;
	}

	vbd->rings = kvcalloc(vbd->geometry.queues, sizeof(*vbd->rings), GFP_NOIO);
	if (!vbd->rings)
		return -ENOMEM;
	vbd->nr_rings = vbd->geometry.queues;
	for (i = 0; i < vbd->nr_rings; i++)
		init_ring(vbd, &vbd->rings[i], i);
	for (i = 0; i < vbd->nr_rings; i++) {
		err = share_ring(vbd, &vbd->rings[i]);
		if (err)
			return err;
	}
	vbd->persistent = params.persistent;
	publication.persistent = params.persistent;
	return xenpv_store_change(publish, &publication);
}

/* Grants of a ring; fewer when the grant table has not as many left. */
static int alloc_grants(struct xvbd *vbd, struct xvbd_ring *ring)
{
	const struct xvbd_geometry *g = &vbd->geometry;
	u32 frames = g->indirect ? min(ring->nr_ents, MAX_FRAMES) : 1;
	domid_t domid = vbd->link.backend_id;
	u32 want = min(g->grants, XENPV_POOL_MAX - MAX_FRAMES);
	int err;

	do {
		if (vbd->copy) {
			err = xenpv_gntpool_init_pages(&ring->pages, want + frames,
						       g->segments + 1, domid, GFP_NOIO);
		} else {
			err = xenpv_gntpool_init(&ring->refs, want, domid, GFP_NOIO);
			if (!err)
				err = xenpv_gntpool_init_pages(&ring->pages,
							       min(frames, want), 1, domid,
							       GFP_NOIO);
			if (err)
				xenpv_gntpool_destroy(&ring->refs);
		}
		if (!err)
			return 0;
		want /= 2;
	} while (err == -ENOSPC && want >= g->segments);

	if (err == -ENOSPC)
		dev_err(&vbd->link.xdev->dev,
			"no room for %u grants of ring %u: raise gnttab_max_frames or lower max_grants\n",
			g->segments, ring->index);
	return err;
}

static int connect_rings(struct xvbd *vbd)
{
	struct xvbd_params params;
	struct xvbd_offer offer = {};
	u32 i;
	int err;

	xvbd_params_read(&params);
	offer.max_segments = xenbus_read_unsigned(vbd->link.backend,
						  "feature-max-indirect-segments", 0);
	if (vbd->max_ents)
		params.wish.max_segments = min(params.wish.max_segments, vbd->max_ents);
	xvbd_settle_segments(&params.wish, &offer, &vbd->geometry);

	vbd->persistent = vbd->persistent &&
			  xenbus_read_unsigned(vbd->link.backend, "feature-persistent", 0);
	vbd->copy = vbd->persistent || !vbd->trusted;

	for (i = 0; i < vbd->nr_rings; i++) {
		err = alloc_grants(vbd, &vbd->rings[i]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * xvbd_connect - learn what the backend serves and prepare for I/O
 * @link: link whose backend is Connected
 *
 * Return: 0 or a negative errno; what was made stays for xvbd_release().
 */
int xvbd_connect(struct xenpv_link *link)
{
	struct xvbd *vbd = xvbd_of(link);
	struct xenpv_blk_limits lim = {};
	struct xvbd_media media;
	int err;

	err = xvbd_read_media(vbd, &media);
	if (err)
		return err;
	err = connect_rings(vbd);
	if (err)
		return err;

	if (vbd->gd && media.sector_size > vbd->media.sector_size)
		dev_warn(&link->xdev->dev,
			 "sector-size grew from %u to %u: smaller requests in flight will fail\n",
			 vbd->media.sector_size, media.sector_size);
	vbd->media = media;
	vbd->sector_mask = media.sector_size / XVBD_SECTOR - 1;
	vbd->refused = 0;
	if (!vbd->gd && !vbd->dead) {
		err = xvbd_disk_create(vbd);
		if (err)
			return err;
	}
	if (vbd->gd && !vbd->dead) {
		xvbd_read_features(vbd, &lim);
		err = xenpv_blk_apply_limits(vbd->gd, &lim);
		if (err)
			return err;
		xvbd_show_media(vbd);
	}
	return 0;
}

/**
 * xvbd_start - let I/O flow
 * @link: link, connected
 */
void xvbd_start(struct xenpv_link *link)
{
	static const char * const caches[] = { "none", "flush", "barrier" };
	struct xvbd *vbd = xvbd_of(link);
	struct gendisk *gd = vbd->gd;

	if (!gd)
		return;
	dev_info(&link->xdev->dev,
		 "%s: %u queue%s of %u requests, %u segments%s, cache %s, sectors of %u bytes\n",
		 gd->disk_name, vbd->nr_rings, vbd->nr_rings == 1 ? "" : "s",
		 vbd->rings[0].nr_ents, vbd->geometry.segments,
		 vbd->persistent ? ", persistent grants" : vbd->copy ? ", bounced" : "",
		 caches[vbd->cache], vbd->media.sector_size);

	WRITE_ONCE(vbd->failed, false);
	if (vbd->quiesced) {
		vbd->quiesced = false;
		blk_mq_unquiesce_queue(gd->queue);
	}
	blk_mq_kick_requeue_list(gd->queue);
	if (!vbd->added && !vbd->dead && !vbd->debugfs) {
		xvbd_debugfs_add(vbd);
		queue_work(system_unbound_wq, &vbd->add_work);
	}
}
