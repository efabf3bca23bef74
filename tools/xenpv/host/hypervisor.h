/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam to the hypervisor: which domains there are, what they use, what the host has.
 *
 * The program takes it from a module that is linked to libxenlight, beside it or in
 * $libexecdir/xenpv: only this module is bound to one version of Xen, and commands that need no
 * hypervisor work without either. Tests have an implementation of their own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct problem;

enum hv_type {
	HV_UNKNOWN,
	HV_PV,
	HV_HVM,
	HV_PVH,
};

/* Why a domain is in the state "shutdown". */
enum hv_reason {
	HV_REASON_NONE,
	HV_REASON_POWEROFF,
	HV_REASON_REBOOT,
	HV_REASON_SUSPEND,
	HV_REASON_CRASH, /* also a watchdog */
	HV_REASON_OTHER,
};

#define HV_UUID_TEXT 37
#define HV_NO_LIMIT  UINT64_MAX

struct hv_domain {
	uint32_t domid;
	char uuid[HV_UUID_TEXT];
	enum hv_type type;
	bool running, blocked, paused, shutdown, dying;
	enum hv_reason reason;
	uint64_t memory_kib, max_kib; /* max: or HV_NO_LIMIT */
	uint64_t cpu_ns;              /* of all vCPUs */
	uint32_t vcpus;               /* online */
	uint32_t ssid;
};

struct hv_host {
	uint32_t cpus, mhz;
	uint64_t memory_kib, free_kib;
	char version[64];
};

/* All return 0 or a negative errno. */
struct hypervisor_ops {
	/* @ret: in the order of domids, allocated, the caller frees it; dom0 included */
	int (*domains)(void *data, struct hv_domain **ret, size_t *ret_n);
	/* -ENOENT if there is no such domain */
	int (*domain)(void *data, uint32_t domid, struct hv_domain *ret);
	int (*host)(void *data, struct hv_host *ret);
	void (*close)(void *data);
};

struct hypervisor {
	const struct hypervisor_ops *ops; /* NULL: closed */
	void *data;
};

/* -EOPNOTSUPP: no Xen here; -errno with a reason in @p otherwise */
int hypervisor_open(struct hypervisor *ret, struct problem *p);
void hypervisor_close(struct hypervisor *hv);

/* What the module exports. @why: one line on failure. */
#define HYPERVISOR_SYMBOL "xenpv_hypervisor_open_1"
typedef int (*hypervisor_open_fn)(struct hypervisor *ret, char *why, size_t size);
int xenpv_hypervisor_open_1(struct hypervisor *ret, char *why, size_t size);
