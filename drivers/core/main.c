// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <xen/xen.h>

#include "link.h"
#include "stats.h"

static int __init xenpv_core_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	err = xenpv_links_init();
	if (err)
		return err;
	xenpv_stats_init();
	return 0;
}
module_init(xenpv_core_init);

static void __exit xenpv_core_exit(void)
{
	xenpv_stats_exit();
	xenpv_links_exit();
}
module_exit(xenpv_core_exit);

MODULE_DESCRIPTION("Ring, grant pool and connection state machine of the xenpv drivers");
MODULE_LICENSE("GPL");
MODULE_VERSION(__stringify(XENPV_VERSION));
