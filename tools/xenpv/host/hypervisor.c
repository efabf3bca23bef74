// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/host/hypervisor.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "xenpv/command.h"

#define MODULE "xenpv-libxl.so"

/* Beside the program for one that was just built, else where it is installed. */
static void *load(void)
{
	char self[PATH_MAX], path[PATH_MAX + sizeof(MODULE) + 1];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		snprintf(path, sizeof(path), "%s/" MODULE, dirname(self));
		if (access(path, R_OK) == 0)
			return dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return dlopen(XENPV_LIBEXECDIR "/" MODULE, RTLD_NOW | RTLD_LOCAL);
}

int hypervisor_open(struct hypervisor *ret, struct problem *p)
{
	hypervisor_open_fn open_fn;
	void *module, *symbol;
	char why[200] = "";
	int r;

	if (access("/proc/xen/capabilities", F_OK) < 0 && access("/dev/xen/privcmd", F_OK) < 0)
		return problem_set(p, EXIT_FAILED, -EOPNOTSUPP,
				   "this machine does not run as a domain of Xen: there is no "
				   "/dev/xen/privcmd; run it in dom0");
	module = load();
	if (!module)
		return problem_set(p, EXIT_FAILED, -ENOENT,
				   "cannot load " MODULE ": %s; install libxenlight of this Xen",
				   dlerror());
	symbol = dlsym(module, HYPERVISOR_SYMBOL);
	if (!symbol) {
		dlclose(module);
		return problem_set(p, EXIT_FAILED, -EPROTO,
				   MODULE " is of another version; install xenpv-tools anew");
	}
	/* the way from an object to a function pointer that ISO C leaves open */
	memcpy(&open_fn, &symbol, sizeof(open_fn));
	r = open_fn(ret, why, sizeof(why));
	if (r < 0) {
		dlclose(module);
		return problem_set(p, EXIT_FAILED, r, "cannot ask Xen: %s; run it in dom0, as root",
				   why);
	}
	/* it stays loaded: its functions are in use until the end */
	return 0;
}

void hypervisor_close(struct hypervisor *hv)
{
	if (hv->ops)
		hv->ops->close(hv->data);
	*hv = (struct hypervisor){ 0 };
}
