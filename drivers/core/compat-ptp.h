/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernel versions in timekeeping; see compat.h. */
#ifndef XENPV_COMPAT_PTP_H
#define XENPV_COMPAT_PTP_H

#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/time.h>
#include <linux/timekeeping.h>
#include <linux/version.h>

/** struct xenpv_snapshot - the system's clocks at one moment, and how often they were set */
struct xenpv_snapshot {
	ktime_t real;
	ktime_t raw;
	unsigned int clock_was_set_seq;
	u8 cs_was_changed_seq;
};

/** xenpv_snapshot_read - read the realtime and the raw monotonic clock at the same moment */
static inline void xenpv_snapshot_read(struct xenpv_snapshot *ret)
{
	struct system_time_snapshot now;

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 2, 0)
	ktime_get_snapshot(&now);
	ret->real = now.real;
	ret->raw = now.raw;
#else
	ktime_get_snapshot_id(CLOCK_REALTIME, &now);
	ret->real = now.systime;
	ret->raw = now.monoraw;
#endif
	ret->clock_was_set_seq = now.clock_was_set_seq;
	ret->cs_was_changed_seq = now.cs_was_changed_seq;
}

/**
 * xenpv_cross_set - fill in a cross timestamp
 * @xt: receives it
 * @device: time of the device
 * @real: realtime clock of the same moment
 * @raw: raw monotonic clock of the same moment
 *
 * Return: 0, or -EOPNOTSUPP where a new kernel asks for another clock than realtime.
 */
static inline int xenpv_cross_set(struct system_device_crosststamp *xt, ktime_t device,
				  ktime_t real, ktime_t raw)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 2, 0)
	xt->sys_realtime = real;
#else
	if (xt->clock_id != CLOCK_REALTIME)
		return -EOPNOTSUPP;
	xt->sys_systime = real;
#endif
	xt->device = device;
	xt->sys_monoraw = raw;
	return 0;
}

#endif /* XENPV_COMPAT_PTP_H */
