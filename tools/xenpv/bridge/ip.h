/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses with their prefix length, "192.168.1.10/24" or "fd00::1/64". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t prefix;
	uint8_t byte[16];
};

/* Only what an interface can have: no multicast, unspecified or loopback address. */
int ip_parse(const char *text, struct ip *ret);

/* ip_format - write it in the one way that the kernel and networkd write it, too */
#define IP_TEXT 50 /* INET6_ADDRSTRLEN, a slash and three digits */
void ip_format(const struct ip *ip, char ret[IP_TEXT]);

/* 4 or 16 */
size_t ip_size(const struct ip *ip);

/* The address with its host part zero. */
struct ip ip_network(const struct ip *ip);

/* The broadcast address of an IPv4 network. */
struct ip ip_broadcast(const struct ip *ip);
