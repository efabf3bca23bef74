// SPDX-License-Identifier: GPL-2.0-or-later
#include "chrony.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define VERSION        6
#define TYPE_REQUEST   1
#define TYPE_REPLY     2
#define TRACKING       33
#define TRACKING_REPLY 5
#define LEAP_UNSYNC    3
/* 127.127.1.1 */
#define LOCAL_REFERENCE 0x7f7f0101

/* Offsets in a request, in a reply, and in the data of a reply to "tracking". */
enum {
	REQUEST_COMMAND = 4,
	REQUEST_SEQUENCE = 8,
	REPLY_COMMAND = 4,
	REPLY_CODE = 6,
	REPLY_STATUS = 8,
	REPLY_SEQUENCE = 16,
	REPLY_DATA = 28,
	DATA_REFERENCE = REPLY_DATA,
	DATA_ADDRESS = REPLY_DATA + 4,
	DATA_FAMILY = REPLY_DATA + 20,
	DATA_STRATUM = REPLY_DATA + 24,
	DATA_LEAP = REPLY_DATA + 26,
	DATA_TIME = REPLY_DATA + 28,
	DATA_CORRECTION = REPLY_DATA + 40,
};

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

void chrony_request(uint8_t packet[static CHRONY_PACKET_BYTES], uint32_t sequence)
{
	memset(packet, 0, CHRONY_PACKET_BYTES);
	packet[0] = VERSION;
	packet[1] = TYPE_REQUEST;
	put16(packet + REQUEST_COMMAND, TRACKING);
	put16(packet + REQUEST_SEQUENCE, (uint16_t)(sequence >> 16));
	put16(packet + REQUEST_SEQUENCE + 2, (uint16_t)sequence);
}

/* A signed exponent of 7 bits, then a signed coefficient of 25. */
static double get_float(const uint8_t *p)
{
	uint32_t bits = get32(p);
	int exponent = (int)(bits >> 25), coefficient = (int)(bits & ((1u << 25) - 1));

	if (exponent >= 1 << 6)
		exponent -= 1 << 7;
	if (coefficient >= 1 << 24)
		coefficient -= 1 << 25;
	return ldexp(coefficient, exponent - 25);
}

static double get_time(const uint8_t *p)
{
	uint32_t high = get32(p), low = get32(p + 4), nanoseconds = get32(p + 8);

	/* "No high part" is written as this by 32-bit systems. */
	if (high == 0x7fffffff)
		high = 0;
	return (double)high * 4294967296.0 + low + nanoseconds / 1e9;
}

/* Four characters, as refclocks are named; cut at the first that is none. */
static bool get_name(uint32_t reference, char *ret, size_t size)
{
	char name[5] = { 0 };

	for (int i = 0; i < 4; i++) {
		char c = (char)(reference >> (24 - 8 * i));

		if (!isalnum((unsigned char)c))
			break;
		name[i] = c;
	}
	if (name[0])
		snprintf(ret, size, "%s", name);
	else
		snprintf(ret, size, "%08X", reference);
	/* Chrony's own name for a PHC, and that in the file we ship for it. */
	return strncmp(name, "PHC", 3) == 0 || strcmp(name, "XEN") == 0;
}

int chrony_reply(const uint8_t *packet, size_t size, uint32_t sequence, struct chrony_tracking *ret)
{
	struct chrony_tracking tracking = { 0 };
	uint32_t reference;

	if (size < REPLY_DATA || packet[0] != VERSION || packet[1] != TYPE_REPLY ||
	    get16(packet + REPLY_COMMAND) != TRACKING || get32(packet + REPLY_SEQUENCE) != sequence)
		return -EBADMSG;
	if (get16(packet + REPLY_STATUS) != 0)
		return -EACCES;
	if (size < CHRONY_PACKET_BYTES || get16(packet + REPLY_CODE) != TRACKING_REPLY)
		return -EBADMSG;
	reference = get32(packet + DATA_REFERENCE);
	switch (get16(packet + DATA_FAMILY)) {
	case 1:
		inet_ntop(AF_INET, packet + DATA_ADDRESS, tracking.reference,
			  sizeof(tracking.reference));
		break;
	case 2:
		inet_ntop(AF_INET6, packet + DATA_ADDRESS, tracking.reference,
			  sizeof(tracking.reference));
		break;
	default:
		tracking.phc = get_name(reference, tracking.reference, sizeof(tracking.reference));
		break;
	}
	tracking.stratum = get16(packet + DATA_STRATUM);
	tracking.synchronised = reference && get16(packet + DATA_LEAP) != LEAP_UNSYNC;
	if (reference == LOCAL_REFERENCE) {
		/* Its own clock, which it serves to others as if it were right. */
		tracking.synchronised = false;
		snprintf(tracking.reference, sizeof(tracking.reference), "local");
	}
	/* Chrony counts what has to be added to the clock. */
	tracking.offset = -get_float(packet + DATA_CORRECTION);
	tracking.reference_time = get_time(packet + DATA_TIME);
	*ret = tracking;
	return 0;
}
