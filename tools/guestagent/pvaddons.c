// SPDX-License-Identifier: GPL-2.0-or-later
#include "pvaddons.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

#include <string.h>

#define PVADDONS_PATH "attr/PVAddons/"

int pvaddons_report(const char *version, struct report *report)
{
	static const char *const paths[] = {
		PVADDONS_PATH "MajorVersion",
		PVADDONS_PATH "MinorVersion",
		PVADDONS_PATH "MicroVersion",
		PVADDONS_PATH "BuildVersion",
	};
	uint32_t parts[ELEMENTSOF(paths)] = { 0 };
	const char *p = version;
	int r;

	for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
		char part[sizeof("4294967295")];
		size_t n = strcspn(p, ".");

		if (n >= sizeof(part))
			return -EINVAL;
		memcpy(part, p, n);
		part[n] = '\0';
		if (parse_u32(part, 0, UINT32_MAX, &parts[i]) < 0)
			return -EINVAL;
		p += n;
		if (!*p)
			break;
		p++;
	}
	if (*p)
		return -EINVAL;

	for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
		r = report_addf(report, paths[i], "%u", parts[i]);
		if (r < 0)
			return r;
	}
	/* Last of its directory: who waits for it finds the version there. */
	return report_add(report, PVADDONS_PATH "Installed", "1");
}
