/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounted file systems that lie on block devices. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct mount {
	dev_t device;
	char *source; /* "/dev/xvda1" */
	char *target; /* "/" */
	char *type;   /* "ext4" */
	bool read_only;
};

/* Start with a zeroed one; mounts_clear() frees what it holds. */
struct mounts {
	struct mount *list;
	size_t n;
};

/* Mounts looked at; a guest full of containers may have more. */
#define MOUNTS_MAX 4096

/*
 * mounts_read - the file systems mounted from block devices, in the order of their mounts
 * @root: "" for the running system
 *
 * Each file system once, with the mount that shows its root where there is one: bind mounts
 * and subvolumes are left out. Errors: -ENOMEM, -EIO (unreadable).
 */
int mounts_read(const char *root, struct mounts *ret);
void mounts_clear(struct mounts *mounts);

/* The mount of the device, by its number or by the name /dev/@name; NULL if not mounted. */
const struct mount *mounts_find(const struct mounts *mounts, dev_t device, const char *name);

/* Call @changed when something was mounted or unmounted. Errors: negative errno. */
int mounts_watch(sd_event *event, void (*changed)(void *userdata), void *userdata,
		 sd_event_source **ret);
