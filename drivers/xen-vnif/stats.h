/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of a queue, always on. */
#ifndef XVIF_STATS_H
#define XVIF_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

/** enum xvif_stat - what is counted, a set each queue */
enum xvif_stat {
	XVIF_TX_PACKETS,
	XVIF_TX_BYTES,
	XVIF_TX_DROPPED,
	XVIF_TX_ERRORS,
	XVIF_TX_SMALLS,
	XVIF_TX_PACKED,
	XVIF_TX_GRANTED_SLOTS,
	XVIF_TX_GSO_PACKETS,
	XVIF_TX_PUSHES,
	XVIF_TX_NOTIFIED,
	XVIF_TX_STOPPED,
	XVIF_TX_INTERRUPTS,
	XVIF_TX_SPURIOUS,
	XVIF_TX_TIMEOUTS,
	XVIF_RX_PACKETS,
	XVIF_RX_BYTES,
	XVIF_RX_DROPPED,
	XVIF_RX_ERRORS,
	XVIF_RX_COPIED,
	XVIF_RX_GSO_PACKETS,
	XVIF_RX_CSUM_FIXED,
	XVIF_RX_NOTIFIED,
	XVIF_RX_NO_MEMORY,
	XVIF_RX_INTERRUPTS,
	XVIF_RX_SPURIOUS,
	XVIF_RX_STALLS,
	XVIF_XDP_PASS,
	XVIF_XDP_DROP,
	XVIF_XDP_TX,
	XVIF_XDP_REDIRECT,
	XVIF_XDP_ERRORS,
	XVIF_XDP_XMIT,
	XVIF_XDP_XMIT_DROPPED,
	XVIF_XDP_OVERSIZE,
	XVIF_PROTOCOL_ERRORS,
	XVIF_STILL_MAPPED,
	XVIF_NR_STATS
};

/** struct xvif_stats - counters of one CPU and queue */
struct xvif_stats {
	u64 count[XVIF_NR_STATS];
};

extern const char * const xvif_stat_names[XVIF_NR_STATS];

/** xvif_stat_add - add to a counter; any context */
#define xvif_stat_add(stats, which, n)	this_cpu_add((stats)->count[which], n)
/** xvif_stat_inc - count one; any context */
#define xvif_stat_inc(stats, which)	this_cpu_inc((stats)->count[which])

struct xvif;
struct rtnl_link_stats64;

int xvif_stats_alloc(struct xvif *vif);
void xvif_stats_free(struct xvif *vif);
void xvif_stats_sum(struct xvif_stats __percpu *stats, struct xvif_stats *sum);
void xvif_stats_totals(struct xvif *vif, struct rtnl_link_stats64 *tot);
void xvif_debugfs_add(struct xvif *vif);

#endif /* XVIF_STATS_H */
