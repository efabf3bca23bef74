/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The question that "ntpq -c rv" asks ntpd: read the system's variables (NTP control
 * messages, mode 6, RFC 9327). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NTP_PORT      123
#define NTPCTL_BYTES  12
#define NTPCTL_WANTED "leap,stratum,refid,reftime,offset"
/* The names, filled up to a multiple of four bytes. */
#define NTPCTL_REQUEST_BYTES (NTPCTL_BYTES + (sizeof(NTPCTL_WANTED) + 2) / 4 * 4)
#define NTPCTL_REPLY_MAX     1024
#define NTPCTL_NAME_BYTES    46

struct ntp_system {
	bool synchronised;
	char reference[NTPCTL_NAME_BYTES]; /* address or name of the source; "" if not told */
	uint32_t stratum;
	double offset;         /* seconds that the system clock is ahead */
	double reference_time; /* when the clock was last set, seconds since 1970; 0: not told */
};

void ntpctl_request(uint8_t packet[static NTPCTL_REQUEST_BYTES], uint16_t sequence);

/* Read a reply. Errors: -EBADMSG (not such a reply), -EACCES (ntpd refused). */
int ntpctl_reply(const uint8_t *packet, size_t size, uint16_t sequence, struct ntp_system *ret);
