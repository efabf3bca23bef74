/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames for tests: made and checked byte by byte as the RFCs have it, without the code
 * under test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vifframe {
	int family;      /* 4 or 6 */
	int protocol;    /* IPPROTO_TCP or IPPROTO_UDP */
	bool vlan;       /* one tag */
	bool extension;  /* IPv6: a destination options header in between */
	bool blank;      /* the checksum field holds 0xdead, for somebody else to fill */
	size_t payload;  /* bytes */
	size_t padding;  /* bytes behind the IP packet */
	uint16_t port;   /* source; 0: 1000 */
	uint8_t flags;   /* TCP */
	uint8_t dest[6]; /* MAC; all zero: 00:16:3e:00:00:01 */
};

struct vifframe_where {
	size_t l3, l4, payload;
};

/* Write the frame; returns its length. @ret may be NULL. */
size_t vifframe_make(const struct vifframe *f, uint8_t *frame, struct vifframe_where *ret);

/* Sum over pseudo header and TCP or UDP packet: 0xffff when the checksum is right. */
uint16_t vifframe_sum(const uint8_t *frame, size_t len);

/* Sum over the pseudo header alone: what a blank field has to hold. */
uint16_t vifframe_pseudo(const uint8_t *frame, size_t len);

/* The payload byte at offset @i of the stream. */
uint8_t vifframe_byte(size_t i);
