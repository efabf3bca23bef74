// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/host/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

#define SECTOR 512

/* A number in a file of sysfs; 0 if it is not there. */
static uint64_t read_number(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char text[32];
	uint64_t value;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, 0, UINT64_MAX, &value) < 0 ? 0 : value;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int kernel_vbd(uint32_t domid, uint32_t devid, struct vbd_counters *ret)
{
	_cleanup_close_ int dir = -1;
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/vbd-%u-%u/statistics", domid,
		 devid);
	dir = open_dir(path);
	if (dir < 0)
		return -ENOENT;
	*ret = (struct vbd_counters){
		.reads = read_number(dir, "rd_req"),
		.writes = read_number(dir, "wr_req"),
		.others = read_number(dir, "oo_req"),
		.flushes = read_number(dir, "f_req"),
		.discards = read_number(dir, "ds_req"),
		.read_bytes = SECTOR * read_number(dir, "rd_sect"),
		.written_bytes = SECTOR * read_number(dir, "wr_sect"),
	};
	return 0;
}

int kernel_vif(uint32_t domid, uint32_t handle, struct vif_counters *ret)
{
	_cleanup_close_ int dir = -1;
	char path[96];

	snprintf(path, sizeof(path), "/sys/class/net/vif%u.%u/statistics", domid, handle);
	dir = open_dir(path);
	if (dir < 0)
		return -ENOENT;
	/* what dom0 receives from the vif is what the guest sent */
	*ret = (struct vif_counters){
		.sent_bytes = read_number(dir, "rx_bytes"),
		.received_bytes = read_number(dir, "tx_bytes"),
		.sent_packets = read_number(dir, "rx_packets"),
		.received_packets = read_number(dir, "tx_packets"),
		.errors = read_number(dir, "rx_errors") + read_number(dir, "tx_errors"),
		.dropped = read_number(dir, "rx_dropped") + read_number(dir, "tx_dropped"),
	};
	return 0;
}
