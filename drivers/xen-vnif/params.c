// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpumask.h>
#include <linux/module.h>

#include "../core/param.h"
#include "vnif.h"

static struct xenpv_bounds max_queues = { 1, XVIF_MAX_QUEUES, XVIF_MAX_QUEUES };
module_param_cb(max_queues, &xenpv_bounded_ops, &max_queues, 0644);
MODULE_PARM_DESC(max_queues,
		 "Queues an interface may have, 1-64; no more than CPUs are made (default 64)");

static struct xenpv_bounds tx_copybreak = { 0, 1024, 256 };
module_param_cb(tx_copybreak, &xenpv_bounded_ops, &tx_copybreak, 0644);
MODULE_PARM_DESC(tx_copybreak,
		 "Longest packet sent that is copied to a buffer granted for good, 0-1024 bytes (default 256)");

static struct xenpv_bounds rx_copybreak = { 64, 1024, 256 };
module_param_cb(rx_copybreak, &xenpv_bounded_ops, &rx_copybreak, 0644);
MODULE_PARM_DESC(rx_copybreak,
		 "Longest packet received that is copied out of its page, 64-1024 bytes (default 256)");

static struct xenpv_bounds outage = { 1, 86400, 60 };
module_param_cb(outage, &xenpv_bounded_ops, &outage, 0644);
MODULE_PARM_DESC(outage,
		 "Seconds to try to get a lost backend back before waiting for a new one, 1-86400 (default 60)");

static struct xenpv_bounds close_wait_ms = { 100, 60000, 5000 };
module_param_cb(close_wait_ms, &xenpv_bounded_ops, &close_wait_ms, 0644);
MODULE_PARM_DESC(close_wait_ms,
		 "Milliseconds to wait for each step of a backend's closing, 100-60000 (default 5000)");

static struct xenpv_bounds max_recoveries = { 0, XENPV_BUDGET_MAX, 16 };
module_param_cb(max_recoveries, &xenpv_bounded_ops, &max_recoveries, 0644);
MODULE_PARM_DESC(max_recoveries,
		 "Faults of a backend survived in recovery_window seconds, 0-32 (default 16)");

static struct xenpv_bounds recovery_window = { 1, 86400, 300 };
module_param_cb(recovery_window, &xenpv_bounded_ops, &recovery_window, 0644);
MODULE_PARM_DESC(recovery_window, "See max_recoveries, 1-86400 (default 300)");

static bool trusted = true;
module_param(trusted, bool, 0644);
MODULE_PARM_DESC(trusted,
		 "Backends may see whole pages of guest memory; N copies all data (default Y)");

static bool static_grants = true;
module_param(static_grants, bool, 0644);
MODULE_PARM_DESC(static_grants,
		 "Let a backend that offers it keep pages mapped, and copy (default Y)");

/**
 * xvif_params_read - take the parameters as they are now
 * @params: receives them, within their bounds
 */
void xvif_params_read(struct xvif_params *params)
{
	unsigned int wait = READ_ONCE(outage.value);

	params->max_queues = READ_ONCE(max_queues.value);
	params->tx_copybreak = READ_ONCE(tx_copybreak.value);
	params->rx_copybreak = READ_ONCE(rx_copybreak.value);
	params->trusted = READ_ONCE(trusted);
	params->static_grants = READ_ONCE(static_grants);
	params->link.close_wait = msecs_to_jiffies(READ_ONCE(close_wait_ms.value));
	params->link.connect_wait = wait * HZ;
	/* A backend that missed a step is given another chance. */
	params->link.reconnect_wait = wait * HZ / 3;
	params->link.outage_wait = wait * HZ;
	/* A backend that keeps failing is not to keep us busy. */
	params->link.backoff = HZ / 10;
	params->link.max_recoveries = READ_ONCE(max_recoveries.value);
	params->link.window = READ_ONCE(recovery_window.value) * HZ;
}
