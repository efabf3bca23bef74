/* SPDX-License-Identifier: GPL-2.0-only */
/* Frame numbers of an auto-translated guest: all of them are the same number. */
#ifndef _ASM_XEN_PAGE_H
#define _ASM_XEN_PAGE_H

#include <linux/kernel.h>
#include <linux/mm.h>
#include <xen/interface/xen.h>
#include <xen/interface/grant_table.h>

typedef struct xmaddr {
	phys_addr_t maddr;
} xmaddr_t;

#define pfn_to_gfn(pfn)		((unsigned long)(pfn))
#define gfn_to_pfn(gfn)		((unsigned long)(gfn))
#define pfn_to_bfn(pfn)		((unsigned long)(pfn))
#define bfn_to_pfn(bfn)		((unsigned long)(bfn))
#define virt_to_gfn(v)		PFN_DOWN(__pa(v))
#define gfn_to_virt(gfn)	__va((unsigned long)(gfn) << PAGE_SHIFT)

static inline xmaddr_t arbitrary_virt_to_machine(void *vaddr)
{
	return (xmaddr_t){ .maddr = __pa(vaddr) };
}

/* For mapping other domains' grants, which the shim does not offer. */
static inline int set_foreign_p2m_mapping(struct gnttab_map_grant_ref *map,
					  struct gnttab_map_grant_ref *kmap,
					  struct page **pages, unsigned int count)
{
	return 0;
}

static inline int clear_foreign_p2m_mapping(struct gnttab_unmap_grant_ref *unmap,
					    struct gnttab_unmap_grant_ref *kunmap,
					    struct page **pages, unsigned int count)
{
	return 0;
}

#endif
