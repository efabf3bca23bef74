// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "../core/stats.h"
#include "vnif.h"

const char * const xvif_stat_names[XVIF_NR_STATS] = {
	[XVIF_TX_PACKETS] = "tx_packets",
	[XVIF_TX_BYTES] = "tx_bytes",
	[XVIF_TX_DROPPED] = "tx_dropped",
	[XVIF_TX_ERRORS] = "tx_errors",
	[XVIF_TX_SMALLS] = "tx_small_copies",
	[XVIF_TX_PACKED] = "tx_packed",
	[XVIF_TX_GRANTED_SLOTS] = "tx_granted_slots",
	[XVIF_TX_GSO_PACKETS] = "tx_gso",
	[XVIF_TX_PUSHES] = "tx_pushes",
	[XVIF_TX_NOTIFIED] = "tx_notifications",
	[XVIF_TX_STOPPED] = "tx_stopped",
	[XVIF_TX_INTERRUPTS] = "tx_interrupts",
	[XVIF_TX_SPURIOUS] = "tx_spurious",
	[XVIF_TX_TIMEOUTS] = "tx_timeouts",
	[XVIF_RX_PACKETS] = "rx_packets",
	[XVIF_RX_BYTES] = "rx_bytes",
	[XVIF_RX_DROPPED] = "rx_dropped",
	[XVIF_RX_ERRORS] = "rx_errors",
	[XVIF_RX_COPIED] = "rx_small_copies",
	[XVIF_RX_GSO_PACKETS] = "rx_gso",
	[XVIF_RX_CSUM_FIXED] = "rx_gso_csum_fixed",
	[XVIF_RX_NOTIFIED] = "rx_notifications",
	[XVIF_RX_NO_MEMORY] = "rx_no_memory",
	[XVIF_RX_INTERRUPTS] = "rx_interrupts",
	[XVIF_RX_SPURIOUS] = "rx_spurious",
	[XVIF_RX_STALLS] = "rx_stalls",
	[XVIF_XDP_PASS] = "xdp_pass",
	[XVIF_XDP_DROP] = "xdp_drop",
	[XVIF_XDP_TX] = "xdp_tx",
	[XVIF_XDP_REDIRECT] = "xdp_redirect",
	[XVIF_XDP_ERRORS] = "xdp_errors",
	[XVIF_XDP_XMIT] = "xdp_xmit",
	[XVIF_XDP_XMIT_DROPPED] = "xdp_xmit_dropped",
	[XVIF_XDP_OVERSIZE] = "xdp_oversize",
	[XVIF_PROTOCOL_ERRORS] = "protocol_errors",
	[XVIF_STILL_MAPPED] = "grants_still_mapped",
};

/**
 * xvif_stats_sum - add up one queue's counters over all CPUs
 * @stats: counters
 * @sum: receives the sums; each is exact, but they are not of one instant
 */
void xvif_stats_sum(struct xvif_stats __percpu *stats, struct xvif_stats *sum)
{
	int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct xvif_stats *one = per_cpu_ptr(stats, cpu);

		for (i = 0; i < XVIF_NR_STATS; i++)
			sum->count[i] += READ_ONCE(one->count[i]);
	}
}

/**
 * xvif_stats_totals - the interface's counters, as ip -s link shows them
 * @vif: interface
 * @tot: receives them
 */
void xvif_stats_totals(struct xvif *vif, struct rtnl_link_stats64 *tot)
{
	struct xvif_stats sum;
	u32 i;

	for (i = 0; i < vif->max_queues; i++) {
		xvif_stats_sum(vif->stats[i], &sum);
		tot->tx_packets += sum.count[XVIF_TX_PACKETS];
		tot->tx_bytes += sum.count[XVIF_TX_BYTES];
		tot->tx_dropped += sum.count[XVIF_TX_DROPPED];
		tot->tx_errors += sum.count[XVIF_TX_ERRORS];
		tot->rx_packets += sum.count[XVIF_RX_PACKETS];
		tot->rx_bytes += sum.count[XVIF_RX_BYTES];
		tot->rx_dropped += sum.count[XVIF_RX_DROPPED];
		tot->rx_errors += sum.count[XVIF_RX_ERRORS];
	}
}

static void show_link(struct seq_file *m, struct xvif *vif)
{
	u32 i, tx = 0, rx = 0;

	seq_printf(m, "interface %s\n", netdev_name(vif->dev));
	seq_printf(m, "state %s\n", xenpv_state_name(vif->link.state));
	seq_printf(m, "backend %s\n", vif->link.backend);
	seq_printf(m, "reconnects %u\n", vif->link.recoveries);
	seq_printf(m, "queues %u\n", vif->nr_queues);
	seq_printf(m, "split %d\n", vif->split);
	seq_printf(m, "trusted %d\n", vif->trusted);
	seq_printf(m, "control_ring %d\n", vif->ctrl.alive);
	seq_printf(m, "hash %d\n", vif->hash.active);
	seq_printf(m, "multicast_filter %d\n", vif->mcast.filtering);
	seq_printf(m, "multicast_addresses %u\n", vif->mcast.nr);
	for (i = 0; i < vif->nr_queues; i++) {
		tx += vif->queues[i].static_tx;
		rx += vif->queues[i].static_rx;
	}
	seq_printf(m, "static_tx_queues %u\n", tx);
	seq_printf(m, "static_rx_queues %u\n", rx);
	seq_printf(m, "xdp_headroom %u\n", vif->told_headroom);
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct xvif *vif = m->private;
	struct xvif_stats *sums;
	u32 i, q;

	sums = kvcalloc(vif->max_queues, sizeof(*sums), GFP_KERNEL);
	if (!sums)
		return -ENOMEM;
	mutex_lock(&vif->link.lock);
	show_link(m, vif);
	mutex_unlock(&vif->link.lock);
	for (q = 0; q < vif->max_queues; q++)
		xvif_stats_sum(vif->stats[q], &sums[q]);
	for (i = 0; i < XVIF_NR_STATS; i++) {
		u64 total = 0;

		for (q = 0; q < vif->max_queues; q++)
			total += sums[q].count[i];
		seq_printf(m, "%s %llu", xvif_stat_names[i], total);
		for (q = 0; q < vif->max_queues; q++)
			seq_printf(m, " %llu", sums[q].count[i]);
		seq_putc(m, '\n');
	}
	kvfree(sums);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/**
 * xvif_debugfs_add - show the interface in debugfs, as xenpv/vif-<handle>/stats
 * @vif: interface
 */
void xvif_debugfs_add(struct xvif *vif)
{
	/* dev_name() is "vif-0"; the interface itself may be renamed. */
	vif->debugfs = xenpv_debugfs_add(dev_name(&vif->link.xdev->dev));
	debugfs_create_file("stats", 0444, vif->debugfs, vif, &stats_fops);
}

/**
 * xvif_stats_alloc - make the counters, a set for each possible queue
 * @vif: interface
 *
 * Return: 0 or -ENOMEM. xvif_stats_free() undoes it.
 */
int xvif_stats_alloc(struct xvif *vif)
{
	u32 i;

	vif->stats = kcalloc(vif->max_queues, sizeof(*vif->stats), GFP_KERNEL);
	if (!vif->stats)
		return -ENOMEM;
	for (i = 0; i < vif->max_queues; i++) {
		vif->stats[i] = alloc_percpu(struct xvif_stats);
		if (!vif->stats[i]) {
			xvif_stats_free(vif);
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * xvif_stats_free - free the counters
 * @vif: interface, with or without counters
 */
void xvif_stats_free(struct xvif *vif)
{
	u32 i;

	for (i = 0; vif->stats && i < vif->max_queues; i++)
		free_percpu(vif->stats[i]);
	kfree(vif->stats);
	vif->stats = NULL;
}
