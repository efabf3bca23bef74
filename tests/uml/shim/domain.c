// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <xen/grant_table.h>
#include <xen/interface/io/xs_wire.h>

#include <mem_user.h>
#include <os.h>

#include "shim.h"

struct loop_shared *shim_shared;
struct xenstore_domain_interface *shim_ring;
evtchn_port_t shim_store_port;

static struct grant_entry_v1 *table;

unsigned long shim_grant_gfn(void)
{
	return PFN_DOWN(__pa(table));
}

unsigned int shim_grant_frames(void)
{
	return LOOP_MAX_FRAMES;
}

/* The toolstack's part in reality: the xenstore ring is granted and has a port. */
static int offer_xenstore(void)
{
	int port = shim_port_alloc(LOOP_HOST_DOMID);

	if (port < 0)
		return port;
	shim_store_port = port;
	memset(shim_ring, 0, PAGE_SIZE);
	table[SHIM_STORE_REF].domid = LOOP_HOST_DOMID;
	table[SHIM_STORE_REF].frame = PFN_DOWN(__pa(shim_ring));
	shim_store(&table[SHIM_STORE_REF].flags, GTF_permit_access);
	return 0;
}

/* Tell the hub where everything is, and wait until the toolstack has built the domain. */
static int register_domain(int *ret_upcall_fd)
{
	unsigned long long offset;
	struct loop_msg msg = { .op = LOOP_REGISTER };
	int fd = phys_mapping(__pa(shim_shared), &offset), err;

	if (fd < 0 || offset != __pa(shim_shared))
		return -ENXIO;
	msg.port = shim_store_port;
	msg.arg[0] = physmem_size;
	msg.arg[1] = PFN_DOWN(__pa(shim_shared));
	msg.arg[2] = shim_grant_gfn();
	msg.arg[3] = LOOP_MAX_FRAMES;
	msg.arg[4] = PFN_DOWN(__pa(shim_ring));
	err = shim_hub_send(&msg, fd);
	if (err)
		return err;
	return shim_hub_wait(LOOP_START, &msg, ret_upcall_fd);
}

int shim_domain_init(void)
{
	int err, upcall_fd;

	shim_shared = alloc_pages_exact(LOOP_SHARED_PAGES * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	table = alloc_pages_exact(LOOP_MAX_FRAMES * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	shim_ring = (void *)get_zeroed_page(GFP_KERNEL);
	if (!shim_shared || !table || !shim_ring) {
		err = -ENOMEM;
		goto fail;
	}
	err = shim_events_init();
	if (!err)
		err = offer_xenstore();
	if (!err)
		err = register_domain(&upcall_fd);
	if (!err)
		err = shim_events_start(upcall_fd);
	/* From here on the hub and others know our pages: they stay. */
	return err;
fail:
	if (shim_shared)
		free_pages_exact(shim_shared, LOOP_SHARED_PAGES * PAGE_SIZE);
	if (table)
		free_pages_exact(table, LOOP_MAX_FRAMES * PAGE_SIZE);
	free_page((unsigned long)shim_ring);
	return err;
}

/*
 * Suspend in the hypercall, return in the new domain: no grants, no event channels, a
 * fresh xenstore ring. The hub resumes us only when nobody maps the old grants any more.
 */
int shim_domain_suspend(void)
{
	struct loop_msg msg = { .op = LOOP_SHUTDOWN };
	int err, upcall_fd;

	msg.arg[0] = LOOP_SUSPEND;
	err = shim_hub_send(&msg, -1);
	if (!err)
		err = shim_hub_wait(LOOP_RESUME, &msg, NULL);
	if (err)
		return err;
	memset(table, 0, LOOP_MAX_FRAMES * PAGE_SIZE);
	shim_ports_reset();
	err = offer_xenstore();
	if (!err)
		err = register_domain(&upcall_fd);
	/* The upcall pipe is the one that we have. */
	if (!err && upcall_fd >= 0)
		os_close_file(upcall_fd);
	return err;
}
