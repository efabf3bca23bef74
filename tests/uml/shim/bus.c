// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend and resume of the devices on the xenbus, as dpm_suspend() and dpm_resume()
 * do it. The bus is private to the source that is included here.
 */
#include "wrap.h"
#undef pr_fmt
#include "drivers/xen/xenbus/xenbus_probe_frontend.c"

#include "shim.h"

static int suspend_one(struct device *dev, void *data)
{
	return xenbus_dev_suspend(dev);
}

static int resume_one(struct device *dev, void *data)
{
	int err = xenbus_frontend_dev_resume(dev);

	if (err)
		dev_err(dev, "resume: %d\n", err);
	return 0;
}

int shim_bus_suspend(void)
{
	return bus_for_each_dev(&xenbus_frontend.bus, NULL, NULL, suspend_one);
}

void shim_bus_resume(void)
{
	bus_for_each_dev(&xenbus_frontend.bus, NULL, NULL, resume_one);
}
