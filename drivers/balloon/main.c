// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <xen/xen.h>

#include "balloon.h"

static char *mode = "auto";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode,
		 "policy: drive the kernel's own balloon; engine: replace it; auto: policy if it is active (default auto)");

static unsigned int floor_mb;
module_param(floor_mb, uint, 0644);
MODULE_PARM_DESC(floor_mb,
		 "MiB that the guest is left with whatever the host asks for; 0: by its size (default 0)");

static bool scrub = true;
module_param(scrub, bool, 0644);
MODULE_PARM_DESC(scrub, "Clear pages before Xen gets them, in engine mode (default Y)");

static unsigned int batch = 32;

static int set_batch(const char *text, const struct kernel_param *kp)
{
	unsigned int value;
	int err = kstrtouint(text, 0, &value);

	if (err)
		return err;
	if (value < 1 || value > 256) {
		pr_err("xen-balloon: batch=%u is out of bounds, 1 to 256\n", value);
		return -ERANGE;
	}
	WRITE_ONCE(batch, value);
	return 0;
}

static const struct kernel_param_ops batch_ops = {
	.set = set_batch,
	.get = param_get_uint,
};
module_param_cb(batch, &batch_ops, &batch, 0644);
MODULE_PARM_DESC(batch, "Blocks of 2 MiB in one hypercall, 1-256, in engine mode (default 32)");

static bool engine_mode;
static const struct xbal_ops *ops;

/** xbal_floor_wish - pages that the administrator set as the floor, or 0 */
u64 xbal_floor_wish(void)
{
	return (u64)READ_ONCE(floor_mb) << (20 - PAGE_SHIFT);
}

/** xbal_batch - blocks in one hypercall at most, at least 1 */
u32 xbal_batch(void)
{
	return READ_ONCE(batch);
}

/** xbal_scrub - whether pages are cleared before Xen gets them */
bool xbal_scrub(void)
{
	return READ_ONCE(scrub);
}

/**
 * xbal_set_scrub - change it
 * @on: clear pages
 */
void xbal_set_scrub(bool on)
{
	WRITE_ONCE(scrub, on);
}

/* Sets ops and engine_mode. */
static int choose_mode(void)
{
	bool policy = !strcmp(mode, "policy"), engine = !strcmp(mode, "engine");

	if (!policy && !engine && strcmp(mode, "auto")) {
		pr_err("xen-balloon: mode=%s is unknown: use policy, engine or auto\n", mode);
		return -EINVAL;
	}
	ops = xbal_builtin_init();
	if (ops && engine) {
		xbal_builtin_exit(0);
		pr_err("xen-balloon: the kernel's own balloon is active: mode=engine needs initcall_blacklist=balloon_init on the kernel's command line\n");
		return -EBUSY;
	}
	if (ops)
		return 0;
	if (policy) {
		pr_err("xen-balloon: the kernel's own balloon is not active: mode=policy has nothing to drive\n");
		return -ENODEV;
	}
	ops = xbal_engine_init();
	engine_mode = true;
	return PTR_ERR_OR_ZERO(ops);
}

static void leave_mode(void)
{
	struct xbal_backoff backoff;
	struct xbal_report report;

	if (engine_mode) {
		xbal_engine_exit();
		return;
	}
	xbal_snapshot(&report, &backoff);
	xbal_builtin_exit(XBAL_KB_TO_PAGES(report.target));
}

static int __init xbal_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	err = choose_mode();
	if (err)
		return err;
	err = xbal_control_init(ops);
	if (err) {
		leave_mode();
		return err;
	}
	if (engine_mode) {
		/* What is parked could not be left alone. */
		__module_get(THIS_MODULE);
		err = xbal_sysfs_init();
		if (err)
			pr_warn("xen-balloon: no files in sysfs: %d\n", err);
	}
	pr_info("xen-balloon: %s mode\n", ops->mode);
	return 0;
}
module_init(xbal_init);

static void __exit xbal_exit(void)
{
	xbal_control_exit();
	leave_mode();
}
module_exit(xbal_exit);

MODULE_DESCRIPTION("Memory balloon of the xenpv drivers");
MODULE_LICENSE("GPL");
MODULE_VERSION(__stringify(XENPV_VERSION));
