// SPDX-License-Identifier: GPL-2.0-or-later
#include "suspend.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

/* Are there PCI devices of the host behind pcifront? */
static bool has_pci(const char *root)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/sys/bus/xen/devices", root);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = strncmp(entry->d_name, "pci-", 4) == 0;
	closedir(dir);
	return found;
}

int suspend_report(const char *root, const char *feature, bool feature_known, bool frozen,
		   struct report *report)
{
	const char *reason = NULL;

	if (frozen)
		/* What waits for them cannot be frozen itself, and the kernel gives up. */
		reason = "file systems are frozen on the host's wish: thaw them first";
	else if (has_pci(root))
		reason = "PCI devices of the host are passed through: detach them first";
	else if (feature_known && (!feature || strcmp(feature, "0") == 0))
		reason = "the kernel does not offer control/feature-suspend";
	return report_add(report, "data/cant_suspend_reason", reason);
}
