/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the headers of an Ethernet frame lie, and its checksums. Pure: reads and
 * writes nothing but the frame it is given, and trusts none of its lengths.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_ETH_HEADER 14u
#define PACKET_MAX        65557u /* an IP packet of 65535 bytes behind two VLAN tags */

struct packet {
	uint8_t family;   /* 4, 6, or 0: neither, or cut short */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP with a whole header; else 0 */
	bool vlan;        /* there is at least one VLAN tag */
	uint32_t l3;      /* offset of the IP header */
	uint32_t l4;      /* offset of the TCP or UDP header */
	uint32_t payload; /* offset of what TCP or UDP carry */
	uint32_t end;     /* where the IP packet ends; Ethernet padding may follow */
};

/*
 * packet_parse - find the headers of a frame
 *
 * Up to two VLAN tags and eight IPv6 extension headers are passed over. Fragments
 * have no protocol, since only the first of them has its header.
 */
void packet_parse(const uint8_t *frame, size_t len, struct packet *ret);

/* Offset of the checksum from the start of the TCP or UDP header. */
unsigned int packet_csum_offset(const struct packet *p);

/*
 * packet_blank_csum - put into the checksum field what offloading expects there
 *
 * That is the folded sum of the pseudo header, not complemented. @p has a protocol.
 */
void packet_blank_csum(uint8_t *frame, const struct packet *p);

/*
 * packet_finish_csum - compute the checksum that somebody left to us
 * @start: first byte that is summed; the field at @start + @offset takes part
 *
 * -EINVAL when the field is not within the frame.
 */
int packet_finish_csum(uint8_t *frame, size_t len, size_t start, size_t offset);

/* The Internet checksum of @len bytes upon @sum, not folded. (RFC 1071) */
uint64_t packet_sum(const uint8_t *data, size_t len, uint64_t sum);
/* Fold into 16 bits; complement for the wire. */
uint16_t packet_fold(uint64_t sum);

static inline uint16_t packet_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void packet_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
