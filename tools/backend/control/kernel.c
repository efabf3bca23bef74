// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/kernel.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool kernel_backend_loaded(const char *sysfs, const char *kind)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/drivers/%s", sysfs, kind);
	return access(path, F_OK) == 0;
}

bool kernel_backend_bound(const char *sysfs, const char *kind, uint32_t domid, uint32_t devid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/devices/%s-%u-%u/driver", sysfs, kind,
		 domid, devid);
	return access(path, F_OK) == 0;
}
