// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * block-fast - a hotplug script for disks, with the contract of the stock "block"
 *
 * libxl runs it with XENBUS_PATH set and the argument "add" or "remove". It makes
 * a loop device for an image file and reports physical-device and hotplug-status.
 * The stock script forks some sixty times, which takes twelve seconds a disk under
 * emulation. This one does no sharing check: the stock script is tested by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "node.h"

/* Attempts to get a free loop device before another script takes it. */
#define LOOP_TRIES 64

/* Bind a free loop device to @file. Fills @device and returns 0, or a negative errno. */
static int loop_bind(int file, int readonly, char device[32])
{
	struct loop_config config = { .fd = (unsigned int)file };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return -errno;
	config.info.lo_flags = readonly ? LO_FLAGS_READ_ONLY : 0;
	for (int i = 0; i < LOOP_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		int loop, r;

		if (number < 0)
			return -errno;
		snprintf(device, 32, "/dev/loop%d", number);
		loop = open(device, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (loop < 0)
			return -errno;
		r = ioctl(loop, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
		close(loop);
		if (r != -EBUSY)
			return r;
	}
	return -EBUSY;
}

static int add(struct device *d)
{
	char *params = node_read(d, "params"), *mode = node_read(d, "mode");
	char loop[32], number[32];
	const char *device = params;
	struct stat st;
	int readonly;

	if (!params || !mode)
		return node_fail(d, "params and mode", ENOENT);
	readonly = mode[0] == 'r';
	/* Like the stock script: the backend may have said why (hotplug-error). */
	if (stat(params, &st) < 0)
		return 1;
	if (S_ISREG(st.st_mode)) {
		int file = open(params, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		int r = file < 0 ? -errno : loop_bind(file, readonly, loop);

		if (r < 0)
			return node_fail(d, params, -r);
		device = loop;
		node_write(d, "node", device);
		if (stat(device, &st) < 0)
			return node_fail(d, device, errno);
	}
	if (!S_ISBLK(st.st_mode))
		return node_fail(d, params, ENOTBLK);
	snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev), minor(st.st_rdev));
	return node_write(d, "physical-device", number) < 0 ||
	       node_write(d, "physical-device-path", device) < 0 ||
	       node_write(d, "hotplug-status", "connected") < 0;
}

static int forget(struct device *d)
{
	char *node = node_read(d, "node");
	int loop;

	if (!node)
		return 0;
	loop = open(node, O_RDONLY | O_CLOEXEC);
	return loop < 0 || ioctl(loop, LOOP_CLR_FD) < 0;
}

int main(int argc, char **argv)
{
	struct device disk;

	if (argc != 2 || device_open(&disk) < 0) {
		fprintf(stderr, "usage: XENBUS_PATH=... block-fast add|remove\n");
		return 2;
	}
	if (strcmp(argv[1], "add") == 0)
		return add(&disk);
	return strcmp(argv[1], "remove") == 0 ? forget(&disk) : 0;
}
