// SPDX-License-Identifier: GPL-2.0-only
#include "under_test.h"
/* Extra infos are in this module, too: vif_extra_test.c. */
#include "xen-vnif/rx-parse.c"

#define MORE	XEN_NETRXF_more_data
#define EXTRA	XEN_NETRXF_extra_info
#define FIRST	250	/* the ids wrap within the packets below */
#define MAX_RSPS 26

struct script {
	struct xen_netif_rx_response rsp[MAX_RSPS];
	u32 nr;
};

static void data(struct script *s, u16 flags, u16 offset, s16 status)
{
	struct xen_netif_rx_response *rsp = &s->rsp[s->nr];

	rsp->id = (u8)(FIRST + s->nr);
	rsp->offset = offset;
	rsp->flags = flags;
	rsp->status = status;
	s->nr++;
}

static void extra(struct script *s, struct xen_netif_extra_info info)
{
	memcpy(&s->rsp[s->nr++], &info, sizeof(info));
}

static struct xen_netif_extra_info gso_extra(u8 flags)
{
	struct xen_netif_extra_info info = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = flags };

	info.u.gso.size = 1448;
	info.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	return info;
}

static struct xen_netif_extra_info room_extra(u8 flags, u16 headroom)
{
	struct xen_netif_extra_info info = { .type = XEN_NETIF_EXTRA_TYPE_XDP, .flags = flags };

	info.u.xdp.headroom = headroom;
	return info;
}

/* Feed until the parser has enough; it must not want more than there is. */
static enum xvif_rx_fed run(struct kunit *test, const struct script *s, struct xvif_rx_packet *p)
{
	enum xvif_rx_fed fed = XVIF_RX_MORE;
	const char *what = NULL;
	u32 i;

	xvif_rx_begin(p);
	for (i = 0; i < s->nr && fed == XVIF_RX_MORE; i++)
		fed = xvif_rx_feed(p, &s->rsp[i], (u8)(FIRST + i), &what);
	if (fed == XVIF_RX_BAD)
		KUNIT_EXPECT_NOT_NULL(test, what);
	else
		KUNIT_EXPECT_EQ(test, (u32)p->slots, i);
	return fed;
}

/* What the driver relies on when a packet is complete. */
static void check_sane(struct kunit *test, const struct xvif_rx_packet *p)
{
	u32 i, len = 0;

	KUNIT_EXPECT_LE(test, (u32)p->frags, (u32)XVIF_MAX_SLOTS);
	KUNIT_EXPECT_LE(test, (u32)p->slots, (u32)XVIF_RX_MAX_SLOTS);
	for (i = 0; i < p->frags; i++) {
		KUNIT_EXPECT_GT(test, (u32)p->frag[i].len, 0u);
		KUNIT_EXPECT_LE(test, (u32)p->frag[i].offset + p->frag[i].len, XVIF_FRAME);
		KUNIT_EXPECT_LT(test, (u32)p->frag[i].at, (u32)p->slots);
		if (i)
			KUNIT_EXPECT_GT(test, (u32)p->frag[i].at, (u32)p->frag[i - 1].at);
		len += p->frag[i].len;
	}
	KUNIT_EXPECT_EQ(test, p->len, len);
}

static void one_slot(struct kunit *test)
{
	struct xvif_rx_packet p;
	struct script s = {};

	data(&s, XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated, 2, 60);
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_DONE);
	KUNIT_EXPECT_EQ(test, p.len, 60u);
	KUNIT_EXPECT_EQ(test, (u32)p.frags, 1u);
	KUNIT_EXPECT_EQ(test, (u32)p.frag[0].offset, 2u);
	KUNIT_EXPECT_FALSE(test, p.failed);
	KUNIT_EXPECT_EQ(test, (u32)p.extras.seen, 0u);
	KUNIT_EXPECT_EQ(test, (u32)p.flags,
			(u32)(XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated));
}

static void segmented(struct kunit *test)
{
	struct xvif_rx_packet p;
	struct script s = {};

	data(&s, EXTRA | MORE, 0, 4096);
	extra(&s, gso_extra(0));
	data(&s, MORE, 0, 4096);
	data(&s, 0, 0, 100);
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_DONE);
	check_sane(test, &p);
	KUNIT_EXPECT_EQ(test, p.len, 8292u);
	KUNIT_EXPECT_EQ(test, (u32)p.slots, 4u);
	KUNIT_EXPECT_EQ(test, (u32)p.frag[1].at, 2u);
	KUNIT_EXPECT_EQ(test, (u32)p.extras.gso_size, 1448u);
}

/* An extra info after the only data slot ends the packet. */
static void extra_last(struct kunit *test)
{
	struct xvif_rx_packet p;
	struct script s = {};

	data(&s, EXTRA, 0, 900);
	extra(&s, gso_extra(XEN_NETIF_EXTRA_FLAG_MORE));
	extra(&s, room_extra(0, 0));
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_DONE);
	check_sane(test, &p);
	KUNIT_EXPECT_EQ(test, (u32)p.slots, 3u);
	KUNIT_EXPECT_EQ(test, p.len, 900u);
}

static void unfinished(struct kunit *test)
{
	struct xvif_rx_packet p;
	struct script s = {};

	data(&s, EXTRA | MORE, 0, 4096);
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_MORE);
	extra(&s, gso_extra(0));
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_MORE);
	data(&s, MORE, 0, 1);
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_MORE);
}

/* A backend that could not copy: the packet is lost, the ring is not. */
static void undelivered(struct kunit *test)
{
	static const s16 statuses[] = { -1, -2, -32768 };
	struct xvif_rx_packet p;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct script s = {};

		data(&s, MORE, 0, 1000);
		data(&s, MORE, 0, statuses[i]);
		data(&s, 0, 0, 1000);
		KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_DONE);
		KUNIT_EXPECT_TRUE(test, p.failed);
		KUNIT_EXPECT_EQ(test, (u32)p.slots, 3u);
	}
}

struct failing_case {
	const char *name;
	u32 good;	/* slots before those that fail */
	u32 failing;
	u32 taken;	/* slots until it is refused; 0: it is not */
};

static const struct failing_case failings[] = {
	{ "18 of 18", 0, 18, 0 },
	{ "19", 0, 19, 19 },
	{ "1 after 18 good ones", 18, 1, 19 },
	{ "as many as the ring has", 0, 256, 19 },
};

static void failing_name(const struct failing_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(failing, failings, failing_name);

/* Slots without data are slots: a packet of nothing else has an end, too. */
static void undelivered_chain(struct kunit *test)
{
	const struct failing_case *c = test->param_value;
	u32 i, n = c->good + c->failing;
	enum xvif_rx_fed fed = XVIF_RX_MORE;
	struct xvif_rx_packet p;
	const char *what = NULL;

	xvif_rx_begin(&p);
	for (i = 0; i < n && fed == XVIF_RX_MORE; i++) {
		struct xen_netif_rx_response rsp = {
			.id = (u8)i,
			.flags = i + 1 < n ? MORE : 0,
			.status = i < c->good ? 100 : XEN_NETIF_RSP_ERROR,
		};

		fed = xvif_rx_feed(&p, &rsp, (u8)i, &what);
	}
	if (c->taken) {
		KUNIT_EXPECT_EQ(test, (int)fed, (int)XVIF_RX_BAD);
		KUNIT_EXPECT_EQ(test, i, c->taken);
		return;
	}
	KUNIT_EXPECT_EQ(test, (int)fed, (int)XVIF_RX_DONE);
	KUNIT_EXPECT_TRUE(test, p.failed);
	KUNIT_EXPECT_EQ(test, (u32)p.slots, n);
}

/* How xen-netback counts headroom into each slot's length, and the clear way. */
static void headroom(struct kunit *test)
{
	struct xvif_rx_packet p;
	struct script s = {}, clear = {}, less = {}, mixed = {};

	data(&s, EXTRA | MORE, 0, 4096);
	extra(&s, room_extra(0, 256));
	data(&s, 0, 0, 256 + 10);
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_DONE);
	check_sane(test, &p);
	KUNIT_EXPECT_EQ(test, p.len, 3850u);
	KUNIT_EXPECT_EQ(test, (u32)p.frag[0].offset, 256u);
	KUNIT_EXPECT_EQ(test, (u32)p.frag[1].offset, 256u);
	KUNIT_EXPECT_EQ(test, (u32)p.frag[1].len, 10u);

	data(&clear, EXTRA | MORE, 256, 3840);
	extra(&clear, room_extra(0, 256));
	data(&clear, 0, 0, 10);
	KUNIT_EXPECT_EQ(test, (int)run(test, &clear, &p), (int)XVIF_RX_DONE);
	check_sane(test, &p);
	KUNIT_EXPECT_EQ(test, p.len, 3850u);
	KUNIT_EXPECT_EQ(test, (u32)p.frag[1].offset, 0u);

	data(&less, EXTRA, 0, 255);
	extra(&less, room_extra(0, 256));
	KUNIT_EXPECT_EQ(test, (int)run(test, &less, &p), (int)XVIF_RX_BAD);

	data(&mixed, EXTRA | MORE, 0, 600);
	extra(&mixed, room_extra(0, 256));
	data(&mixed, 0, 4000, 96);
	KUNIT_EXPECT_EQ(test, (int)run(test, &mixed, &p), (int)XVIF_RX_BAD);
}

static void geometry(struct kunit *test, u32 n, u16 odd, u16 even, bool gso)
{
	struct xvif_rx_packet p;
	struct script s = {};
	u32 i, len = 0, full = 0;

	for (i = 0; i < n; i++) {
		u16 size = i % 2 ? odd : even;

		data(&s, (i + 1 < n ? MORE : 0) | (!i && gso ? EXTRA : 0), 0, size);
		if (!i && gso)
			extra(&s, gso_extra(0));
		len += size;
		full += !!size;
	}
	if (n > 18) {
		KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_BAD);
		return;
	}
	KUNIT_ASSERT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_DONE);
	check_sane(test, &p);
	KUNIT_EXPECT_EQ(test, p.len, len);
	KUNIT_EXPECT_EQ(test, (u32)p.frags, full);
	KUNIT_EXPECT_EQ(test, (u32)p.slots, n + gso);
}

/*
 * 1 to 18 slots and one more, of zero, tiny and full sizes in any order
 * (XSA-423, 432, 448, 522): taken apart without a byte lost or invented.
 */
static void geometries(struct kunit *test)
{
	static const u16 sizes[] = { 0, 1, 2, 13, 14, 15, 63, 64, 128, 129, 4095, 4096 };
	u32 n, a, b;

	for (n = 1; n <= 19; n++)
		for (a = 0; a < ARRAY_SIZE(sizes); a++)
			for (b = 0; b < ARRAY_SIZE(sizes); b++) {
				geometry(test, n, sizes[a], sizes[b], false);
				geometry(test, n, sizes[a], sizes[b], true);
			}
}

struct bad_case {
	const char *name;
	u16 flags;
	u16 offset;
	s16 status;
	s16 id;	/* difference from the right one */
	bool second;
};

static const struct bad_case bads[] = {
	{ "id too high", 0, 0, 60, 1, false },
	{ "id of all ones", 0, 0, 60, 0x7f, false },
	{ "id of another slot, later", 0, 0, 60, -1, true },
	{ "one byte beyond the page", 0, 1, 4096, 0, false },
	{ "longer than a page", 0, 0, 4097, 0, false },
	{ "longest possible", 0, 0, 32767, 0, false },
	{ "offset beyond the page", 0, 4097, 0, 0, false },
	{ "offset of all ones", 0, 65535, 1, 0, false },
	{ "offset and length that wrap", 0, 65535, 2, 0, true },
	{ "GSO prefix", XEN_NETRXF_gso_prefix, 0, 60, 0, false },
	{ "extra info after a later slot", EXTRA, 0, 60, 0, true },
};

static void bad_name(const struct bad_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(bad, bads, bad_name);

static void refused(struct kunit *test)
{
	const struct bad_case *c = test->param_value;
	struct xvif_rx_packet p;
	struct script s = {};

	if (c->second)
		data(&s, MORE, 0, 100);
	data(&s, c->flags, c->offset, c->status);
	s.rsp[s.nr - 1].id += c->id;
	KUNIT_EXPECT_EQ(test, (int)run(test, &s, &p), (int)XVIF_RX_BAD);
}

static void bad_extras(struct kunit *test)
{
	struct xen_netif_extra_info info = { .type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD };
	struct xvif_rx_packet p;
	struct script twice = {}, mcast = {};

	data(&twice, EXTRA, 0, 100);
	extra(&twice, gso_extra(XEN_NETIF_EXTRA_FLAG_MORE));
	extra(&twice, gso_extra(0));
	KUNIT_EXPECT_EQ(test, (int)run(test, &twice, &p), (int)XVIF_RX_BAD);

	data(&mcast, EXTRA, 0, 100);
	extra(&mcast, info);
	KUNIT_EXPECT_EQ(test, (int)run(test, &mcast, &p), (int)XVIF_RX_BAD);
}

/* Any bytes at all: an end is reached, and what is accepted is sane. */
static void noise(struct kunit *test)
{
	u64 seed = 0x9e3779b97f4a7c15ull;
	u32 round;

	for (round = 0; round < 20000; round++) {
		enum xvif_rx_fed fed = XVIF_RX_MORE;
		struct xvif_rx_packet p;
		const char *what = NULL;
		u32 i;

		xvif_rx_begin(&p);
		for (i = 0; i < 64 && fed == XVIF_RX_MORE; i++) {
			struct xen_netif_rx_response rsp;

			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			memcpy(&rsp, &seed, sizeof(rsp));
			/* Mostly plausible, or nothing gets beyond the first check. */
			if (seed & BIT_ULL(40))
				rsp.id = i;
			if (seed & BIT_ULL(41)) {
				rsp.offset &= 0x7ff;
				rsp.status &= 0x7ff;
			}
			rsp.flags &= 0xf;
			fed = xvif_rx_feed(&p, &rsp, i, &what);
		}
		KUNIT_ASSERT_NE(test, (int)fed, (int)XVIF_RX_MORE);
		if (fed == XVIF_RX_DONE)
			check_sane(test, &p);
	}
}

static struct kunit_case rx_cases[] = {
	KUNIT_CASE(one_slot),
	KUNIT_CASE(segmented),
	KUNIT_CASE(extra_last),
	KUNIT_CASE(unfinished),
	KUNIT_CASE(undelivered),
	KUNIT_CASE_PARAM(undelivered_chain, failing_gen_params),
	KUNIT_CASE(headroom),
	KUNIT_CASE(geometries),
	KUNIT_CASE_PARAM(refused, bad_gen_params),
	KUNIT_CASE(bad_extras),
	KUNIT_CASE(noise),
	{}
};

static struct kunit_suite rx_suite = {
	.name = "xen-vnif-rx-parse",
	.test_cases = rx_cases,
};

kunit_test_suite(rx_suite);
