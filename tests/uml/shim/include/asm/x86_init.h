/* SPDX-License-Identifier: GPL-2.0-only */
/* What of the x86 platform the drivers use; see wallclock.c of the shim. */
#ifndef _ASM_X86_INIT_H
#define _ASM_X86_INIT_H

struct timespec64;

struct x86_platform_ops {
	void (*get_wallclock)(struct timespec64 *ts);
};

extern struct x86_platform_ops x86_platform;

#endif
