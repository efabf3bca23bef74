/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One queue of a tap device, by its descriptor: IFF_TAP, IFF_NO_PI, IFF_VNET_HDR.
 * Every packet has a struct virtio_net_hdr before it. The device itself is made and
 * named by others. A socket that keeps the borders of packets does as well; there is
 * nothing to negotiate with one.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/offload.h"

#define TAP_HEADER sizeof(struct virtio_net_hdr)

/*
 * tap_setup - say what may come out of the device
 * @caps: NULL: another queue of a device to which it was said already
 * @sg: the frontend takes packets of several pages; without it nothing large may come
 *
 * Affects the whole device, whichever of its queues @fd is, and takes the lock of all of the
 * host's interfaces. Makes @fd non-blocking. Errors: those of ioctl(2) and fcntl(2).
 */
int tap_setup(int fd, const struct offload_caps *caps, int sg);

/*
 * tap_read - take one packet, the header before the frame
 *
 * Returns the bytes read, header included; -EAGAIN (there is none), -EPIPE (the device
 * or the peer is gone), -EMSGSIZE (a packet that does not fit, or has no header, was
 * thrown away), others of read(2).
 */
ssize_t tap_read(int fd, void *buf, size_t size);

/*
 * tap_write - hand over one packet, the header before the frame
 *
 * Returns 0; -EAGAIN (no room, wait for POLLOUT), -EPIPE (gone), others of write(2),
 * which are about this packet.
 */
int tap_write(int fd, const void *buf, size_t size);

/*
 * For those who read and write by other means than these: what tap_read() of @size bytes
 * and tap_write() would have returned. @n: bytes, or a negative errno.
 */
ssize_t tap_read_result(ssize_t n, size_t size);
int tap_write_result(ssize_t n);
