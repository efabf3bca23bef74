/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_XEN_HYPERVISOR_H
#define _ASM_XEN_HYPERVISOR_H

extern struct shared_info *HYPERVISOR_shared_info;
extern struct start_info *xen_start_info;

#endif
