/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own backends, xen-blkback and xen-netback, which must not serve what we serve. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Is the module for this kind of devices ("vbd", "vif") loaded, or built in?
 * @sysfs: where sysfs is mounted.
 */
bool kernel_backend_loaded(const char *sysfs, const char *kind);

/* Has it bound the device @devid of domain @domid? */
bool kernel_backend_bound(const char *sysfs, const char *kind, uint32_t domid, uint32_t devid);
