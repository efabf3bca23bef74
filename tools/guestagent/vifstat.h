/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's vifs as devices, below data/xenpv/device/vif/<N>:
 *
 *   (itself)  name= driver= version= link=up|down mtu= tx-queues= rx-queues=
 *   rate      rx-bytes= tx-bytes= rx-packets= tx-packets= of a second of the last interval
 *   errors    rx= tx= rx-dropped= tx-dropped= since the interface exists
 *
 * The queues are those in use.
 */
#pragma once

#include "nettable.h"
#include "report.h"
#include "vif.h"

struct vif_history {
	uint32_t vif;
	bool seen; /* by the look under way */
	bool has_rate;
	uint64_t when; /* microseconds, of @last */
	struct net_counters last;
	struct net_counters rate; /* per second */
};

/* Start with a zeroed one; it holds nothing to be freed. */
struct vif_histories {
	struct vif_history list[VIFS_MAX];
	size_t n;
};

/* Look at the counters at @now, in microseconds; rates are of the time between two calls. */
void vifstat_sample(struct vif_histories *histories, const struct net_table *table, uint64_t now);

/* Add the nodes of all vifs to @report. Errors: -ENOMEM. */
int vifstat_report(const struct vif_histories *histories, const struct net_table *table,
		   const char *root, struct report *report);
