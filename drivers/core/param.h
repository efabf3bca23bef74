/* SPDX-License-Identifier: GPL-2.0-only */
/* Module parameters with bounds, for params.c of each driver. */
#ifndef XENPV_PARAM_H
#define XENPV_PARAM_H

#include <linux/moduleparam.h>
#include <linux/sysfs.h>

/**
 * struct xenpv_bounds - a number that a parameter may have
 * @low: least value
 * @high: greatest value
 * @value: the value; read and written with READ_ONCE() and WRITE_ONCE()
 */
struct xenpv_bounds {
	unsigned int low;
	unsigned int high;
	unsigned int value;
};

/* A value out of bounds is refused when it is written. */
static int xenpv_set_bounded(const char *text, const struct kernel_param *kp)
{
	struct xenpv_bounds *b = kp->arg;
	unsigned int value;
	int err = kstrtouint(text, 0, &value);

	if (err)
		return err;
	if (value < b->low || value > b->high) {
		pr_err("%s: %s=%u is out of bounds, %u to %u\n", KBUILD_MODNAME, kp->name, value,
		       b->low, b->high);
		return -ERANGE;
	}
	WRITE_ONCE(b->value, value);
	return 0;
}

static int xenpv_get_bounded(char *buffer, const struct kernel_param *kp)
{
	const struct xenpv_bounds *b = kp->arg;

	return sysfs_emit(buffer, "%u\n", READ_ONCE(b->value));
}

/* For module_param_cb() with a struct xenpv_bounds. */
static const struct kernel_param_ops xenpv_bounded_ops = {
	.set = xenpv_set_bounded,
	.get = xenpv_get_bounded,
};

#endif /* XENPV_PARAM_H */
