/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory: data/meminfo_*, and with the balloon and swap data/xenpv/device/memory. */
#pragma once

#include "report.h"

/*
 * meminfo_report - add data/meminfo_total and data/meminfo_free, in KiB
 * @root: "" for the running system
 *
 * Free is what programs could get (MemAvailable), as xapi and its agents have it. A file
 * that cannot be read costs its nodes alone. Errors: -ENOMEM.
 */
int meminfo_report(const char *root, struct report *report);

/*
 * memory_report - add data/xenpv/device/memory
 *
 * Words "total= available= swap-total= swap-free= current= target=", all in KiB; the last
 * two from the balloon driver's sysfs and absent without one. Errors: -ENOMEM.
 */
int memory_report(const char *root, struct report *report);
