// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own balloon, as a module: its sources are unchanged, and it runs from
 * loading on as it does from boot on where it is built in. It cannot be unloaded.
 */
#include <linux/module.h>

/* Not exported, and without effect in a guest of the shim. */
extern unsigned long shim_totalreserve_pages;
unsigned long shim_totalreserve_pages;
void shim_flush_tlb_all(void);
void shim_flush_tlb_all(void)
{
}

int shim_init_balloon_init(void);

static int __init builtin_balloon_init(void)
{
	return shim_init_balloon_init();
}
module_init(builtin_balloon_init);

MODULE_DESCRIPTION("Linux's Xen balloon driver, for the test bench");
MODULE_LICENSE("GPL");
