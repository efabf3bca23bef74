/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several packets of a tap in one system call, by an io_uring: where a hypervisor has a
 * hand in every system call, the calls are what a small packet costs. It is only a way to
 * call: when a function returns, nothing is on its way any more. Used by one thread at a
 * time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TAP_BATCH_MAX 32u /* packets in one call */

struct tap_packet {
	void *buf;      /* header and frame, one behind the other */
	size_t size;    /* bytes to be written, or room for a packet and a byte more */
	ssize_t result; /* as of tap_read() or tap_write() */
};

struct tap_batch;

/*
 * tap_batch_new - get ready
 *
 * Errors: -EOPNOTSUPP (the kernel is older than 5.11), those of io_uring_setup(2): there
 * may be no io_uring, or it is not for us. Go on with tap_read() and tap_write() then.
 */
int tap_batch_new(struct tap_batch **ret);

/* NULL is allowed. */
void tap_batch_free(struct tap_batch *b);

/*
 * tap_batch_write - hand over @n packets, in their order
 * @fd: non-blocking
 * @n: at most TAP_BATCH_MAX
 *
 * Returns how many packets are done with, each with its result: 0, or an error that is
 * about this packet. When that is less than @n, the result of the next one says why: -EAGAIN
 * (no room, wait for POLLOUT) or -EPIPE (gone). Neither it nor what follows was written.
 */
unsigned int tap_batch_write(struct tap_batch *b, int fd, struct tap_packet *packet,
			     unsigned int n);

/*
 * tap_batch_read - take up to @n packets
 * @packet: changed in their order, each with its buffer: the first are those that were read
 * @ret_end: why there are no more: 0 (there may be), -EAGAIN (there are none now), -EPIPE
 *   (the device or the peer is gone), others of read(2)
 *
 * Returns how many have been read, in the order in which they came. The result of each is
 * its bytes or -EMSGSIZE (thrown away).
 */
unsigned int tap_batch_read(struct tap_batch *b, int fd, struct tap_packet *packet, unsigned int n,
			    int *ret_end);

/*
 * Did the io_uring fail in use? Writing goes on packet by packet then, and reading is left to
 * tap_read(). The kernel may yet write into buffers that were to be read into: keep them
 * until after tap_batch_free(), and use them for nothing else.
 */
bool tap_batch_broken(const struct tap_batch *b);

/* Is it the kernel that never waits for the tap, so that asking for too much costs little? */
bool tap_batch_never_waits(const struct tap_batch *b);
