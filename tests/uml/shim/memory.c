// SPDX-License-Identifier: GPL-2.0-only
/*
 * XENMEM_*: the domain's memory. What the guest hands over is gone: a page that is
 * touched nevertheless stops the kernel. The parameters below are the host's part
 * and may be changed at any time.
 */
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/unistd.h>

#include <xen/interface/grant_table.h>
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <asm/xen/hypercall.h>

#include "shim.h"

/* Of the host's mmap(2). */
#define HOST_PROT_NONE	0
#define HOST_PROT_ALL	7

#define MAX_ORDER_OF_GUEST 9 /* Xen's default of domu_max_order */

static unsigned long mem_ram;
module_param(mem_ram, ulong, 0444);
MODULE_PARM_DESC(mem_ram, "Pages of RAM that the domain was made with");

static unsigned long mem_max;
module_param(mem_max, ulong, 0644);
MODULE_PARM_DESC(mem_max, "Pages that the domain may have, as xl mem-max sets it (0: all RAM)");

static unsigned long mem_special = 16;
module_param(mem_special, ulong, 0444);
MODULE_PARM_DESC(mem_special, "Pages that Xen counts beyond the RAM");

static unsigned long mem_promised;
module_param(mem_promised, ulong, 0644);
MODULE_PARM_DESC(mem_promised, "Pages populated on demand, that are not there yet");

static unsigned int mem_partial;
module_param(mem_partial, uint, 0644);
MODULE_PARM_DESC(mem_partial, "Extents done in a hypercall before it ends early (0: all)");

static unsigned int mem_loose;
module_param(mem_loose, uint, 0644);
MODULE_PARM_DESC(mem_loose, "Pages done of the extent after those, when memory is handed over");

static bool mem_no_large;
module_param(mem_no_large, bool, 0644);
MODULE_PARM_DESC(mem_no_large, "The host has no large page left");

static bool mem_refuse;
module_param(mem_refuse, bool, 0644);
MODULE_PARM_DESC(mem_refuse, "The host has no memory left, and takes none");

static unsigned long mem_decreases;
module_param(mem_decreases, ulong, 0444);
MODULE_PARM_DESC(mem_decreases, "Hypercalls so far that handed memory over");

static unsigned long mem_populates;
module_param(mem_populates, ulong, 0444);
MODULE_PARM_DESC(mem_populates, "Hypercalls so far that asked for memory");

static unsigned long mem_pages;
module_param(mem_pages, ulong, 0444);
MODULE_PARM_DESC(mem_pages, "Pages of RAM that are there, promised ones included");

static unsigned long *gone; /* a bit for each frame that is not populated */
static unsigned long frames;

int shim_memory_init(void)
{
	frames = physmem_size >> PAGE_SHIFT;
	gone = kvcalloc(BITS_TO_LONGS(frames), sizeof(long), GFP_KERNEL);
	if (!gone)
		return -ENOMEM;
	/* There are more frames: some that the host's address space has no room for. */
	mem_pages = mem_ram ?: frames;
	if (!mem_max)
		mem_max = mem_pages + mem_special;
	return 0;
}

/* What is promised is not there, and going away it leaves the figure as it is. */
static unsigned long reservation(void)
{
	return mem_pages + mem_special - mem_promised;
}

static int protect(unsigned long frame, unsigned long nr, int prot)
{
	return syscall(__NR_mprotect, __va(frame << PAGE_SHIFT), nr << PAGE_SHIFT, prot);
}

static bool valid_extent(unsigned long frame, unsigned int order)
{
	return order <= MAX_ORDER_OF_GUEST && !(frame & ((1ul << order) - 1)) &&
	       frame < frames && frames - frame >= 1ul << order;
}

/* Page by page, as Xen does it. Returns the pages done. */
static unsigned long release(unsigned long frame, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		if (WARN_ONCE(test_and_set_bit(frame + i, gone), "xenshim: frame %lx is gone already",
			      frame + i))
			break;
		mem_pages--;
		if (mem_promised)
			mem_promised--;
	}
	if (i && protect(frame, i, HOST_PROT_NONE))
		panic("xenshim: cannot take frame %lx: %d", frame, *__errno_location());
	return i;
}

static long decrease(const struct xen_memory_reservation *op)
{
	unsigned long i, nr = 1ul << op->extent_order;

	mem_decreases++;
	for (i = 0; i < op->nr_extents; i++) {
		unsigned long frame = op->extent_start[i];

		if (!valid_extent(frame, op->extent_order))
			return i ?: -EINVAL;
		if (mem_refuse)
			break;
		if (mem_partial && i == mem_partial) {
			release(frame, min_t(unsigned long, mem_loose, nr - 1));
			break;
		}
		if (release(frame, nr) != nr)
			break;
	}
	return i;
}

static long populate(const struct xen_memory_reservation *op)
{
	unsigned long i, nr = 1ul << op->extent_order;

	mem_populates++;
	for (i = 0; i < op->nr_extents; i++) {
		unsigned long frame = op->extent_start[i];

		if (!valid_extent(frame, op->extent_order))
			return i ?: -EINVAL;
		/* Over-allocation, as Xen calls it; what is promised counts as given. */
		if (mem_refuse || reservation() + nr > mem_max || mem_promised ||
		    (mem_no_large && op->extent_order) || (mem_partial && i == mem_partial))
			break;
		if (WARN_ONCE(find_next_zero_bit(gone, frame + nr, frame) < frame + nr,
			      "xenshim: frame %lx is there already", frame))
			break;
		bitmap_clear(gone, frame, nr);
		if (protect(frame, nr, HOST_PROT_ALL))
			panic("xenshim: cannot give frame %lx: %d", frame, *__errno_location());
		mem_pages += nr;
	}
	return i;
}

/* The grant table is there already; what is asked for must be where it is. */
static long add_to_physmap(const struct xen_add_to_physmap *op)
{
	if (op->space != XENMAPSPACE_grant_table)
		return -ENOSYS;
	if (op->idx >= shim_grant_frames() || op->gpfn != shim_grant_gfn() + op->idx)
		return -EINVAL;
	return 0;
}

long HYPERVISOR_memory_op(unsigned int cmd, void *arg)
{
	switch (cmd) {
	case XENMEM_add_to_physmap:
		return add_to_physmap(arg);
	case XENMEM_current_reservation:
		return reservation();
	case XENMEM_maximum_reservation:
		return mem_max;
	case XENMEM_decrease_reservation:
		return decrease(arg);
	case XENMEM_populate_physmap:
		return populate(arg);
	default:
		return -ENOSYS;
	}
}
EXPORT_SYMBOL_GPL(HYPERVISOR_memory_op);
