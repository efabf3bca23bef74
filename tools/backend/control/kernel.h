/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own disk backend, xen-blkback, which must not serve what we serve. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Is the module loaded, or built in? @sysfs: where sysfs is mounted. */
bool kernel_backend_loaded(const char *sysfs);

/* Has it bound the vbd @devid of domain @domid? */
bool kernel_backend_bound(const char *sysfs, uint32_t domid, uint32_t devid);
