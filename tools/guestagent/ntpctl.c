// SPDX-License-Identifier: GPL-2.0-or-later
#include "ntpctl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_2_MODE_6 0x16
#define MODE_MASK        0x07
#define MODE_CONTROL     6
#define IS_RESPONSE      0x80
#define IS_ERROR         0x40
#define OPCODE_MASK      0x1f
#define READ_VARIABLES   2
#define LEAP_UNSYNC      3
/* Between 1900, NTP's beginning, and 1970. */
#define NTP_EPOCH 2208988800.0

void ntpctl_request(uint8_t packet[static NTPCTL_REQUEST_BYTES], uint16_t sequence)
{
	memset(packet, 0, NTPCTL_REQUEST_BYTES);
	packet[0] = VERSION_2_MODE_6;
	packet[1] = READ_VARIABLES;
	packet[2] = (uint8_t)(sequence >> 8);
	packet[3] = (uint8_t)sequence;
	packet[11] = sizeof(NTPCTL_WANTED) - 1;
	memcpy(packet + NTPCTL_BYTES, NTPCTL_WANTED, sizeof(NTPCTL_WANTED) - 1);
}

/* The value of @name in "a=1, b=\"x\", c=3" into @ret; quotes are left out. */
static bool variable(const char *text, const char *name, char *ret, size_t size)
{
	size_t length = strlen(name);

	while (*text) {
		size_t n;

		text += strspn(text, ", \t\r\n");
		n = strcspn(text, "=,");
		if (text[n] == '=' && n == length && strncmp(text, name, n) == 0) {
			text += n + 1;
			text += *text == '"';
			n = strcspn(text, "\",\r\n");
			if (n >= size)
				return false;
			memcpy(ret, text, n);
			ret[n] = '\0';
			return true;
		}
		text += n;
		if (*text == '=') {
			text++;
			/* A comma in quotes ends nothing. */
			if (*text == '"')
				text += strcspn(text + 1, "\"") + 1;
			text += strcspn(text, ",");
		}
	}
	return false;
}

static bool number(const char *text, const char *name, double *ret)
{
	char value[64], *end;
	double result;

	if (!variable(text, name, value, sizeof(value)))
		return false;
	result = strtod(value, &end);
	if (end == value || *end || !isfinite(result))
		return false;
	*ret = result;
	return true;
}

int ntpctl_reply(const uint8_t *packet, size_t size, uint16_t sequence, struct ntp_system *ret)
{
	struct ntp_system system = { 0 };
	char text[NTPCTL_REPLY_MAX + 1], value[64];
	double stratum, offset, leap;
	size_t count;

	if (size < NTPCTL_BYTES || (packet[0] & MODE_MASK) != MODE_CONTROL ||
	    !(packet[1] & IS_RESPONSE) || (packet[1] & OPCODE_MASK) != READ_VARIABLES ||
	    (packet[2] << 8 | packet[3]) != sequence)
		return -EBADMSG;
	if (packet[1] & IS_ERROR)
		return -EACCES;
	count = (size_t)(packet[10] << 8 | packet[11]);
	if (count > size - NTPCTL_BYTES || count > NTPCTL_REPLY_MAX)
		return -EBADMSG;
	memcpy(text, packet + NTPCTL_BYTES, count);
	text[count] = '\0';
	if (!number(text, "stratum", &stratum) || !(stratum >= 0 && stratum <= 255))
		return -EBADMSG;
	system.stratum = (uint32_t)stratum;
	if (!number(text, "leap", &leap))
		leap = packet[4] >> 6;
	system.synchronised = leap != LEAP_UNSYNC && leap != 11 && system.stratum < 16;
	/* In milliseconds, of the source's clock above ours. */
	if (number(text, "offset", &offset))
		system.offset = -offset / 1000;
	(void)variable(text, "refid", system.reference, sizeof(system.reference));
	if (variable(text, "reftime", value, sizeof(value))) {
		unsigned int seconds, fraction;

		if (sscanf(value, "0x%8x.%8x", &seconds, &fraction) == 2 && seconds)
			system.reference_time = seconds + fraction / 4294967296.0 - NTP_EPOCH;
	}
	*ret = system;
	return 0;
}
