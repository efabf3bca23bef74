// SPDX-License-Identifier: GPL-2.0-or-later
/* The module that asks libxenlight, see hypervisor.h. */
#include <errno.h>
#include <libxl.h>
#include <libxl_utils.h>
#include <libxl_uuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/host/hypervisor.h"

#define PAGE_KIB 4

struct state {
	libxl_ctx *ctx;
	xentoollog_logger *log;
};

static int error_of(int rc)
{
	switch (rc) {
	case ERROR_DOMAIN_NOTFOUND:
		return -ENOENT;
	case ERROR_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static enum hv_type type_of(libxl_domain_type type)
{
	switch (type) {
	case LIBXL_DOMAIN_TYPE_PV:
		return HV_PV;
	case LIBXL_DOMAIN_TYPE_HVM:
		return HV_HVM;
	case LIBXL_DOMAIN_TYPE_PVH:
		return HV_PVH;
	default:
		return HV_UNKNOWN;
	}
}

static enum hv_reason reason_of(libxl_shutdown_reason reason)
{
	switch (reason) {
	case LIBXL_SHUTDOWN_REASON_POWEROFF:
		return HV_REASON_POWEROFF;
	case LIBXL_SHUTDOWN_REASON_REBOOT:
	case LIBXL_SHUTDOWN_REASON_SOFT_RESET:
		return HV_REASON_REBOOT;
	case LIBXL_SHUTDOWN_REASON_SUSPEND:
		return HV_REASON_SUSPEND;
	case LIBXL_SHUTDOWN_REASON_CRASH:
	case LIBXL_SHUTDOWN_REASON_WATCHDOG:
		return HV_REASON_CRASH;
	default:
		return HV_REASON_OTHER;
	}
}

static void take(const libxl_dominfo *from, struct hv_domain *to)
{
	*to = (struct hv_domain){
		.domid = from->domid,
		.type = type_of(from->domain_type),
		.running = from->running,
		.blocked = from->blocked,
		.paused = from->paused,
		.shutdown = from->shutdown,
		.dying = from->dying,
		.reason = from->shutdown ? reason_of(from->shutdown_reason) : HV_REASON_NONE,
		.memory_kib = from->current_memkb,
		.max_kib = from->max_memkb == LIBXL_MEMKB_DEFAULT ? HV_NO_LIMIT : from->max_memkb,
		.cpu_ns = from->cpu_time,
		.vcpus = from->vcpu_online,
		.ssid = from->ssidref,
	};
	/* dom0 without a limit has all that a page count can hold */
	if (to->max_kib >= UINT64_C(0xffffffff) * PAGE_KIB)
		to->max_kib = HV_NO_LIMIT;
	snprintf(to->uuid, sizeof(to->uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(from->uuid));
}

static int by_domid(const void *pa, const void *pb)
{
	const struct hv_domain *a = pa, *b = pb;

	return a->domid < b->domid ? -1 : a->domid > b->domid;
}

static int domains(void *data, struct hv_domain **ret, size_t *ret_n)
{
	struct state *s = data;
	struct hv_domain *list;
	libxl_dominfo *info;
	int n = 0;

	info = libxl_list_domain(s->ctx, &n);
	if (!info)
		return -EIO;
	list = calloc((size_t)n + 1, sizeof(*list));
	for (int i = 0; list && i < n; i++)
		take(&info[i], &list[i]);
	libxl_dominfo_list_free(info, n);
	if (!list)
		return -ENOMEM;
	qsort(list, (size_t)n, sizeof(*list), by_domid);
	*ret = list;
	*ret_n = (size_t)n;
	return 0;
}

static int domain(void *data, uint32_t domid, struct hv_domain *ret)
{
	struct state *s = data;
	libxl_dominfo info;
	int rc;

	libxl_dominfo_init(&info);
	rc = libxl_domain_info(s->ctx, &info, domid);
	if (rc == 0)
		take(&info, ret);
	libxl_dominfo_dispose(&info);
	return rc ? error_of(rc) : 0;
}

static int host(void *data, struct hv_host *ret)
{
	struct state *s = data;
	const libxl_version_info *version = libxl_get_version_info(s->ctx);
	libxl_physinfo info;
	int rc;

	libxl_physinfo_init(&info);
	rc = libxl_get_physinfo(s->ctx, &info);
	if (rc == 0) {
		*ret = (struct hv_host){
			.cpus = info.nr_cpus,
			.mhz = info.cpu_khz / 1000,
			.memory_kib = info.total_pages * PAGE_KIB,
			.free_kib = (info.free_pages + info.scrub_pages) * PAGE_KIB,
		};
		if (version)
			snprintf(ret->version, sizeof(ret->version), "%d.%d%.40s",
				 version->xen_version_major, version->xen_version_minor,
				 version->xen_version_extra ?: "");
	}
	libxl_physinfo_dispose(&info);
	return rc ? error_of(rc) : 0;
}

static void close_state(void *data)
{
	struct state *s = data;

	if (s->ctx)
		libxl_ctx_free(s->ctx);
	if (s->log)
		xtl_logger_destroy(s->log);
	free(s);
}

static const struct hypervisor_ops ops = {
	.domains = domains,
	.domain = domain,
	.host = host,
	.close = close_state,
};

int xenpv_hypervisor_open_1(struct hypervisor *ret, char *why, size_t size)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	/* what fails is told by its return value, in our words */
	s->log = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	if (!s->log || libxl_ctx_alloc(&s->ctx, LIBXL_VERSION, 0, s->log) != 0) {
		snprintf(why, size, "libxenlight does not start");
		close_state(s);
		return -EIO;
	}
	*ret = (struct hypervisor){ &ops, s };
	return 0;
}
