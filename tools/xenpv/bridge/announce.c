// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

/* RFC 903: the fields of ARP with another type and operation. */
#define RARP_REQUEST_REVERSE 3
#define ARP_ETHERNET         1

static void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void announce_frame(const struct mac *mac, uint8_t ret[ANNOUNCE_SIZE])
{
	uint8_t *p = ret;

	memset(ret, 0, ANNOUNCE_SIZE);
	memset(p, 0xff, MAC_LEN);
	memcpy(p + 6, mac->byte, MAC_LEN);
	put_u16(p + 12, ETH_P_RARP);
	put_u16(p + 14, ARP_ETHERNET);
	put_u16(p + 16, ETH_P_IP);
	p[18] = MAC_LEN;
	p[19] = 4;
	put_u16(p + 20, RARP_REQUEST_REVERSE);
	memcpy(p + 22, mac->byte, MAC_LEN);
	memcpy(p + 32, mac->byte, MAC_LEN);
}

void macs_add(struct macs *macs, const struct mac *mac)
{
	if (mac_is_zero(mac) || mac_is_multicast(mac) || mac_equal(mac, &mac_of_ports) ||
	    macs->n == ANNOUNCE_MAX)
		return;
	for (size_t i = 0; i < macs->n; i++)
		if (mac_equal(&macs->item[i], mac))
			return;
	macs->item[macs->n++] = *mac;
}

struct learn {
	int bridge, uplink;
	struct macs *macs;
};

static int learn_one(const struct nlmsghdr *nlh, void *userdata)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct learn *learn = userdata;
	const struct nlattr *attr;
	struct mac mac = { 0 };
	int master = 0;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm) ||
	    ndm->ndm_family != AF_BRIDGE || ndm->ndm_ifindex == learn->uplink)
		return 0;
	/* NUD_PERMANENT: a port's own */
	if (ndm->ndm_state & NUD_PERMANENT)
		return 0;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) == NDA_LLADDR &&
		    mnl_attr_get_payload_len(attr) == MAC_LEN)
			memcpy(mac.byte, mnl_attr_get_payload(attr), MAC_LEN);
		else if (mnl_attr_get_type(attr) == NDA_MASTER &&
			 mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
			master = (int)mnl_attr_get_u32(attr);
	}
	if (master == learn->bridge)
		macs_add(learn->macs, &mac);
	return 0;
}

int announce_learn(struct rtnl *rt, int bridge, int uplink, struct macs *macs)
{
	struct learn learn = { bridge, uplink, macs };
	int r = -EINTR;

	/* A table that changes all the time is read as far as it goes: macs_add() drops doubles. */
	for (int i = 0; i < RTNL_DUMP_TRIES && r == -EINTR; i++) {
		struct rtnl_msg msg;
		struct ndmsg *ndm = rtnl_msg_init(&msg, RTM_GETNEIGH, 0, sizeof(*ndm));

		ndm->ndm_family = AF_BRIDGE;
		r = rtnl_dump(rt, &msg, learn_one, &learn);
	}
	return r == -EINTR ? 0 : r;
}

int announce_place(struct rtnl *rt, int port, const struct mac *mac)
{
	struct rtnl_msg msg;
	struct ndmsg *ndm =
		rtnl_msg_init(&msg, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*ndm));

	ndm->ndm_family = AF_BRIDGE;
	ndm->ndm_ifindex = port;
	ndm->ndm_state = NUD_REACHABLE;
	ndm->ndm_flags = NTF_MASTER;
	mnl_attr_put(&msg.header, NDA_LLADDR, MAC_LEN, mac->byte);
	return rtnl_change(rt, &msg);
}

int announce_send(int interface, const struct macs *macs, size_t *ret_sent)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_RARP),
		.sll_ifindex = interface,
		.sll_halen = MAC_LEN,
	};
	int error = 0;

	*ret_sent = 0;
	if (fd < 0)
		return -errno;
	memset(to.sll_addr, 0xff, MAC_LEN);
	for (size_t i = 0; i < macs->n; i++) {
		uint8_t frame[ANNOUNCE_SIZE];

		announce_frame(&macs->item[i], frame);
		if (sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			error = error ?: -errno;
		else
			*ret_sent += 1;
	}
	return error;
}
