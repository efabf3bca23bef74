// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "file.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "nlsource.h"

/* A dump is repeated this often if links come and go meanwhile. */
#define DUMP_TRIES 5
/* The kernel fills a message of a dump up to this. */
#define DUMP_BUFFER 32768
/* Messages taken in one go; the rest of a flood waits for the next turn of the loop. */
#define EVENT_BURST 256
#define VIF_MAX     UINT32_MAX
#define GROUP(n)    (1u << ((n)-1))

static void mnl_closep(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}

int64_t netlink_device_vif(const char *root, const char *name)
{
	_cleanup_free_ char *node = NULL;
	static const char prefix[] = "device/vif/";
	uint32_t vif;

	if (strchr(name, '/') || name[0] == '.')
		return -1;
	if (file_read_line(&node, "%s/sys/class/net/%s/device/nodename", root, name) < 0)
		return -1;
	if (strncmp(node, prefix, strlen(prefix)) != 0 ||
	    parse_u32(node + strlen(prefix), 0, VIF_MAX, &vif) < 0)
		return -1;
	return vif;
}

static void read_mac(const struct nlattr *attribute, char mac[18])
{
	const uint8_t *bytes = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) != 6)
		return; /* tunnels have others, of no interest here */
	snprintf(mac, 18, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
		 bytes[4], bytes[5]);
}

static void read_counters(const struct nlattr *attribute, struct net_counters *counters)
{
	struct rtnl_link_stats64 stats = { 0 };
	size_t length = mnl_attr_get_payload_len(attribute);

	/* The attribute is aligned to 4 bytes only, and newer kernels append members. */
	memcpy(&stats, mnl_attr_get_payload(attribute),
	       length < sizeof(stats) ? length : sizeof(stats));
	*counters = (struct net_counters){
		.rx_bytes = stats.rx_bytes,
		.tx_bytes = stats.tx_bytes,
		.rx_packets = stats.rx_packets,
		.tx_packets = stats.tx_packets,
		.rx_errors = stats.rx_errors,
		.tx_errors = stats.tx_errors,
		.rx_dropped = stats.rx_dropped,
		.tx_dropped = stats.tx_dropped,
	};
}

/*
 * Of the kinds of link with something below them in the same sense: IFLA_LINK of a veth is
 * its peer, that of a tunnel the route taken by its packets.
 */
static bool stands_on_link(const struct nlattr *info)
{
	static const char *const kinds[] = { "vlan",   "macvlan", "macvtap",
					     "ipvlan", "ipvtap",  "macsec" };
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, info)
	{
		if (mnl_attr_get_type(attribute) != IFLA_INFO_KIND ||
		    mnl_attr_validate(attribute, MNL_TYPE_STRING) < 0)
			continue;
		for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
			size_t length = strlen(kinds[i]);

			if (mnl_attr_get_payload_len(attribute) >= length &&
			    strncmp(mnl_attr_get_str(attribute), kinds[i],
				    mnl_attr_get_payload_len(attribute)) == 0)
				return true;
		}
	}
	return false;
}

struct reading {
	const char *root;
	struct net_table *table;
};

static bool u32_attribute(const struct nlattr *attribute, uint32_t *ret)
{
	if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
		return false;
	*ret = mnl_attr_get_u32(attribute);
	return true;
}

static int on_link(const struct nlmsghdr *header, void *userdata)
{
	const struct reading *reading = userdata;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
	struct net_link link = { .vif = -1 };
	bool stacked = false, elsewhere = false;
	const struct nlattr *attribute;
	uint32_t value, lower = 0;
	int r;

	if (header->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(header) < sizeof(*info))
		return MNL_CB_OK;
	link.index = info->ifi_index;
	link.up = info->ifi_flags & IFF_UP;
	link.carrier = info->ifi_flags & IFF_LOWER_UP;
	mnl_attr_for_each(attribute, header, sizeof(*info))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_IFNAME:
			if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
				snprintf(link.name, sizeof(link.name), "%s",
					 mnl_attr_get_str(attribute));
			break;
		case IFLA_ADDRESS:
			if (info->ifi_type == ARPHRD_ETHER)
				read_mac(attribute, link.mac);
			break;
		case IFLA_MTU:
			u32_attribute(attribute, &link.mtu);
			break;
		case IFLA_MASTER:
			if (u32_attribute(attribute, &value))
				link.master = (int)value;
			break;
		case IFLA_LINK:
			u32_attribute(attribute, &lower);
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		case IFLA_LINKINFO:
			if (mnl_attr_validate(attribute, MNL_TYPE_NESTED) >= 0)
				stacked = stands_on_link(attribute);
			break;
		case IFLA_STATS64:
			read_counters(attribute, &link.counters);
			break;
		default:
			break;
		}
	}
	if (stacked && !elsewhere)
		link.lower = (int)lower;
	link.vif = netlink_device_vif(reading->root, link.name);
	r = net_table_add_link(reading->table, &link);
	if (r < 0 && r != -E2BIG) {
		errno = -r;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

static int on_address(const struct nlmsghdr *header, void *userdata)
{
	const struct reading *reading = userdata;
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute, *address = NULL, *local = NULL;
	struct net_address entry = { 0 };
	uint32_t flags;
	size_t length;
	int r;

	if (header->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(header) < sizeof(*info))
		return MNL_CB_OK;
	flags = info->ifa_flags;
	mnl_attr_for_each(attribute, header, sizeof(*info))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFA_ADDRESS:
			address = attribute;
			break;
		case IFA_LOCAL: /* where the link has a peer, this one is ours */
			local = attribute;
			break;
		case IFA_FLAGS:
			u32_attribute(attribute, &flags);
			break;
		default:
			break;
		}
	}
	if (local)
		address = local;
	length = info->ifa_family == AF_INET ? 4 : info->ifa_family == AF_INET6 ? 16 : 0;
	if (!address || !length || mnl_attr_get_payload_len(address) != length ||
	    info->ifa_scope >= RT_SCOPE_HOST || flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		return MNL_CB_OK;
	entry.index = (int)info->ifa_index;
	entry.family = info->ifa_family;
	entry.link_local = info->ifa_scope == RT_SCOPE_LINK;
	if (!inet_ntop(entry.family, mnl_attr_get_payload(address), entry.text, sizeof(entry.text)))
		return MNL_CB_OK;
	r = net_table_add_address(reading->table, &entry);
	if (r < 0 && r != -E2BIG) {
		errno = -r;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *socket, uint16_t type, mnl_cb_t fn, struct reading *reading)
{
	static unsigned int sequence;
	_cleanup_free_ char *buffer = malloc(DUMP_BUFFER);
	char request[MNL_NLMSG_HDRLEN + sizeof(struct ifinfomsg)];
	struct nlmsghdr *header = mnl_nlmsg_put_header(request);
	struct ifinfomsg *info;
	ssize_t n;
	int r;

	if (!buffer)
		return -ENOMEM;
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = ++sequence;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(socket, buffer, DUMP_BUFFER);
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buffer, (size_t)n, header->nlmsg_seq, mnl_socket_get_portid(socket),
			       fn, reading);
	} while (r > MNL_CB_STOP);
	return r < 0 ? -errno : 0;
}

static int read_once(struct reading *reading)
{
	_cleanup_(mnl_closep) struct mnl_socket *socket = NULL;
	int r;

	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	r = dump(socket, RTM_GETLINK, on_link, reading);
	if (r < 0)
		return r;
	return dump(socket, RTM_GETADDR, on_address, reading);
}

int netlink_read(const char *root, struct net_table *table)
{
	struct reading reading = { .root = root, .table = table };
	int r = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES; i++) {
		net_table_clear(table);
		r = read_once(&reading);
		if (r != -EINTR)
			break;
		r = -EAGAIN; /* libmnl's EINTR: the dump is inconsistent */
	}
	if (r < 0)
		net_table_clear(table);
	return r;
}

struct watch {
	void (*changed)(void *userdata);
	void *userdata;
};

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	const struct watch *watch = userdata;
	char buffer[64];

	(void)source;
	(void)revents;
	for (int i = 0; i < EVENT_BURST; i++) {
		/* Cut messages will do: that there was one is all we want to know. */
		if (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
			continue;
		if (errno != ENOBUFS)
			break;
	}
	watch->changed(watch->userdata);
	return 0;
}

int netlink_watch(sd_event *event, void (*changed)(void *userdata), void *userdata,
		  sd_event_source **ret)
{
	struct watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ changed, userdata };
	return nlsource_add(event, NETLINK_ROUTE,
			    GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_IPV4_IFADDR) |
				    GROUP(RTNLGRP_IPV6_IFADDR),
			    on_event, watch, ret);
}
