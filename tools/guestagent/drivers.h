/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The drivers of the guest's Xen devices: drivers/N and feature/hotplug. */
#pragma once

#include "report.h"

/*
 * drivers_report - add drivers/N and feature/hotplug/{vbd,vif} to @report
 * @root: "" for the running system
 *
 * drivers/N is "VENDOR PRODUCT VERSION": each driver bound to a Xen device, in the order of
 * their names; unused N up to DRIVERS_MAX are asked to be absent. Vendor and version are
 * "Linux" and the kernel's release for the kernel's own. A hotplug node is 1 if a driver
 * that takes new devices is loaded, and else absent, which means "may try". Errors: -ENOMEM.
 */
int drivers_report(const char *root, struct report *report);

#define DRIVERS_MAX 8

/*
 * driver_of - name of the driver bound to the Xen device "vbd-51712"
 *
 * Errors: -ENOENT (none), -ENOMEM. The name is the caller's.
 */
int driver_of(const char *root, const char *device, char **ret);

/* "VENDOR PRODUCT VERSION" of a driver by its name. The text is the caller's. */
int driver_describe(const char *root, const char *driver, char **ret);
