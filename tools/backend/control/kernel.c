// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/kernel.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool kernel_backend_loaded(const char *sysfs)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/drivers/vbd", sysfs);
	return access(path, F_OK) == 0;
}

bool kernel_backend_bound(const char *sysfs, uint32_t domid, uint32_t devid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/devices/vbd-%u-%u/driver", sysfs, domid,
		 devid);
	return access(path, F_OK) == 0;
}
