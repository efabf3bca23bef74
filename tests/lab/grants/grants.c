// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lab-grants - how many grant references a domain has given out
 *
 * Run in dom0: lab-grants DOMID. Maps the domain's grant table
 * (XENMEM_acquire_resource) and counts the entries in use (xen/grant_table.h,
 * version 1: GTF_type_mask of the flags). That is what the hypervisor honours,
 * whether or not a backend has mapped them.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xen/grant_table.h>

int main(int argc, char **argv)
{
	struct gnttab_query_size query = {};
	xenforeignmemory_resource_handle *resource;
	xenforeignmemory_handle *memory;
	const grant_entry_v1_t *entries;
	unsigned long used = 0;
	xc_interface *xc;
	void *table = NULL;
	char *end;
	long domid;

	domid = argc == 2 ? strtol(argv[1], &end, 10) : -1;
	if (domid < 0 || domid >= DOMID_FIRST_RESERVED || *end) {
		fprintf(stderr, "usage: lab-grants DOMID\n");
		return 2;
	}
	xc = xc_interface_open(NULL, NULL, 0);
	memory = xenforeignmemory_open(NULL, 0);
	if (!xc || !memory)
		err(1, "open the hypervisor");
	query.dom = (domid_t)domid;
	if (xc_gnttab_query_size(xc, &query) || query.status != GNTST_okay)
		errx(1, "domain %ld has no grant table (status %d)", domid, query.status);
	resource = xenforeignmemory_map_resource(
		memory, (domid_t)domid, XENMEM_resource_grant_table,
		XENMEM_resource_grant_table_id_shared, 0, query.nr_frames, &table, PROT_READ, 0);
	if (!resource)
		err(1, "map the grant table of domain %ld", domid);
	entries = table;
	for (size_t i = 0; i < query.nr_frames * (XC_PAGE_SIZE / sizeof(*entries)); i++)
		used += (entries[i].flags & GTF_type_mask) != GTF_invalid;
	printf("%lu\n", used);
	xenforeignmemory_unmap_resource(memory, resource);
	xenforeignmemory_close(memory);
	xc_interface_close(xc);
	return 0;
}
