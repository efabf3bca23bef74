// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <xen/grant_table.h>

#include "../core/param.h"
#include "vbd.h"

static struct xenpv_bounds max_queues = { 1, 64, 64 };
module_param_cb(max_queues, &xenpv_bounded_ops, &max_queues, 0644);
MODULE_PARM_DESC(max_queues,
		 "Rings a disk may have, 1-64; no more than CPUs are made (default 64)");

static struct xenpv_bounds max_ring_page_order = { 0, 4, 4 };
module_param_cb(max_ring_page_order, &xenpv_bounded_ops, &max_ring_page_order, 0644);
MODULE_PARM_DESC(max_ring_page_order,
		 "Log2 of the pages of a ring, 0-4: 32 to 512 requests (default 4)");

static struct xenpv_bounds max_segments = { 11, XVBD_MAX_SEGMENTS, XVBD_MAX_SEGMENTS };
module_param_cb(max_segments, &xenpv_bounded_ops, &max_segments, 0644);
MODULE_PARM_DESC(max_segments,
		 "Segments of 4 KiB in a request, 11-256; 11 means no indirect requests (default 256)");

static struct xenpv_bounds max_grants = { 0, 16384, 0 };
module_param_cb(max_grants, &xenpv_bounded_ops, &max_grants, 0644);
MODULE_PARM_DESC(max_grants,
		 "Data grants of a disk, 0-16384; 0: by size of grant table and memory (default 0)");

static struct xenpv_bounds io_timeout = { 0, 3600, 60 };
module_param_cb(io_timeout, &xenpv_bounded_ops, &io_timeout, 0644);
MODULE_PARM_DESC(io_timeout,
		 "Seconds until an unanswered request is looked after, then replayed, 0-3600; 0: never (default 60)");

static struct xenpv_bounds outage = { 1, 86400, 60 };
module_param_cb(outage, &xenpv_bounded_ops, &outage, 0644);
MODULE_PARM_DESC(outage,
		 "Seconds that I/O waits for a lost backend before it fails, 1-86400 (default 60)");

static struct xenpv_bounds close_wait_ms = { 100, 60000, 5000 };
module_param_cb(close_wait_ms, &xenpv_bounded_ops, &close_wait_ms, 0644);
MODULE_PARM_DESC(close_wait_ms,
		 "Milliseconds to wait for each step of a backend's closing, 100-60000 (default 5000)");

static struct xenpv_bounds max_recoveries = { 0, XENPV_BUDGET_MAX, 5 };
module_param_cb(max_recoveries, &xenpv_bounded_ops, &max_recoveries, 0644);
MODULE_PARM_DESC(max_recoveries,
		 "Faults of a backend survived in recovery_window seconds, 0-32 (default 5)");

static struct xenpv_bounds recovery_window = { 1, 86400, 300 };
module_param_cb(recovery_window, &xenpv_bounded_ops, &recovery_window, 0644);
MODULE_PARM_DESC(recovery_window, "See max_recoveries, 1-86400 (default 300)");

static bool persistent = true;
module_param(persistent, bool, 0644);
MODULE_PARM_DESC(persistent, "Use persistent grants where offered (default Y)");

static bool trusted = true;
module_param(trusted, bool, 0644);
MODULE_PARM_DESC(trusted,
		 "Backends may see whole pages of guest memory; N copies all data (default Y)");

/**
 * xvbd_params_read - take the parameters as they are now
 * @params: receives them, within their bounds
 */
void xvbd_params_read(struct xvbd_params *params)
{
	unsigned int wait = READ_ONCE(outage.value);

	params->wish.cpus = num_online_cpus();
	params->wish.max_queues = READ_ONCE(max_queues.value);
	params->wish.max_ring_order = READ_ONCE(max_ring_page_order.value);
	params->wish.max_segments = READ_ONCE(max_segments.value);
	params->wish.grants = READ_ONCE(max_grants.value);
	if (!params->wish.grants)
		params->wish.grants = xvbd_auto_grants((u64)gnttab_max_grant_frames() *
						       (XEN_PAGE_SIZE /
							sizeof(struct grant_entry_v1)),
						       totalram_pages());
	params->persistent = READ_ONCE(persistent);
	params->trusted = READ_ONCE(trusted);
	params->io_timeout = READ_ONCE(io_timeout.value);
	params->link.close_wait = msecs_to_jiffies(READ_ONCE(close_wait_ms.value));
	params->link.connect_wait = wait * HZ;
	/* A backend that missed a step is given another chance before I/O fails. */
	params->link.reconnect_wait = wait * HZ / 3;
	params->link.outage_wait = wait * HZ;
	params->link.backoff = 0;
	params->link.max_recoveries = READ_ONCE(max_recoveries.value);
	params->link.window = READ_ONCE(recovery_window.value) * HZ;
}
