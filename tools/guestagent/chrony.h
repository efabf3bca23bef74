/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The question that "chronyc tracking" asks chronyd (its command protocol, version 6), and
 * the answer. Pure. Facts of the wire: big endian, requests at least as long as replies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHRONY_PORT         323
#define CHRONY_PACKET_BYTES 104

/* Value of the reference's name when it is the first PHC refclock, "PHC0", ... */
#define CHRONY_REFERENCE_BYTES 46

struct chrony_tracking {
	bool synchronised;
	bool phc;                               /* the reference is a PHC refclock */
	char reference[CHRONY_REFERENCE_BYTES]; /* address or name */
	uint32_t stratum;
	double offset;         /* seconds that the system clock is ahead */
	double reference_time; /* when the reference was last heard, seconds since 1970 */
};

/* Write the request into @packet; @sequence comes back in the reply. */
void chrony_request(uint8_t packet[static CHRONY_PACKET_BYTES], uint32_t sequence);

/*
 * chrony_reply - read a reply to chrony_request()
 *
 * Errors: -EBADMSG (not such a reply, or to another request), -EACCES (chronyd refused).
 */
int chrony_reply(const uint8_t *packet, size_t size, uint32_t sequence,
		 struct chrony_tracking *ret);
