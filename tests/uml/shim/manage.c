// SPDX-License-Identifier: GPL-2.0-only
/* control/shutdown, as drivers/xen/manage.c obeys it, and how the domain ends. */
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <xen/grant_table.h>
#include <xen/interface/sched.h>
#include <xen/xen-ops.h>
#include <xen/xenbus.h>
#include <asm/xen/hypercall.h>

#include "shim.h"

static RAW_NOTIFIER_HEAD(resume_notifiers);

void xen_resume_notifier_register(struct notifier_block *nb)
{
	raw_notifier_chain_register(&resume_notifiers, nb);
}
EXPORT_SYMBOL_GPL(xen_resume_notifier_register);

void xen_resume_notifier_unregister(struct notifier_block *nb)
{
	raw_notifier_chain_unregister(&resume_notifiers, nb);
}
EXPORT_SYMBOL_GPL(xen_resume_notifier_unregister);

/*
 * The order is that of Linux; only that tasks are not frozen, so the drivers may be given
 * requests at any point.
 */
static void do_suspend(struct work_struct *work)
{
	struct sched_shutdown op = { .reason = SHUTDOWN_suspend };
	unsigned long flags;
	int err;

	err = shim_bus_suspend();
	if (err) {
		pr_err("xenshim: a device refuses to suspend: %d\n", err);
		shim_bus_resume();
		return;
	}
	xs_suspend();

	local_irq_save(flags);
	gnttab_suspend();
	err = HYPERVISOR_sched_op(SCHEDOP_shutdown, &op);
	if (err)
		panic("xenshim: suspend failed: %d", err);
	gnttab_resume();
	local_irq_restore(flags);

	raw_notifier_call_chain(&resume_notifiers, 0, NULL);
	xs_resume();
	shim_bus_resume();
}

static DECLARE_WORK(suspend_work, do_suspend);

static void shutdown_requested(struct xenbus_watch *watch, const char *path, const char *token)
{
	char *what = xenbus_read(XBT_NIL, "control", "shutdown", NULL);

	if (IS_ERR(what))
		return;
	if (what[0])
		xenbus_write(XBT_NIL, "control", "shutdown", "");
	if (!strcmp(what, "poweroff") || !strcmp(what, "halt"))
		orderly_poweroff(false);
	else if (!strcmp(what, "reboot"))
		orderly_reboot();
	else if (!strcmp(what, "suspend"))
		schedule_work(&suspend_work);
	else if (what[0])
		pr_warn("xenshim: unknown shutdown request %s\n", what);
	kfree(what);
}

static struct xenbus_watch shutdown_watch = {
	.node = "control/shutdown",
	.callback = shutdown_requested,
};

static void tell_hub(u64 reason)
{
	struct loop_msg msg = { .op = LOOP_SHUTDOWN };

	msg.arg[0] = reason;
	shim_hub_send(&msg, -1);
}

static int on_reboot(struct notifier_block *nb, unsigned long event, void *data)
{
	tell_hub(event == SYS_RESTART ? LOOP_REBOOT : LOOP_POWEROFF);
	return NOTIFY_DONE;
}

static int on_panic(struct notifier_block *nb, unsigned long event, void *data)
{
	tell_hub(LOOP_CRASH);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = on_reboot };
/* Before that of User Mode Linux, which does not return. */
static struct notifier_block panic_notifier = {
	.notifier_call = on_panic,
	.priority = INT_MAX,
};

int shim_manage_init(void)
{
	int err = register_xenbus_watch(&shutdown_watch);

	if (err)
		return err;
	err = register_reboot_notifier(&reboot_notifier);
	if (err) {
		unregister_xenbus_watch(&shutdown_watch);
		return err;
	}
	atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier);
	/* What the toolstack in reality learns from the kernel's own manage.c. */
	xenbus_printf(XBT_NIL, "control", "feature-poweroff", "%u", 1);
	xenbus_printf(XBT_NIL, "control", "feature-suspend", "%u", 1);
	return 0;
}
