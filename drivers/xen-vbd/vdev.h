/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of virtual block devices: docs/misc/vbd-interface of Xen. Pure. */
#ifndef XVBD_VDEV_H
#define XVBD_VDEV_H

#include <linux/types.h>

/**
 * struct xvbd_vdev - what a virtual device number stands for
 * @disk: 0 for xvda, 1 for xvdb, 26 for xvdaa
 * @partition: 0 for a whole disk
 * @minor: minor number under major 202, or -1 when there is none for it
 * @minors: minor numbers the device occupies
 */
struct xvbd_vdev {
	u32 disk;
	u32 partition;
	s32 minor;
	u32 minors;
};

int xvbd_vdev_decode(u32 vdev, struct xvbd_vdev *out);
int xvbd_vdev_name(const struct xvbd_vdev *vdev, char *name, size_t size);

#endif /* XVBD_VDEV_H */
