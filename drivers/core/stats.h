/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters that are always on, one set per queue, shown in debugfs. */
#ifndef XENPV_STATS_H
#define XENPV_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

struct dentry;
struct seq_file;

/** enum xenpv_stat - what is counted */
enum xenpv_stat {
	XENPV_STAT_REQUESTS,
	XENPV_STAT_READ_BYTES,
	XENPV_STAT_WRITTEN_BYTES,
	XENPV_STAT_FLUSHES,
	XENPV_STAT_DISCARDS,
	XENPV_STAT_INDIRECT,
	XENPV_STAT_PUSHES,
	XENPV_STAT_NOTIFIED,
	XENPV_STAT_SUPPRESSED,
	XENPV_STAT_INTERRUPTS,
	XENPV_STAT_SPURIOUS,
	XENPV_STAT_BUSY,
	XENPV_STAT_COPIED_BYTES,
	XENPV_STAT_GRANTED_SEGMENTS,
	XENPV_STAT_PARTIAL,
	XENPV_STAT_REQUEUED,
	XENPV_STAT_IO_ERRORS,
	XENPV_STAT_UNSUPPORTED,
	XENPV_STAT_PROTOCOL_ERRORS,
	XENPV_STAT_STILL_MAPPED,
	XENPV_STAT_TIMEOUTS,
	XENPV_NR_STATS
};

/** struct xenpv_stats - counters of one CPU and queue */
struct xenpv_stats {
	u64 count[XENPV_NR_STATS];
};

/** xenpv_stat_add - add to a counter; any context */
#define xenpv_stat_add(stats, which, n)	this_cpu_add((stats)->count[which], n)
/** xenpv_stat_inc - count one; any context */
#define xenpv_stat_inc(stats, which)	this_cpu_inc((stats)->count[which])

void xenpv_stats_sum(struct xenpv_stats __percpu *stats, struct xenpv_stats *sum);
void xenpv_stats_show(struct seq_file *m, const struct xenpv_stats *sums, u32 nr);
struct dentry *xenpv_debugfs_add(const char *name);
void xenpv_debugfs_del(struct dentry *dir);

void xenpv_stats_init(void);
void xenpv_stats_exit(void);

#endif /* XENPV_STATS_H */
