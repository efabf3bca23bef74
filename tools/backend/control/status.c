// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/status.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "control/device.h"
#include "control/guest.h"
#include "lib/cleanup.h"
#include "lib/counters-json.h"
#include "lib/log.h"

/* How long changes are gathered before the file is written again. */
#define STATUS_DELAY_US UINT64_C(100000)

static const char *const image_names[_HS_IMAGE_MAX] = {
	[HS_IMAGE_LATER] = "unknown",   [HS_IMAGE_CLOSED] = "closed",
	[HS_IMAGE_OPENING] = "opening", [HS_IMAGE_READY] = "ready",
	[HS_IMAGE_REFUSED] = "refused",
};

static const char *const link_names[_HS_LINK_MAX] = {
	[HS_LINK_DOWN] = "down",
	[HS_LINK_BUSY] = "busy",
	[HS_LINK_UP] = "up",
	[HS_LINK_BROKEN] = "broken",
};

void status_add_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

void status_add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

void status_add_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static struct json_object *device_object(const struct device *dev)
{
	char counters[sizeof(dev->about.name) + 16];
	struct json_object *o = json_object_new_object();

	status_add_string(o, "kind", device_kind_name(dev->kind));
	status_add_number(o, "domid", dev->domid);
	status_add_number(o, "devid", dev->devid);
	status_add_string(o, "driver", dev->foreign ? "kernel" : "xenpv-backendd");
	status_add_string(o, "state", hs_state_name(dev->hs.ours));
	status_add_string(o, "frontend_state", hs_state_name(dev->hs.frontend));
	status_add_string(o, "image", image_names[dev->hs.image]);
	status_add_string(o, "link", link_names[dev->hs.link]);
	dev->class->status(dev, o);
	if (dev->counted) {
		device_counters_name(dev, counters, sizeof(counters));
		status_add_string(o, "counters", counters);
	}
	status_add_string(o, "error", dev->error);
	return o;
}

static struct json_object *broker_object(struct broker *b)
{
	struct json_object *o = json_object_new_object();
	struct json_object *guests = json_object_new_array();

	status_add_string(o, "version", XENPV_VERSION);
	status_add_number(o, "pid", (uint64_t)getpid());
	status_add_number(o, "domid", b->own_domid);
	for (unsigned int i = 0; i < BROKER_GUEST_BUCKETS; i++) {
		struct guest *g;

		LIST_FOREACH (g, &b->guests[i], link) {
			struct json_object *go = json_object_new_object();
			struct json_object *devices = json_object_new_array();
			struct device *dev;

			status_add_number(go, "domid", g->domid);
			status_add_number(go, "worker_pid",
					  g->worker ? (uint64_t)workerproc_pid(g->worker) : 0);
			status_add_number(go, "worker_restarts", g->restarts);
			LIST_FOREACH (dev, &g->devices, in_guest)
				json_object_array_add(devices, device_object(dev));
			json_object_object_add(go, "devices", devices);
			json_object_array_add(guests, go);
		}
	}
	json_object_object_add(o, "guests", guests);
	return o;
}

static int runtime_path(const char *dir, const char *name, char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%s/%s", dir, name) < size ? 0 : -ENAMETOOLONG;
}

int status_write(struct broker *b)
{
	struct json_object *o = broker_object(b);
	char path[PATH_MAX], temporary[PATH_MAX];
	int r;

	r = runtime_path(b->options.runtime_dir, STATUS_FILE, path, sizeof(path));
	if (r >= 0)
		r = runtime_path(b->options.runtime_dir, "." STATUS_FILE, temporary,
				 sizeof(temporary));
	if (r >= 0 && json_object_to_file_ext(temporary, o, JSON_C_TO_STRING_PRETTY) < 0)
		r = errno ? -errno : -EIO;
	if (r >= 0 && rename(temporary, path) < 0)
		r = -errno;
	json_object_put(o);
	return r;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct broker *b = userdata;
	int r;

	(void)s;
	(void)usec;
	r = status_write(b);
	if (r < 0)
		log_warning(r, "cannot write %s/%s: %m", b->options.runtime_dir, STATUS_FILE);
	return 0;
}

int status_start(struct broker *b)
{
	return sd_event_add_time_relative(b->event, &b->status, CLOCK_MONOTONIC, 0, 0, on_timer, b);
}

void status_changed(struct broker *b)
{
	int enabled = SD_EVENT_OFF;

	if (!b->status)
		return;
	sd_event_source_get_enabled(b->status, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(b->status, STATUS_DELAY_US);
	sd_event_source_set_enabled(b->status, SD_EVENT_ONESHOT);
}

int status_lock(const char *runtime_dir)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	r = runtime_path(runtime_dir, "lock", path, sizeof(path));
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return TAKE_FD(fd);
}

int status_print(const char *runtime_dir)
{
	_cleanup_close_ int lock = -1;
	struct json_object *status;
	char path[PATH_MAX];
	int r;

	lock = status_lock(runtime_dir);
	if (lock >= 0 || lock == -ENOENT)
		return -ESRCH;
	if (lock != -EBUSY)
		return lock;
	r = runtime_path(runtime_dir, STATUS_FILE, path, sizeof(path));
	if (r < 0)
		return r;
	status = json_object_from_file(path);
	if (!status)
		return access(path, R_OK) < 0 ? -errno : -EBADMSG;
	counters_add_json(status, runtime_dir);
	puts(json_object_to_json_string_ext(status, JSON_C_TO_STRING_PRETTY));
	json_object_put(status);
	return fflush(stdout) < 0 || ferror(stdout) ? -EIO : 0;
}
