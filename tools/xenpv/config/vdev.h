/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of virtual disks as xl-disk-configuration(5) and xen-vbd-interface(7) have them. */
#pragma once

#include <stdint.h>

enum vdev_kind {
	VDEV_HD,
	VDEV_SD,
	VDEV_XVD,
	VDEV_NUMBERED, /* d<disk>p<partition> */
};

struct vdev {
	enum vdev_kind kind;
	uint32_t disk;      /* from 0 */
	uint32_t partition; /* 0 for the whole disk */
};

/* -EINVAL: no such form, -ERANGE: a number that no guest can have */
int vdev_parse(const char *name, struct vdev *ret);
