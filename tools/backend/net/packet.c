/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define MAX_TAGS       2
#define MAX_EXTENSIONS 8
#define IPV4_HEADER    20u
#define IPV6_HEADER    40u
#define TCP_HEADER     20u
#define UDP_HEADER     8u

/* The transport header at ret->l4, if it is whole. */
static void parse_l4(const uint8_t *frame, unsigned int protocol, struct packet *ret)
{
	uint32_t room = ret->end - ret->l4, size;

	if (protocol == IPPROTO_TCP && room >= TCP_HEADER)
		size = (uint32_t)(frame[ret->l4 + 12] >> 4) * 4;
	else if (protocol == IPPROTO_UDP && room >= UDP_HEADER)
		size = UDP_HEADER;
	else
		return;
	if (size > room || (protocol == IPPROTO_TCP && size < TCP_HEADER))
		return;
	ret->protocol = (uint8_t)protocol;
	ret->payload = ret->l4 + size;
}

static void parse_ipv4(const uint8_t *frame, uint32_t room, struct packet *ret)
{
	const uint8_t *ip = frame + ret->l3;
	uint32_t header, total;

	if (room < IPV4_HEADER || ip[0] >> 4 != 4)
		return;
	header = (ip[0] & 15u) * 4;
	total = packet_get16(ip + 2);
	if (header < IPV4_HEADER || total < header || total > room)
		return;
	ret->family = 4;
	ret->l4 = ret->l3 + header;
	ret->end = ret->l3 + total;
	if (packet_get16(ip + 6) & 0x3fff) /* more fragments, or an offset */
		return;
	parse_l4(frame, ip[9], ret);
}

static void parse_ipv6(const uint8_t *frame, uint32_t room, struct packet *ret)
{
	const uint8_t *ip = frame + ret->l3;
	uint32_t at = ret->l3 + IPV6_HEADER;
	unsigned int next;

	if (room < IPV6_HEADER || ip[0] >> 4 != 6)
		return;
	if (packet_get16(ip + 4) > room - IPV6_HEADER)
		return;
	ret->family = 6;
	ret->end = at + packet_get16(ip + 4);
	next = ip[6];
	for (unsigned int i = 0; i < MAX_EXTENSIONS; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS) {
			ret->l4 = at;
			parse_l4(frame, next, ret);
			return;
		}
		if (ret->end - at < 8)
			return;
		next = frame[at];
		room = (frame[at + 1] + 1u) * 8;
		if (room > ret->end - at)
			return;
		at += room;
	}
}

void packet_parse(const uint8_t *frame, size_t len, struct packet *ret)
{
	uint32_t at = PACKET_ETH_HEADER - 2;
	uint16_t type;

	*ret = (struct packet){ 0 };
	if (len < PACKET_ETH_HEADER || len > PACKET_MAX)
		return;
	type = packet_get16(frame + at);
	for (unsigned int i = 0; i < MAX_TAGS; i++) {
		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
			break;
		ret->vlan = true;
		if (len < at + 6)
			return;
		at += 4;
		type = packet_get16(frame + at);
	}
	ret->l3 = at + 2;
	if (type == ETHERTYPE_IPV4)
		parse_ipv4(frame, (uint32_t)len - ret->l3, ret);
	else if (type == ETHERTYPE_IPV6)
		parse_ipv6(frame, (uint32_t)len - ret->l3, ret);
}

unsigned int packet_csum_offset(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP ? 16 : 6;
}

uint64_t packet_sum(const uint8_t *data, size_t len, uint64_t sum)
{
	uint32_t word;
	uint16_t half = 0;

	/* in memory order, folded at the end: one's complement does not mind the byte order */
	for (; len >= 4; data += 4, len -= 4) {
		memcpy(&word, data, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, data, 2);
		sum += half;
		data += 2;
		len -= 2;
	}
	half = 0;
	memcpy(&half, data, len);
	return sum + half;
}

uint16_t packet_fold(uint64_t sum)
{
	uint16_t wire;
	uint8_t bytes[2];

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	wire = (uint16_t)sum;
	memcpy(bytes, &wire, 2);
	return packet_get16(bytes);
}

/* Addresses, length and protocol, as RFC 9293 and RFC 8200 lay them out. */
static uint64_t pseudo_sum(const uint8_t *frame, const struct packet *p)
{
	uint32_t len = p->end - p->l4;
	uint8_t tail[8] = { 0 };
	uint64_t sum;

	if (p->family == 4)
		sum = packet_sum(frame + p->l3 + 12, 8, 0);
	else
		sum = packet_sum(frame + p->l3 + 8, 32, 0);
	packet_put16(tail, (uint16_t)(len >> 16));
	packet_put16(tail + 2, (uint16_t)len);
	tail[7] = p->protocol;
	return packet_sum(tail, sizeof(tail), sum);
}

void packet_blank_csum(uint8_t *frame, const struct packet *p)
{
	packet_put16(frame + p->l4 + packet_csum_offset(p), packet_fold(pseudo_sum(frame, p)));
}

int packet_finish_csum(uint8_t *frame, size_t len, size_t start, size_t offset)
{
	uint16_t sum;

	if (start >= len || len - start < 2 || offset > len - start - 2)
		return -EINVAL;
	sum = (uint16_t)~packet_fold(packet_sum(frame + start, len - start, 0));
	/* UDP says with 0 that there is none; other protocols see no difference */
	packet_put16(frame + start + offset, sum ? sum : 0xffff);
	return 0;
}
