// SPDX-License-Identifier: GPL-2.0-only
/* Xen's wall clock: that of this machine, which the guest's own may differ from. */
#include <linux/module.h>
#include <linux/time64.h>
#include <asm/unistd.h>
#include <asm/x86_init.h>

#include "shim.h"

static long wallclock_offset_ns;
module_param(wallclock_offset_ns, long, 0644);
MODULE_PARM_DESC(wallclock_offset_ns, "By how much Xen's clock is ahead of this machine's");

static bool wallclock_cmos;
module_param(wallclock_cmos, bool, 0644);
MODULE_PARM_DESC(wallclock_cmos, "The clock is the emulated CMOS clock: whole seconds");

static void get_wallclock(struct timespec64 *ts)
{
	struct timespec64 now;

	/* CLOCK_REALTIME of the host, whose struct timespec is the same. */
	if (syscall(__NR_clock_gettime, CLOCK_REALTIME, &now) < 0)
		panic("xenshim: no clock");
	*ts = ns_to_timespec64(timespec64_to_ns(&now) + wallclock_offset_ns);
	if (wallclock_cmos)
		ts->tv_nsec = 0;
}

struct x86_platform_ops x86_platform = {
	.get_wallclock = get_wallclock,
};
EXPORT_SYMBOL_GPL(x86_platform);
