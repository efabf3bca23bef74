/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cuts a large TCP packet into those that go over the wire, for a frontend that
 * cannot. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/packet.h"

struct segment {
	const uint8_t *frame; /* not owned; unchanged while segments are taken */
	struct packet packet;
	uint32_t size; /* payload of a segment, bytes */
	uint32_t done; /* payload that was taken */
	uint16_t nr;   /* segments that were taken */
};

/* @packet: TCP, of packet_parse() of @frame. @size: payload of a segment, at least 1. */
void segment_begin(struct segment *s, const uint8_t *frame, const struct packet *packet,
		   uint32_t size);

/* Is there another one? */
bool segment_left(const struct segment *s);

/*
 * segment_next - write the next segment, with all of its checksums
 * @out: room for packet.payload + size bytes
 *
 * Returns its length.
 */
size_t segment_next(struct segment *s, uint8_t *out);
