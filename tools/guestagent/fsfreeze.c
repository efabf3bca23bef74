// SPDX-License-Identifier: GPL-2.0-or-later
#include "fsfreeze.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <linux/fs.h>

int fsfreeze_freeze(int fd)
{
	return ioctl(fd, FIFREEZE, 0) < 0 ? -errno : 0;
}

int fsfreeze_thaw(int fd)
{
	return ioctl(fd, FITHAW, 0) < 0 ? -errno : 0;
}
