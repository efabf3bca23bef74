// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Xen wall clock as a PTP hardware clock that can be read. Xen keeps it as the
 * time of day at system time 0; dom0 corrects it when its own clock is set and every
 * eleven minutes, and after a restore the guest finds that of its new host there.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/timekeeping.h>
#include <xen/features.h>
#include <xen/xen.h>
#include <asm/x86_init.h>

#include "../core/compat-ptp.h"
#include "bracket.h"

/* Readings from which the closest is taken. */
#define READINGS 8

static struct ptp_clock *clock;

static int gettimex(struct ptp_clock_info *info, struct timespec64 *ts,
		    struct ptp_system_timestamp *sts)
{
	ptp_read_system_prets(sts);
	x86_platform.get_wallclock(ts);
	ptp_read_system_postts(sts);
	return 0;
}

/*
 * Xen's clock cannot be latched together with the system's, but read between two
 * readings of it, and that takes some hundred nanoseconds.
 */
static int getcrosststamp(struct ptp_clock_info *info, struct system_device_crosststamp *xt)
{
	struct xptp_cross best = { .error = -1 };
	int i;

	for (i = 0; i < READINGS; i++) {
		struct xenpv_snapshot before, after;
		struct xptp_bracket bracket;
		struct timespec64 ts;

		xenpv_snapshot_read(&before);
		x86_platform.get_wallclock(&ts);
		xenpv_snapshot_read(&after);
		if (before.clock_was_set_seq != after.clock_was_set_seq ||
		    before.cs_was_changed_seq != after.cs_was_changed_seq)
			continue;
		bracket = (struct xptp_bracket){
			.device = timespec64_to_ns(&ts),
			.real_before = ktime_to_ns(before.real),
			.real_after = ktime_to_ns(after.real),
			.raw_before = ktime_to_ns(before.raw),
			.raw_after = ktime_to_ns(after.raw),
		};
		xptp_bracket_better(&bracket, &best);
	}
	/* Disturbed each time; the caller asks again. */
	if (best.error < 0)
		return -EAGAIN;
	return xenpv_cross_set(xt, ns_to_ktime(best.device), ns_to_ktime(best.real),
			       ns_to_ktime(best.raw));
}

static int settime(struct ptp_clock_info *info, const struct timespec64 *ts)
{
	return -EOPNOTSUPP;
}

static int adjtime(struct ptp_clock_info *info, s64 delta)
{
	return -EOPNOTSUPP;
}

static int adjfine(struct ptp_clock_info *info, long ppm)
{
	return -EOPNOTSUPP;
}

static int enable(struct ptp_clock_info *info, struct ptp_clock_request *request, int on)
{
	return -EOPNOTSUPP;
}

static struct ptp_clock_info xptp_info = {
	.owner = THIS_MODULE,
	.name = "xen",
	.gettimex64 = gettimex,
	.getcrosststamp = getcrosststamp,
	.settime64 = settime,
	.adjtime = adjtime,
	.adjfine = adjfine,
	.enable = enable,
};

/*
 * Whether the kernel reads the time of day from Xen. An HVM guest on a Xen without
 * XENFEAT_hvm_safe_pvclock reads the emulated CMOS clock, which has no fractions.
 */
static bool reads_xen(void)
{
	int i;

	if (!xen_pv_domain() && !xen_feature(XENFEAT_hvm_safe_pvclock))
		return false;
	for (i = 0; i < 3; i++) {
		struct timespec64 ts;

		x86_platform.get_wallclock(&ts);
		if (ts.tv_sec > 0 && ts.tv_nsec)
			return true;
	}
	return false;
}

static int __init xptp_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	if (!reads_xen()) {
		pr_err("xen-ptp: this kernel does not read Xen's wall clock\n");
		return -ENODEV;
	}
	clock = ptp_clock_register(&xptp_info, NULL);
	/* NULL is a kernel without PTP support. */
	if (IS_ERR_OR_NULL(clock))
		return clock ? PTR_ERR(clock) : -ENODEV;
	return 0;
}
module_init(xptp_init);

static void __exit xptp_exit(void)
{
	ptp_clock_unregister(clock);
}
module_exit(xptp_exit);

MODULE_DESCRIPTION("PTP hardware clock over the Xen wall clock");
MODULE_LICENSE("GPL");
MODULE_VERSION(__stringify(XENPV_VERSION));
