/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ethernet addresses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAC_LEN  6
#define MAC_TEXT 18 /* with the NUL */

struct mac {
	uint8_t byte[MAC_LEN];
};

/* Of every bridge and every port that stands for somebody else; never learned by a peer. */
extern const struct mac mac_of_ports; /* fe:ff:ff:ff:ff:ff */

/* Six pairs of hexadecimal digits with colons; -EINVAL otherwise. */
int mac_parse(const char *s, struct mac *ret);

/* The same for the first 1 to 6 bytes; *ret_len is how many. */
int mac_parse_prefix(const char *s, struct mac *ret, size_t *ret_len);

/* In upper case, as guests' configurations have it. */
const char *mac_format(const struct mac *mac, char ret[MAC_TEXT]);

bool mac_equal(const struct mac *a, const struct mac *b);
bool mac_is_zero(const struct mac *mac);
/* Group bit, so also broadcast. */
bool mac_is_multicast(const struct mac *mac);
bool mac_has_prefix(const struct mac *mac, const struct mac *prefix, size_t len);
