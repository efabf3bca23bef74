/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab's control protocol: frames over a byte stream.
 *
 * The test machine talks to labd in dom0 over a virtio-serial port; labd in
 * dom0 passes frames with a domain id on to labd in that guest. Integers are
 * little endian. tests/lab/channel.py is the other end.
 */
#pragma once

#include <stdint.h>

#define LABD_VERSION 1

/* Longest payload that either end sends; a longer one means a lost stream. */
#define FRAME_MAX (64u * 1024)

struct frame_header {
	uint32_t len;   /* bytes of payload that follow, at most FRAME_MAX */
	uint32_t id;    /* of the request; its answers carry the same one */
	uint16_t domid; /* 0: labd in dom0 itself */
	uint8_t type;   /* enum frame_type */
	uint8_t flags;  /* PUT: enum put_flags */
} __attribute__((packed));

enum frame_type {
	/* Requests. */
	FRAME_HELLO = 1, /* answered by FRAME_HELLO; payload: u32 version */
	FRAME_RUN = 2,   /* u32 milliseconds, shell command without a NUL */
	FRAME_KILL = 3,  /* kill the command that RUN with this id started */
	FRAME_PUT = 4,   /* u32 mode, path, NUL, bytes of the file */

	/* Requests to labd in dom0 about the guests it relays for. */
	FRAME_GUEST_OPEN = 8,   /* u16 domid */
	FRAME_GUEST_MOVE = 9,   /* u16 old domid, u16 new domid: it was restored */
	FRAME_GUEST_CLOSE = 10, /* u16 domid */

	/* Answers. */
	FRAME_OUT = 16,  /* bytes of standard output */
	FRAME_ERR = 17,  /* bytes of standard error */
	FRAME_EXIT = 18, /* i32: exit status, 128 + signal, or negative errno */
};

/* A file arrives in one or more PUT frames and appears under its name at the last. */
enum put_flags {
	PUT_FIRST = 1,
	PUT_LAST = 2,
};

/* FRAME_EXIT status of a command that its time limit killed. */
#define EXIT_TIMED_OUT 124
