// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/check.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/kernel.h"
#include "control/tap.h"
#include "host/host.h"
#include "lib/xs.h"

enum verdict {
	OK,
	WARN,
	FAIL
};

__attribute__((format(printf, 3, 4))) static void report(unsigned int *failures,
							 enum verdict verdict, const char *fmt, ...)
{
	static const char *const names[] = { "ok", "warning", "FAILED" };
	va_list ap;

	printf("%-8s ", names[verdict]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (verdict == FAIL)
		(*failures)++;
}

static void check_xenstore(unsigned int *failures)
{
	struct xs_conn *xs = NULL;
	uint32_t domid;
	int r;

	r = xsc_open(NULL, &xs);
	if (r < 0) {
		report(failures, FAIL, "xenstore: %s; is this a Xen host, and xenstored running?",
		       strerror(-r));
		return;
	}
	r = xsc_own_domid(xs, &domid);
	if (r < 0)
		report(failures, FAIL, "xenstore: cannot read the own domain id: %s", strerror(-r));
	else
		report(failures, OK, "xenstore: reachable, this is domain %u", domid);
	xsc_close(xs);
}

static void check_hypervisor(unsigned int *failures)
{
	struct host_gnt *gnt;
	int fd, r;

	fd = host_evtchn_open();
	if (fd < 0) {
		report(failures, FAIL, "event channels: %s; is the module xen-evtchn loaded?",
		       strerror(-fd));
	} else {
		report(failures, OK, "event channels");
		close(fd);
	}
	r = host_gnt_open(0, &gnt);
	if (r < 0) {
		report(failures, FAIL, "grants: %s; is the module xen-gntdev loaded?",
		       strerror(-r));
	} else {
		report(failures, OK, "grants");
		host_gnt_close(gnt);
	}
}

static void check_worker(unsigned int *failures, const struct options *o, const char *worker_path)
{
	if (!worker_path)
		report(failures, FAIL, "worker: no xenpv-worker beside the broker or in %s",
		       XENPV_LIBEXECDIR);
	else if (access(worker_path, X_OK) < 0)
		report(failures, FAIL, "worker: %s: %s", worker_path, strerror(errno));
	else
		report(failures, OK, "worker: %s", worker_path);

	if (!*o->worker_user)
		report(failures, WARN, "worker user: none, workers keep all privileges");
	else if (!getpwnam(o->worker_user))
		report(failures, FAIL,
		       "worker user: there is no user %s; systemd-sysusers makes it",
		       o->worker_user);
	else
		report(failures, OK, "worker user: %s", o->worker_user);
}

static void check_kernel(unsigned int *failures, const struct options *o, const char *kind,
			 const char *module, const char *what)
{
	if (kernel_backend_loaded(o->sysfs, kind))
		report(failures, WARN,
		       "kernel backend: %s is loaded and takes %s first; blacklist it in "
		       "/etc/modprobe.d",
		       module, what);
	else
		report(failures, OK, "kernel backend: %s is not loaded", module);
}

static void check_taps(unsigned int *failures)
{
	char text[256];
	int r = tap_probe(text, sizeof(text));

	if (r < 0)
		report(failures, FAIL, "taps: %s", text);
	else
		report(failures, OK, "taps");
}

unsigned int check_environment(const struct options *o, const char *worker_path)
{
	unsigned int failures = 0;

	check_xenstore(&failures);
	check_hypervisor(&failures);
	check_worker(&failures, o, worker_path);
	check_kernel(&failures, o, "vbd", "xen-blkback", "disks");
	if (o->vif) {
		check_kernel(&failures, o, "vif", "xen-netback", "interfaces");
		check_taps(&failures);
	}
	if (access(o->runtime_dir, W_OK) < 0 && errno != ENOENT)
		report(&failures, FAIL, "runtime directory: %s: %s", o->runtime_dir,
		       strerror(errno));
	else
		report(&failures, OK, "runtime directory: %s", o->runtime_dir);
	return failures;
}
