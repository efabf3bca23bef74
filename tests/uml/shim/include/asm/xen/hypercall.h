/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_XEN_HYPERCALL_H
#define _ASM_XEN_HYPERCALL_H

#include <xen/interface/xen.h>
#include <xen/interface/sched.h>

/* Functions of the shim, see hypercall.c and memory.c. They return 0 or a negative errno. */
int HYPERVISOR_event_channel_op(int cmd, void *arg);
int HYPERVISOR_grant_table_op(unsigned int cmd, void *arg, unsigned int count);
long HYPERVISOR_memory_op(unsigned int cmd, void *arg);
int HYPERVISOR_sched_op(int cmd, void *arg);
unsigned long HYPERVISOR_hvm_op(int op, void *arg);

#endif
