/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int tap_setup(int fd, const struct offload_caps *caps, int sg)
{
	int header = TAP_HEADER;
	unsigned long offload = 0;
	struct stat st;
	int flags;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!caps || S_ISSOCK(st.st_mode))
		return 0;
	/* one switch for both IP versions; what is too much is undone packet by packet */
	if (caps->csum4 || caps->csum6)
		offload |= TUN_F_CSUM;
	if (caps->csum4 && caps->gso4 && sg)
		offload |= TUN_F_TSO4;
	if (caps->csum6 && caps->gso6 && sg)
		offload |= TUN_F_TSO6;
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(fd, TUNSETOFFLOAD, offload) < 0)
		return -errno;
	return 0;
}

/* errno of a device that was deleted or a peer that hung up. */
static int translate(int err)
{
	/* a tap that is merely down answers a write with EIO, which is about that packet only */
	return err == EBADFD || err == EFAULT || err == ECONNRESET || err == ENOTCONN ? -EPIPE
										      : -err;
}

ssize_t tap_read_result(ssize_t n, size_t size)
{
	if (n < 0)
		return translate((int)-n);
	if (n == 0)
		return -EPIPE;
	/* what is cut short cannot be told from what fits exactly */
	if ((size_t)n == size || (size_t)n <= TAP_HEADER)
		return -EMSGSIZE;
	return n;
}

int tap_write_result(ssize_t n)
{
	return n < 0 ? translate((int)-n) : 0;
}

ssize_t tap_read(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return tap_read_result(n < 0 ? -errno : n, size);
}

int tap_write(int fd, const void *buf, size_t size)
{
	ssize_t n;

	do
		n = write(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return tap_write_result(n < 0 ? -errno : n);
}
