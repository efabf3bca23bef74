/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_XEN_EVENTS_H
#define _ASM_XEN_EVENTS_H

enum ipi_vector {
	XEN_NR_IPIS,
};

#endif
