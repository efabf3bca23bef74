// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Xen and dom0's kernel as the file $TEST_HOST has them at each call:
 *
 *	{ "host": { "cpus": 4, ... },
 *	  "domains": [ { "domid": 5, "uuid": "...", "type": "pvh", "blocked": true, ... } ],
 *	  "vbd": { "5/51712": { "reads": 1, ... } }, "vif": { "5/0": { "sent_bytes": 1, ... } } }
 *
 * Without "domains", every question to Xen for them fails.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "xenpv/command.h"
#include "xenpv/host/hypervisor.h"
#include "xenpv/host/kernel.h"

/* Read again when it was replaced: reading is dear compared with what it stands for. */
static struct json_object *load(void)
{
	static struct json_object *root;
	static struct timespec read_at;
	static ino_t ino;
	const char *path = getenv("TEST_HOST");
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return NULL;
	if (!root || st.st_ino != ino || st.st_mtim.tv_sec != read_at.tv_sec ||
	    st.st_mtim.tv_nsec != read_at.tv_nsec) {
		json_object_put(root);
		root = json_object_from_file(path);
		ino = st.st_ino;
		read_at = st.st_mtim;
	}
	return json_object_get(root);
}

static uint64_t number(struct json_object *o, const char *key)
{
	struct json_object *value;

	return o && json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value) : 0;
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *value;

	return o && json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "";
}

static enum hv_type type_of(const char *name)
{
	return !strcmp(name, "pv")    ? HV_PV
	       : !strcmp(name, "hvm") ? HV_HVM
	       : !strcmp(name, "pvh") ? HV_PVH
				      : HV_UNKNOWN;
}

static enum hv_reason reason_of(const char *name)
{
	return !strcmp(name, "poweroff")  ? HV_REASON_POWEROFF
	       : !strcmp(name, "reboot")  ? HV_REASON_REBOOT
	       : !strcmp(name, "suspend") ? HV_REASON_SUSPEND
	       : !strcmp(name, "crash")   ? HV_REASON_CRASH
					  : HV_REASON_NONE;
}

static void take(struct json_object *o, struct hv_domain *d)
{
	*d = (struct hv_domain){
		.domid = (uint32_t)number(o, "domid"),
		.type = type_of(text(o, "type")),
		.running = number(o, "running") != 0,
		.blocked = number(o, "blocked") != 0,
		.paused = number(o, "paused") != 0,
		.shutdown = number(o, "shutdown") != 0,
		.dying = number(o, "dying") != 0,
		.reason = reason_of(text(o, "reason")),
		.memory_kib = number(o, "memory_kib"),
		.max_kib = number(o, "max_kib") ?: HV_NO_LIMIT,
		.cpu_ns = number(o, "cpu_ns"),
		.vcpus = (uint32_t)number(o, "vcpus"),
	};
	snprintf(d->uuid, sizeof(d->uuid), "%s", text(o, "uuid"));
}

static int domains(void *data, struct hv_domain **ret, size_t *ret_n)
{
	struct json_object *root = load(), *list;
	struct hv_domain *d;
	size_t n;

	(void)data;
	if (!root || !json_object_object_get_ex(root, "domains", &list)) {
		json_object_put(root);
		return -EIO;
	}
	n = json_object_array_length(list);
	d = calloc(n + 1, sizeof(*d));
	for (size_t i = 0; i < n; i++)
		take(json_object_array_get_idx(list, i), &d[i]);
	json_object_put(root);
	*ret = d;
	*ret_n = n;
	return 0;
}

static int domain(void *data, uint32_t domid, struct hv_domain *ret)
{
	struct hv_domain *list;
	size_t n;
	int r = domains(data, &list, &n);

	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < n; i++) {
		if (list[i].domid != domid)
			continue;
		*ret = list[i];
		r = 0;
	}
	free(list);
	return r;
}

static int host(void *data, struct hv_host *ret)
{
	struct json_object *root = load(), *o;

	(void)data;
	if (!root || !json_object_object_get_ex(root, "host", &o)) {
		json_object_put(root);
		return -EIO;
	}
	*ret = (struct hv_host){ .cpus = (uint32_t)number(o, "cpus"),
				 .mhz = (uint32_t)number(o, "mhz"),
				 .memory_kib = number(o, "memory_kib"),
				 .free_kib = number(o, "free_kib") };
	snprintf(ret->version, sizeof(ret->version), "%s", text(o, "version"));
	json_object_put(root);
	return 0;
}

static void close_nothing(void *data)
{
	(void)data;
}

static const struct hypervisor_ops ops = { domains, domain, host, close_nothing };

int hypervisor_open(struct hypervisor *ret, struct problem *p)
{
	(void)p;
	*ret = (struct hypervisor){ &ops, NULL };
	return 0;
}

void hypervisor_close(struct hypervisor *hv)
{
	*hv = (struct hypervisor){ 0 };
}

static struct json_object *device(struct json_object *root, const char *kind, uint32_t domid,
				  uint32_t id)
{
	struct json_object *all, *o;
	char key[32];

	snprintf(key, sizeof(key), "%u/%u", domid, id);
	if (!root || !json_object_object_get_ex(root, kind, &all) ||
	    !json_object_object_get_ex(all, key, &o))
		return NULL;
	return o;
}

int kernel_vbd(uint32_t domid, uint32_t devid, struct vbd_counters *ret)
{
	struct json_object *root = load(), *o = device(root, "vbd", domid, devid);

	if (o)
		*ret = (struct vbd_counters){ .reads = number(o, "reads"),
					      .writes = number(o, "writes"),
					      .others = number(o, "others"),
					      .read_bytes = number(o, "read_bytes"),
					      .written_bytes = number(o, "written_bytes") };
	json_object_put(root);
	return o ? 0 : -ENOENT;
}

int kernel_vif(uint32_t domid, uint32_t handle, struct vif_counters *ret)
{
	struct json_object *root = load(), *o = device(root, "vif", domid, handle);

	if (o)
		*ret = (struct vif_counters){ .sent_bytes = number(o, "sent_bytes"),
					      .received_bytes = number(o, "received_bytes") };
	json_object_put(root);
	return o ? 0 : -ENOENT;
}
