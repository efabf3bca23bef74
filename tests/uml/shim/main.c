// SPDX-License-Identifier: GPL-2.0-only
/* The order of start, and what Linux's Xen code expects of arch/x86/xen. */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <xen/balloon.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/xen.h>
#include <xen/xen-ops.h>
#include <asm/xen/hypervisor.h>

#include "shim.h"

static int hub_fd = -1;
module_param(hub_fd, int, 0444);
MODULE_PARM_DESC(hub_fd, "Descriptor of the socket that makes us a domain of the hub");

enum xen_domain_type xen_domain_type = XEN_NATIVE;
EXPORT_SYMBOL_GPL(xen_domain_type);
u32 xen_start_flags;
EXPORT_SYMBOL(xen_start_flags);
u8 xen_features[XENFEAT_NR_SUBMAPS * 32];
EXPORT_SYMBOL_GPL(xen_features);
struct start_info *xen_start_info;
EXPORT_SYMBOL_GPL(xen_start_info);
struct shared_info *HYPERVISOR_shared_info;
EXPORT_SYMBOL_GPL(HYPERVISOR_shared_info);

bool xen_biovec_phys_mergeable(const struct bio_vec *vec1, const struct page *page)
{
	return true;
}
EXPORT_SYMBOL(xen_biovec_phys_mergeable);

/* Pages to map foreign grants in: not for a guest of the shim. */
int xen_alloc_ballooned_pages(unsigned int nr_pages, struct page **pages)
{
	return -ENOMEM;
}

void xen_free_ballooned_pages(unsigned int nr_pages, struct page **pages)
{
}

int arch_gnttab_init(unsigned long nr_shared, unsigned long nr_status)
{
	return 0;
}

int arch_gnttab_map_shared(xen_pfn_t *frames, unsigned long nr_gframes,
			   unsigned long max_nr_gframes, void **shared)
{
	return -ENOSYS; /* not auto-translated only */
}

int arch_gnttab_map_status(uint64_t *frames, unsigned long nr_gframes,
			   unsigned long max_nr_gframes, grant_status_t **shared)
{
	return -ENOSYS;
}

void arch_gnttab_unmap(void *shared, unsigned long nr_gframes)
{
}

static int grants_init(void)
{
	unsigned int i, n = shim_grant_frames();
	xen_pfn_t *pfn = kcalloc(n, sizeof(*pfn), GFP_KERNEL);

	if (!pfn)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		pfn[i] = shim_grant_gfn() + i;
	xen_auto_xlat_grant_frames.pfn = pfn;
	xen_auto_xlat_grant_frames.vaddr = gfn_to_virt(pfn[0]);
	xen_auto_xlat_grant_frames.count = n;
	return gnttab_init();
}

static int __init xenshim_init(void)
{
	static int (*const steps[])(void) = {
		shim_memory_init,
		shim_domain_init,
		grants_init,
		shim_init_xenbus_init,
		shim_init_xenbus_probe_frontend_init,
		shim_init_xenbus_probe_initcall,
		shim_init_xenbus_dev_frontend_init,
		shim_manage_init,
	};
	int i, err;

	if (hub_fd < 0)
		return -EINVAL;
	err = shim_hub_init(hub_fd);
	if (err)
		return err;
	xen_domain_type = XEN_HVM_DOMAIN;
	xen_features[XENFEAT_auto_translated_physmap] = 1;
	xen_features[XENFEAT_hvm_safe_pvclock] = 1;
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		err = steps[i]();
		/* The hub and others share our pages by now: there is no way back. */
		if (err)
			panic("xenshim: step %d of the start failed: %d", i, err);
	}
	return 0;
}
module_init(xenshim_init);

MODULE_DESCRIPTION("Xen guest interface for User Mode Linux on the test bench");
MODULE_LICENSE("GPL");
