// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "stats.h"

static const char * const stat_names[XENPV_NR_STATS] = {
	[XENPV_STAT_REQUESTS] = "requests",
	[XENPV_STAT_READ_BYTES] = "read_bytes",
	[XENPV_STAT_WRITTEN_BYTES] = "written_bytes",
	[XENPV_STAT_FLUSHES] = "flushes",
	[XENPV_STAT_DISCARDS] = "discards",
	[XENPV_STAT_INDIRECT] = "indirect_requests",
	[XENPV_STAT_PUSHES] = "pushes",
	[XENPV_STAT_NOTIFIED] = "notifications_sent",
	[XENPV_STAT_SUPPRESSED] = "notifications_suppressed",
	[XENPV_STAT_INTERRUPTS] = "interrupts",
	[XENPV_STAT_SPURIOUS] = "spurious_interrupts",
	[XENPV_STAT_BUSY] = "ring_or_grants_full",
	[XENPV_STAT_COPIED_BYTES] = "copied_bytes",
	[XENPV_STAT_GRANTED_SEGMENTS] = "granted_segments",
	[XENPV_STAT_PARTIAL] = "partial_requests",
	[XENPV_STAT_REQUEUED] = "requeued_requests",
	[XENPV_STAT_IO_ERRORS] = "io_errors",
	[XENPV_STAT_UNSUPPORTED] = "unsupported_errors",
	[XENPV_STAT_PROTOCOL_ERRORS] = "protocol_errors",
	[XENPV_STAT_STILL_MAPPED] = "grants_still_mapped",
	[XENPV_STAT_TIMEOUTS] = "timeouts",
};

static struct dentry *root;

/**
 * xenpv_stats_sum - add up one queue's counters over all CPUs
 * @stats: counters
 * @sum: receives the sums; each is exact, but they are not of one instant
 */
void xenpv_stats_sum(struct xenpv_stats __percpu *stats, struct xenpv_stats *sum)
{
	int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct xenpv_stats *one = per_cpu_ptr(stats, cpu);

		for (i = 0; i < XENPV_NR_STATS; i++)
			sum->count[i] += one->count[i];
	}
}
EXPORT_SYMBOL_GPL(xenpv_stats_sum);

/**
 * xenpv_stats_show - print counters, one a line: name, total, each queue's
 * @m: where to print
 * @sums: one element a queue
 * @nr: number of queues
 */
void xenpv_stats_show(struct seq_file *m, const struct xenpv_stats *sums, u32 nr)
{
	u32 i, q;

	for (i = 0; i < XENPV_NR_STATS; i++) {
		u64 total = 0;

		for (q = 0; q < nr; q++)
			total += sums[q].count[i];
		seq_printf(m, "%s %llu", stat_names[i], total);
		for (q = 0; q < nr; q++)
			seq_printf(m, " %llu", sums[q].count[i]);
		seq_putc(m, '\n');
	}
}
EXPORT_SYMBOL_GPL(xenpv_stats_show);

/**
 * xenpv_debugfs_add - make a device's directory under xenpv/ in debugfs
 * @name: name of the device
 *
 * Return: directory, or an error pointer, which debugfs accepts as parent.
 */
struct dentry *xenpv_debugfs_add(const char *name)
{
	return debugfs_create_dir(name, root);
}
EXPORT_SYMBOL_GPL(xenpv_debugfs_add);

/**
 * xenpv_debugfs_del - remove a device's directory
 * @dir: from xenpv_debugfs_add()
 *
 * Waits until no file in it is being read.
 */
void xenpv_debugfs_del(struct dentry *dir)
{
	debugfs_remove_recursive(dir);
}
EXPORT_SYMBOL_GPL(xenpv_debugfs_del);

/** xenpv_stats_init - called once when the module loads */
void xenpv_stats_init(void)
{
	root = debugfs_create_dir("xenpv", NULL);
}

/** xenpv_stats_exit - called once when the module unloads */
void xenpv_stats_exit(void)
{
	debugfs_remove_recursive(root);
}
