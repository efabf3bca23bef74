// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "worker/proto.h"

#define KEY(section, name, type, member, ...)                                                      \
	{                                                                                          \
		section, name, type, offsetof(struct options, member), ##__VA_ARGS__               \
	}

static const struct conf_key keys[] = {
	KEY("backend", "vif", CONF_BOOL, vif),
	KEY("backend", "tell-labels", CONF_BOOL, tell_labels),
	KEY("backend", "max-queues", CONF_U32, max_queues, 0, WORKER_MAX_RINGS),
	KEY("backend", "max-ring-page-order", CONF_U32, max_ring_page_order, 0, 4),
	KEY("backend", "max-indirect-segments", CONF_U32, max_indirect_segments, 0, 256),
	KEY("backend", "persistent-grants", CONF_BOOL, persistent_grants),
	KEY("backend", "hotplug-scripts", CONF_BOOL, hotplug_scripts),
	/* libxl waits 10 s for state 6 */
	KEY("backend", "detach-timeout", CONF_U32, detach_timeout, 0, 9),
	KEY("backend", "open-timeout", CONF_U32, open_timeout, 1, 9),
	KEY("backend", "resize-interval", CONF_U32, resize_interval, 0, 86400),
	KEY("storage", "direct", CONF_BOOL, direct),
	KEY("storage", "discard", CONF_BOOL, discard),
	KEY("worker", "path", CONF_STRING, worker_path),
	KEY("worker", "user", CONF_STRING, worker_user),
	KEY("worker", "poll-us", CONF_U32, poll_us, 0, 1000),
	KEY("worker", "copy-max", CONF_U32, copy_max, 0, 1 << 20),
	KEY("worker", "persistent-max", CONF_U32, persistent_max, 0, 1 << 16),
	KEY("worker", "drain-timeout", CONF_U32, drain_timeout, 1, 60),
	KEY("log", "level", CONF_STRING, log_level),
	{ NULL },
};

int options_init(struct options *o)
{
	*o = (struct options){
		.vif = true,
		.max_ring_page_order = 4,
		.max_indirect_segments = 256,
		.persistent_grants = true,
		.hotplug_scripts = true,
		.detach_timeout = 5,
		.open_timeout = 8,
		.resize_interval = 3,
		.direct = true,
		.discard = true,
		.poll_us = 20,
		.copy_max = 16384,
		.persistent_max = 1056,
		.drain_timeout = 3,
		.worker_user = strdup("xenpv-worker"),
		.log_level = strdup("info"),
		.runtime_dir = strdup("/run/xenpv-backend"),
		.sysfs = strdup("/sys"),
		.host_root = strdup(""),
	};
	if (!o->worker_user || !o->log_level || !o->runtime_dir || !o->sysfs || !o->host_root)
		return -ENOMEM;
	return 0;
}

void options_free(struct options *o)
{
	free(o->worker_path);
	free(o->worker_user);
	free(o->log_level);
	free(o->runtime_dir);
	free(o->sysfs);
	free(o->host_root);
}

int options_log_level(const char *name)
{
	static const char *const names[] = {
		[LOG_ERR] = "error", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
		[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};

	for (int i = LOG_ERR; i <= LOG_DEBUG; i++)
		if (!strcmp(names[i], name))
			return i;
	return -EINVAL;
}

int options_load(struct options *o, const char *path, char *error, size_t error_size)
{
	int r;

	r = conf_load(path, keys, o, error, error_size);
	if (r < 0)
		return r;
	if (options_log_level(o->log_level) < 0) {
		snprintf(error, error_size,
			 "%s: level = %s is not one of error, warning, notice, info, debug", path,
			 o->log_level);
		return -EINVAL;
	}
	return 0;
}
