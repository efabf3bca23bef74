// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "file.h"
#include "lib/cleanup.h"

#define XEN_BUS "/sys/bus/xen"

static inline void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The last component of what a link of sysfs points to. */
__attribute__((format(printf, 2, 3))) static int link_name(char **ret, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	va_list ap;
	ssize_t n;
	int r;

	va_start(ap, format);
	r = vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	slash = strrchr(target, '/');
	*ret = strdup(slash ? slash + 1 : target);
	return *ret ? 0 : -ENOMEM;
}

int driver_of(const char *root, const char *device, char **ret)
{
	return link_name(ret, "%s" XEN_BUS "/devices/%s/driver", root, device);
}

/* Is @module one of this project's? */
static bool is_ours(const char *module)
{
	static const char *const ours[] = { "xen_vbd", "xen_vnif", "xen_balloon", "xen_ptp" };

	for (size_t i = 0; i < ELEMENTSOF(ours); i++)
		if (strcmp(module, ours[i]) == 0)
			return true;
	return false;
}

int driver_describe(const char *root, const char *driver, char **ret)
{
	_cleanup_free_ char *module = NULL, *version = NULL;
	struct utsname names = { 0 };
	bool ours = false;
	int r;

	r = link_name(&module, "%s" XEN_BUS "/drivers/%s/module", root, driver);
	if (r == -ENOMEM)
		return r;
	if (r >= 0) {
		ours = is_ours(module);
		r = file_read_line(&version, "%s/sys/module/%s/version", root, module);
		if (r == -ENOMEM)
			return r;
	}
	(void)uname(&names);
	r = asprintf(ret, "%s %s %s", ours ? "xenpv" : "Linux", driver, version ?: names.release);
	return r < 0 ? -ENOMEM : 0;
}

/* Names, sorted, of the drivers that Xen devices are bound to. */
static int bound_drivers(const char *root, char *names[static DRIVERS_MAX], size_t *n)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *entry;

	if (snprintf(path, sizeof(path), "%s" XEN_BUS "/devices", root) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)) && *n < DRIVERS_MAX) {
		_cleanup_free_ char *name = NULL;
		size_t at;
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = driver_of(root, entry->d_name, &name);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		for (at = 0; at < *n && strcmp(names[at], name) < 0;)
			at++;
		if (at < *n && strcmp(names[at], name) == 0)
			continue;
		memmove(&names[at + 1], &names[at], (*n - at) * sizeof(names[0]));
		names[at] = TAKE_PTR(name);
		(*n)++;
	}
	return 0;
}

static int report_drivers(const char *root, struct report *report)
{
	char *names[DRIVERS_MAX + 1] = { 0 };
	size_t n = 0;
	int r;

	r = bound_drivers(root, names, &n);
	for (size_t i = 0; i < DRIVERS_MAX && r >= 0; i++) {
		_cleanup_free_ char *text = NULL;
		char path[32];

		snprintf(path, sizeof(path), "drivers/%zu", i);
		if (i < n)
			r = driver_describe(root, names[i], &text);
		if (r >= 0)
			r = report_add(report, path, text);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	return r;
}

int drivers_report(const char *root, struct report *report)
{
	/* Names under which the kernel's frontends and ours register. */
	bool vbd = file_exists("%s" XEN_BUS "/drivers/vbd", root) ||
		   file_exists("%s" XEN_BUS "/drivers/xen-vbd", root);
	bool vif = file_exists("%s" XEN_BUS "/drivers/vif", root) ||
		   file_exists("%s" XEN_BUS "/drivers/xen-vnif", root);
	int r;

	r = report_drivers(root, report);
	if (r < 0)
		return r;
	r = report_add(report, "feature/hotplug/vbd", vbd ? "1" : NULL);
	if (r < 0)
		return r;
	return report_add(report, "feature/hotplug/vif", vif ? "1" : NULL);
}
