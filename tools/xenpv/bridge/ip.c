// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/parse.h"

size_t ip_size(const struct ip *ip)
{
	return ip->family == AF_INET ? 4 : 16;
}

static void set_host_bits(struct ip *ip, bool on)
{
	for (unsigned int bit = ip->prefix; bit < 8 * ip_size(ip); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if (on)
			ip->byte[bit / 8] |= mask;
		else
			ip->byte[bit / 8] &= (uint8_t)~mask;
	}
}

struct ip ip_network(const struct ip *ip)
{
	struct ip network = *ip;

	set_host_bits(&network, false);
	return network;
}

struct ip ip_broadcast(const struct ip *ip)
{
	struct ip broadcast = *ip;

	set_host_bits(&broadcast, true);
	return broadcast;
}

static bool is_usable(const struct ip *ip)
{
	static const struct in6_addr zero = IN6ADDR_ANY_INIT, loopback = IN6ADDR_LOOPBACK_INIT;

	if (ip->family == AF_INET)
		return ip->byte[0] != 0 && ip->byte[0] != 127 && ip->byte[0] < 224;
	return ip->byte[0] != 0xff && memcmp(ip->byte, &zero, 16) != 0 &&
	       memcmp(ip->byte, &loopback, 16) != 0;
}

int ip_parse(const char *text, struct ip *ret)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct ip ip = { 0 };
	uint32_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	ip.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(ip.family, address, ip.byte) != 1 ||
	    parse_u32(slash + 1, 1, ip.family == AF_INET ? 32 : 128, &prefix) < 0)
		return -EINVAL;
	ip.prefix = (uint8_t)prefix;
	if (!is_usable(&ip))
		return -EINVAL;
	*ret = ip;
	return 0;
}

void ip_format(const struct ip *ip, char ret[IP_TEXT])
{
	char address[INET6_ADDRSTRLEN];

	inet_ntop(ip->family, ip->byte, address, sizeof(address));
	snprintf(ret, IP_TEXT, "%s/%u", address, (unsigned int)ip->prefix & 0xff);
}
