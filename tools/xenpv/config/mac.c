// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct mac mac_of_ports = { { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } };

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse_prefix(const char *s, struct mac *ret, size_t *ret_len)
{
	struct mac mac = { 0 };
	size_t n = 0;

	for (;;) {
		int high = hex(s[0]), low = high < 0 ? -1 : hex(s[1]);

		if (low < 0 || n == MAC_LEN)
			return -EINVAL;
		mac.byte[n++] = (uint8_t)(high << 4 | low);
		s += 2;
		if (!*s)
			break;
		if (*s++ != ':')
			return -EINVAL;
	}
	*ret = mac;
	*ret_len = n;
	return 0;
}

int mac_parse(const char *s, struct mac *ret)
{
	struct mac mac;
	size_t n;

	if (mac_parse_prefix(s, &mac, &n) < 0 || n != MAC_LEN)
		return -EINVAL;
	*ret = mac;
	return 0;
}

const char *mac_format(const struct mac *mac, char ret[MAC_TEXT])
{
	const uint8_t *b = mac->byte;

	snprintf(ret, MAC_TEXT, "%02X:%02X:%02X:%02X:%02X:%02X", b[0], b[1], b[2], b[3], b[4],
		 b[5]);
	return ret;
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return !memcmp(a->byte, b->byte, MAC_LEN);
}

bool mac_is_zero(const struct mac *mac)
{
	static const struct mac zero;

	return mac_equal(mac, &zero);
}

bool mac_is_multicast(const struct mac *mac)
{
	return mac->byte[0] & 1;
}

bool mac_has_prefix(const struct mac *mac, const struct mac *prefix, size_t len)
{
	return !memcmp(mac->byte, prefix->byte, len);
}
