// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "vbd.h"

static void show_link(struct seq_file *m, struct xvbd *vbd)
{
	static const char * const caches[] = { "none", "flush", "barrier" };

	seq_printf(m, "state %s\n", xenpv_state_name(vbd->link.state));
	seq_printf(m, "backend %s\n", vbd->link.backend);
	seq_printf(m, "reconnects %u\n", vbd->link.recoveries);
	seq_printf(m, "queues %u\n", vbd->nr_rings);
	seq_printf(m, "ring_entries %u\n", vbd->nr_rings ? vbd->rings[0].nr_ents : 0);
	seq_printf(m, "max_segments %u\n", vbd->geometry.segments);
	seq_printf(m, "grants_per_queue %u\n", vbd->geometry.grants);
	seq_printf(m, "copy %d\n", vbd->copy);
	seq_printf(m, "persistent %d\n", vbd->persistent);
	seq_printf(m, "cache %s\n", caches[vbd->cache]);
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct xvbd *vbd = m->private;
	u32 i, nr = vbd->slots.nr_queues;
	struct xenpv_stats *sums;

	sums = kvcalloc(nr, sizeof(*sums), GFP_KERNEL);
	if (!sums)
		return -ENOMEM;
	mutex_lock(&vbd->link.lock);
	show_link(m, vbd);
	mutex_unlock(&vbd->link.lock);
	for (i = 0; i < nr; i++)
		xenpv_stats_sum(vbd->stats[i], &sums[i]);
	xenpv_stats_show(m, sums, nr);
	kvfree(sums);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/**
 * xvbd_debugfs_add - show the disk in debugfs, as xenpv/<disk>/stats
 * @vbd: device with a disk
 */
void xvbd_debugfs_add(struct xvbd *vbd)
{
	vbd->debugfs = xenpv_debugfs_add(vbd->gd->disk_name);
	debugfs_create_file("stats", 0444, vbd->debugfs, vbd, &stats_fops);
}

/**
 * xvbd_stats_alloc - make the counters, a set for each hardware queue
 * @vbd: device whose number of rings is settled for the first time
 *
 * Return: 0 or -ENOMEM. xvbd_stats_free() undoes it.
 */
int xvbd_stats_alloc(struct xvbd *vbd)
{
	u32 i;

	vbd->stats = kcalloc(vbd->geometry.queues + 1, sizeof(*vbd->stats), GFP_KERNEL);
	if (!vbd->stats)
		return -ENOMEM;
	for (i = 0; i < vbd->geometry.queues; i++) {
		vbd->stats[i] = alloc_percpu(struct xenpv_stats);
		if (!vbd->stats[i]) {
			xvbd_stats_free(vbd);
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * xvbd_stats_free - free the counters
 * @vbd: device, with or without counters
 */
void xvbd_stats_free(struct xvbd *vbd)
{
	u32 i;

	for (i = 0; vbd->stats && vbd->stats[i]; i++)
		free_percpu(vbd->stats[i]);
	kfree(vbd->stats);
	vbd->stats = NULL;
}
