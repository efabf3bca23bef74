/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the broker: /etc/xenpv/backendd.conf and the command line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
	/* [backend] */
	bool vif;            /* serve interfaces, too */
	bool tell_labels;    /* tell guests the labels of the host's file systems */
	uint32_t max_queues; /* 0: one per CPU */
	uint32_t max_ring_page_order;
	uint32_t max_indirect_segments;
	bool persistent_grants;
	bool hotplug_scripts;     /* wait for a hotplug script */
	uint32_t detach_timeout;  /* seconds a frontend has to close after online=0 */
	uint32_t open_timeout;    /* seconds an image may take to open */
	uint32_t resize_interval; /* seconds between looks at image sizes, 0: never */
	/* [storage] */
	bool direct;
	bool discard;
	/* [worker] */
	char *worker_path; /* NULL: beside the broker, else libexecdir */
	char *worker_user; /* empty: stay as we are */
	uint32_t poll_us;
	uint32_t copy_max;
	uint32_t persistent_max;
	uint32_t drain_timeout; /* seconds a worker may take to answer */
	/* [log] */
	char *log_level;
	/* command line only */
	char *runtime_dir;
	char *sysfs;
	char *host_root; /* what is before /dev and /proc where labels are looked for */
};

/* Fill in the defaults. Errors: -ENOMEM. Release with options_free(), also then. */
int options_init(struct options *o);
void options_free(struct options *o);

/* Read the configuration; @error gets one line on failure. Errors as conf_load(). */
int options_load(struct options *o, const char *path, char *error, size_t error_size);

/* Name of a level (error, warning, notice, info, debug) to LOG_*: -EINVAL when unknown. */
int options_log_level(const char *name);
