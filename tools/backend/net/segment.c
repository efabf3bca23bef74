/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/segment.h"

#include <string.h>

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

void segment_begin(struct segment *s, const uint8_t *frame, const struct packet *packet,
		   uint32_t size)
{
	*s = (struct segment){ .frame = frame, .packet = *packet, .size = size };
}

static uint32_t payload(const struct segment *s)
{
	return s->packet.end - s->packet.payload;
}

bool segment_left(const struct segment *s)
{
	return s->done < payload(s);
}

static void fix_ip(const struct segment *s, uint8_t *out, uint32_t total)
{
	uint8_t *ip = out + s->packet.l3;
	uint32_t header;

	if (s->packet.family == 6) {
		packet_put16(ip + 4, (uint16_t)(total - s->packet.l3 - 40));
		return;
	}
	header = (ip[0] & 15u) * 4;
	packet_put16(ip + 2, (uint16_t)(total - s->packet.l3));
	packet_put16(ip + 4, (uint16_t)(packet_get16(ip + 4) + s->nr));
	packet_put16(ip + 10, 0);
	packet_put16(ip + 10, (uint16_t)~packet_fold(packet_sum(ip, header, 0)));
}

size_t segment_next(struct segment *s, uint8_t *out)
{
	uint32_t left = payload(s) - s->done;
	uint32_t n = left < s->size ? left : s->size;
	struct packet p = s->packet;
	uint8_t *tcp = out + p.l4;
	uint32_t seq;

	memcpy(out, s->frame, p.payload);
	memcpy(out + p.payload, s->frame + p.payload + s->done, n);
	p.end = p.payload + n;
	fix_ip(s, out, p.end);

	seq = (uint32_t)packet_get16(tcp + 4) << 16 | packet_get16(tcp + 6);
	seq += s->done;
	packet_put16(tcp + 4, (uint16_t)(seq >> 16));
	packet_put16(tcp + 6, (uint16_t)seq);
	if (n < left)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (s->nr)
		tcp[13] &= (uint8_t)~TCP_CWR;
	packet_blank_csum(out, &p);
	packet_finish_csum(out, p.end, p.l4, packet_csum_offset(&p));
	s->done += n;
	s->nr++;
	return p.end;
}
