/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames over either transport: the virtio-serial port or a xenstore stream. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "proto.h"

struct stream;

/* Where a frame goes: a descriptor's queue, or a stream. Exactly one is set. */
struct link {
	struct buf *out;
	struct stream *stream;
};

void link_send(struct link *link, const struct frame_header *header, const void *payload);

/* Bytes that wait to be sent: producers pause above LINK_HIGH. */
#define LINK_HIGH (256u * 1024)
size_t link_pending(const struct link *link);

typedef void (*frame_handler)(void *userdata, const struct frame_header *header,
			      const char *payload);

/* Hand each complete frame in @in to @handler. Returns 0, or -EPROTO for a lost stream. */
int link_receive(struct buf *in, frame_handler handler, void *userdata);
