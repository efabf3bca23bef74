/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vifframe.h"

#include <netinet/in.h>
#include <string.h>

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned int get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t add(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint8_t vifframe_byte(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

static struct vifframe_where find(const uint8_t *frame, int *ret_family, int *ret_protocol)
{
	struct vifframe_where w = { .l3 = 14 };

	if (get16(frame + 12) == 0x8100)
		w.l3 = 18;
	*ret_family = frame[w.l3] >> 4;
	w.l4 = w.l3 + (*ret_family == 4 ? 20 : 40);
	*ret_protocol = frame[w.l3 + (*ret_family == 4 ? 9 : 6)];
	if (*ret_protocol == IPPROTO_DSTOPTS) {
		*ret_protocol = frame[w.l4];
		w.l4 += 8;
	}
	w.payload = w.l4 + (*ret_protocol == IPPROTO_TCP ? 20 : 8);
	return w;
}

uint16_t vifframe_pseudo(const uint8_t *frame, size_t len)
{
	int family, protocol;
	struct vifframe_where w = find(frame, &family, &protocol);
	uint8_t tail[4];
	uint32_t sum;

	(void)len;
	if (family == 4) {
		put16(tail, get16(frame + w.l3 + 2) - 20);
		sum = add(frame + w.l3 + 12, 8, 0);
	} else {
		put16(tail, get16(frame + w.l3 + 4) - (w.l4 - w.l3 - 40));
		sum = add(frame + w.l3 + 8, 32, 0);
	}
	put16(tail + 2, (size_t)protocol);
	return (uint16_t)add(tail, 4, sum);
}

uint16_t vifframe_sum(const uint8_t *frame, size_t len)
{
	int family, protocol;
	struct vifframe_where w = find(frame, &family, &protocol);
	size_t end =
		family == 4 ? w.l3 + get16(frame + w.l3 + 2) : w.l3 + 40 + get16(frame + w.l3 + 4);

	if (end > len)
		return 0;
	return (uint16_t)add(frame + w.l4, end - w.l4, vifframe_pseudo(frame, len));
}

static void make_ip(const struct vifframe *f, uint8_t *ip, size_t l4_size)
{
	if (f->family == 4) {
		ip[0] = 0x45;
		put16(ip + 2, 20 + l4_size);
		put16(ip + 4, 0x1234);
		ip[8] = 64;
		ip[9] = (uint8_t)f->protocol;
		memcpy(ip + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
		put16(ip + 10, ~add(ip, 20, 0) & 0xffff);
		return;
	}
	ip[0] = 0x60;
	put16(ip + 4, l4_size + (f->extension ? 8 : 0));
	ip[6] = (uint8_t)(f->extension ? IPPROTO_DSTOPTS : f->protocol);
	ip[7] = 64;
	ip[8] = ip[24] = 0xfd;
	ip[23] = 1;
	ip[39] = 2;
	if (f->extension) {
		ip[40] = (uint8_t)f->protocol;
		ip[42] = 1; /* PadN */
		ip[43] = 4;
	}
}

size_t vifframe_make(const struct vifframe *f, uint8_t *frame, struct vifframe_where *ret)
{
	static const uint8_t none[6];
	size_t header = f->protocol == IPPROTO_TCP ? 20 : 8;
	struct vifframe_where w = { .l3 = f->vlan ? 18 : 14 };
	size_t len, field;
	uint8_t *l4;

	w.l4 = w.l3 + (f->family == 4 ? 20 : 40) + (f->extension ? 8 : 0);
	w.payload = w.l4 + header;
	len = w.payload + f->payload;
	memset(frame, 0, w.payload);
	memcpy(frame, memcmp(f->dest, none, 6) ? f->dest : (const uint8_t *)"\x00\x16\x3e\0\0\1",
	       6);
	memcpy(frame + 6, "\x00\x16\x3e\0\0\2", 6);
	if (f->vlan) {
		put16(frame + 12, 0x8100);
		put16(frame + 14, 7);
	}
	put16(frame + w.l3 - 2, f->family == 4 ? 0x0800 : 0x86dd);
	make_ip(f, frame + w.l3, header + f->payload);

	l4 = frame + w.l4;
	put16(l4, f->port ? f->port : 1000);
	put16(l4 + 2, 2000);
	if (f->protocol == IPPROTO_TCP) {
		l4[7] = 77;
		l4[12] = 5 << 4;
		l4[13] = f->flags;
	} else {
		put16(l4 + 4, header + f->payload);
	}
	for (size_t i = 0; i < f->payload; i++)
		frame[w.payload + i] = vifframe_byte(i);
	field = w.l4 + (f->protocol == IPPROTO_TCP ? 16 : 6);
	if (f->blank)
		put16(frame + field, 0xdead);
	else
		put16(frame + field, ~vifframe_sum(frame, len) & 0xffff);
	memset(frame + len, 0x5a, f->padding);
	if (ret)
		*ret = w;
	return len + f->padding;
}
