/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One entry of disk = [...], in the words of xm ("phy:/dev/sda1,hda,w") and in those of xl
 * ("/dev/sda1,raw,xvda,w", "vdev=xvda,access=rw,target=/dev/sda1").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "xenpv/config/vdev.h"

enum disk_prefix {
	DISK_BARE, /* none: xl finds out by itself */
	DISK_PHY,
	DISK_FILE,
	DISK_TAP, /* tap:aio: or tap:raw: */
	DISK_OTHER,
};

enum disk_access {
	DISK_ACCESS_NONE, /* not said: read-write for xl */
	DISK_READONLY,
	DISK_WRITABLE,
	DISK_ACCESS_WRONG,
};

struct diskspec {
	unsigned int line;
	char *target; /* "" for an empty drive */
	char *prefix_text;
	char *vdev;
	char *access_text;
	struct vdev name; /* of @vdev, if has_name */
	bool has_name;
	enum disk_prefix prefix;
	enum disk_access access;
	bool shared; /* "!": the administrator vouches for other writers */
	bool cdrom;
	bool scripted;  /* script=: the target is the script's, no path */
	bool elsewhere; /* served by another domain than dom0 */
	bool xm_form;   /* the vdev came second, as xm wants it */
	bool no_target; /* "hdc:cdrom,r": begins with the vdev */
};

/*
 * diskspec_parse - understand one entry
 * @why: what is wrong with it, on -EINVAL; *ret is then empty
 *
 * Names, accesses and prefixes of any text are kept for the caller to judge. Errors: -EINVAL,
 * -ENOMEM.
 */
int diskspec_parse(const char *text, struct diskspec *ret, char *why, size_t why_size);
void diskspec_clear(struct diskspec *spec);
