/* SPDX-License-Identifier: GPL-2.0-or-later */
/* data/cant_suspend_reason: why saving or migrating this guest would fail. */
#pragma once

#include <stdbool.h>

#include "report.h"

/*
 * suspend_report - add data/cant_suspend_reason, absent if nothing speaks against it
 * @feature: value of control/feature-suspend, by which the kernel says at boot that it follows
 *           the host's wish; NULL if absent. xl leaves it empty in each new home, which says
 *           nothing. @feature_known: whether it could be looked up.
 * @frozen: file systems are frozen
 *
 * The node that xapi shows when a suspension is refused. Errors: -ENOMEM.
 */
int suspend_report(const char *root, const char *feature, bool feature_known, bool frozen,
		   struct report *report);
