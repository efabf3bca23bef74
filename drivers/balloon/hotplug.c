// SPDX-License-Identifier: GPL-2.0-only
/*
 * RAM beyond what the guest was started with. A range of guest frames is added to
 * the machine; when user space (udev, the agent) has set it online, its pages come
 * to the balloon, and are populated from there. Not for PV: set_phys_to_machine()
 * is not for modules.
 */
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "balloon.h"
#include "spans.h"

/* Below 4 GiB there may be devices that no resource tells of. */
#define LOWEST	SZ_4G
#define HIGHEST	((1ull << 46) - 1)

/* Ranges that we added; guarded by xbal_lock. */
static struct xbal_spans spans;
/* Of them, pages that have not been set online; guarded by xbal_lock. */
static u64 pending;

/* In the context of who sets a memory block online. */
static void online_page(struct page *page, unsigned int order)
{
	u64 pfn = page_to_pfn(page), nr = 1ull << order;
	bool mine;

	mutex_lock(&xbal_lock);
	mine = xbal_spans_have(&spans, pfn);
	if (mine) {
		pending -= min(pending, nr);
		xbal_engine_adopt(pfn, nr);
	}
	mutex_unlock(&xbal_lock);
	if (!mine)
		generic_online_page(page, order);
}

static int memory_event(struct notifier_block *nb, unsigned long event, void *data)
{
	if (event == MEM_ONLINE)
		xbal_kick();
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = {
	.notifier_call = memory_event,
};

/* Where nothing is. Nobody else places RAM here while the guest runs. */
static int find_space(u64 size, u64 align, u64 *start)
{
	struct resource res = { .name = "xen-balloon", .flags = IORESOURCE_MEM };
	int err;

	err = allocate_resource(&iomem_resource, &res, size, LOWEST, HIGHEST, align, NULL, NULL);
	if (err)
		return err;
	*start = res.start;
	return release_resource(&res);
}

/* Note a range before it is added: it may be set online at once. */
static bool note_span(u64 pfn, u64 nr)
{
	bool noted;

	mutex_lock(&xbal_lock);
	noted = xbal_spans_add(&spans, pfn, nr);
	if (noted)
		pending += nr;
	mutex_unlock(&xbal_lock);
	return noted;
}

static void forget_span(u64 pfn, u64 nr)
{
	mutex_lock(&xbal_lock);
	pending -= min(pending, nr);
	xbal_spans_undo(&spans, pfn, nr);
	mutex_unlock(&xbal_lock);
}

/**
 * xbal_hotplug_add - add RAM, with nothing behind it
 * @pages: how many are missing; rounded up to what the kernel can add
 *
 * Called without xbal_lock, by one thread at a time.
 *
 * Return: why @pages are not there when it returns: %XBAL_OFFLINE when they
 * were added and wait to be set online, %XBAL_ABOVE_RAM when they were not,
 * %XBAL_FINE when they are online already.
 */
enum xbal_reason xbal_hotplug_add(u64 pages)
{
	u64 block = memory_block_size_bytes(), missing, size, start, left;
	int err;

	mutex_lock(&xbal_lock);
	missing = pages > pending ? pages - pending : 0;
	mutex_unlock(&xbal_lock);
	if (!missing)
		return XBAL_OFFLINE;

	size = round_up(missing << PAGE_SHIFT, block);
	err = find_space(size, block, &start);
	if (err) {
		pr_warn("xen-balloon: no room for %llu KiB of RAM among the guest's addresses: %d\n",
			size >> 10, err);
		return XBAL_ABOVE_RAM;
	}
	if (!note_span(start >> PAGE_SHIFT, size >> PAGE_SHIFT))
		return XBAL_ABOVE_RAM;
	err = add_memory(memory_add_physaddr_to_nid(start), start, size, MHP_NONE);
	if (err) {
		pr_warn("xen-balloon: cannot add %llu KiB of RAM at %llx: %d\n", size >> 10, start,
			err);
		forget_span(start >> PAGE_SHIFT, size >> PAGE_SHIFT);
		return XBAL_ABOVE_RAM;
	}
	pr_info("xen-balloon: added %llu KiB of RAM at %llx\n", size >> 10, start);
	mutex_lock(&xbal_lock);
	left = pending;
	mutex_unlock(&xbal_lock);
	return left ? XBAL_OFFLINE : XBAL_FINE;
}

/**
 * xbal_hotplug_init - get hold of pages that are set online
 *
 * Return: 0, or -EINVAL when another driver has.
 */
int xbal_hotplug_init(void)
{
	int err = set_online_page_callback(online_page);

	if (err) {
		pr_warn("xen-balloon: another driver handles added memory, this one adds none\n");
		return err;
	}
	err = register_memory_notifier(&memory_nb);
	if (err)
		restore_online_page_callback(online_page);
	return err;
}

/** xbal_hotplug_exit - undo xbal_hotplug_init(); nothing was added */
void xbal_hotplug_exit(void)
{
	unregister_memory_notifier(&memory_nb);
	restore_online_page_callback(online_page);
}
