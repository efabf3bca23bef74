/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes by which xapi and Xen Orchestra see that guest tools are installed. */
#pragma once

#include "report.h"

/*
 * pvaddons_report - add attr/PVAddons/{Installed,MajorVersion,...} to @report
 * @version: "major.minor.micro" or "major.minor.micro.build"; a missing part is 0
 *
 * xapi wants each part as a decimal number and takes a missing MicroVersion for a guest
 * without tools (xapi_pv_driver_version.ml). Errors: -EINVAL (not such a version),
 * -ENOMEM.
 */
int pvaddons_report(const char *version, struct report *report);
