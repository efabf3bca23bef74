// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/reboot.h>

#include <xen/interface/event_channel.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/hvm/hvm_op.h>
#include <xen/interface/hvm/params.h>
#include <xen/interface/sched.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>

#include "shim.h"

int HYPERVISOR_event_channel_op(int cmd, void *arg)
{
	switch (cmd) {
	case EVTCHNOP_alloc_unbound: {
		struct evtchn_alloc_unbound *op = arg;
		int port;

		if (op->dom != DOMID_SELF)
			return -EPERM;
		port = shim_port_alloc(op->remote_dom);
		if (port < 0)
			return port;
		op->port = port;
		return 0;
	}
	case EVTCHNOP_close:
		return shim_port_close(((struct evtchn_close *)arg)->port);
	case EVTCHNOP_send:
		shim_port_send(((struct evtchn_send *)arg)->port);
		return 0;
	default:
		return -ENOSYS;
	}
}
EXPORT_SYMBOL_GPL(HYPERVISOR_event_channel_op);

int HYPERVISOR_grant_table_op(unsigned int cmd, void *arg, unsigned int count)
{
	switch (cmd) {
	case GNTTABOP_query_size: {
		struct gnttab_query_size *op = arg;

		op->nr_frames = 1;
		op->max_nr_frames = shim_grant_frames();
		op->status = GNTST_okay;
		return 0;
	}
	case GNTTABOP_set_version:
		return ((struct gnttab_set_version *)arg)->version == 1 ? 0 : -EINVAL;
	default:
		/* Mapping and copying is for backends. */
		return -ENOSYS;
	}
}
EXPORT_SYMBOL_GPL(HYPERVISOR_grant_table_op);

unsigned long HYPERVISOR_hvm_op(int op, void *arg)
{
	struct xen_hvm_param *param = arg;

	if (op != HVMOP_get_param)
		return -ENOSYS;
	switch (param->index) {
	case HVM_PARAM_STORE_PFN:
		param->value = virt_to_gfn(shim_ring);
		return 0;
	case HVM_PARAM_STORE_EVTCHN:
		param->value = shim_store_port;
		return 0;
	default:
		return -EINVAL;
	}
}
EXPORT_SYMBOL_GPL(HYPERVISOR_hvm_op);

int HYPERVISOR_sched_op(int cmd, void *arg)
{
	struct sched_shutdown *op = arg;
	struct loop_msg msg = { .op = LOOP_SHUTDOWN };

	if (cmd != SCHEDOP_shutdown)
		return -ENOSYS;
	if (op->reason == SHUTDOWN_suspend)
		return shim_domain_suspend();
	msg.arg[0] = op->reason;
	return shim_hub_send(&msg, -1);
}
EXPORT_SYMBOL_GPL(HYPERVISOR_sched_op);
