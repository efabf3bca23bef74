/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before each of Linux's own Xen sources, which are compiled here as they are:
 * what they register as initcalls becomes functions that main.c calls in order.
 */
#include <linux/init.h>
#include <linux/io.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#define SHIM_INITCALL_(fn) \
	int shim_init_##fn(void); \
	int shim_init_##fn(void) { return fn(); }
#define SHIM_INITCALL(fn) SHIM_INITCALL_(fn)

#undef core_initcall_sync
#undef postcore_initcall
#undef subsys_initcall
#undef device_initcall
#undef late_initcall
#undef late_initcall_sync
#define core_initcall_sync	SHIM_INITCALL
#define postcore_initcall	SHIM_INITCALL
#define subsys_initcall		SHIM_INITCALL
#define device_initcall		SHIM_INITCALL
#define late_initcall		SHIM_INITCALL
#define late_initcall_sync	SHIM_INITCALL

/* The initcalls run after the module's init section could be gone. */
#undef __init
#define __init

/* User Mode Linux has no memremap(); all that is mapped this way is ordinary memory. */
#define memremap(phys, size, flags)	__va(phys)
#define memunmap(addr)			((void)(addr))

/* Not exported; asked for the widest frame number that a toolstack might use. */
extern unsigned long long physmem_size;
#define max_possible_pfn ((unsigned long)(physmem_size >> PAGE_SHIFT))
