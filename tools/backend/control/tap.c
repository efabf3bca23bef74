// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/mac.h"
#include "lib/parse.h"

#define TUN_DEVICE   "/dev/net/tun"
#define TAP_FLAGS    (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE)
#define ALIAS_PREFIX "xenpv-backendd vif "

/* A rename between two system calls is looked at again so many times. */
#define RENAME_TRIES 5

bool tap_alias_parse(const char *alias, uint32_t *ret_domid, uint32_t *ret_devid)
{
	uint32_t domid, devid;
	char numbers[32], *dot;

	if (strncmp(alias, ALIAS_PREFIX, strlen(ALIAS_PREFIX)) ||
	    (size_t)snprintf(numbers, sizeof(numbers), "%s", alias + strlen(ALIAS_PREFIX)) >=
		    sizeof(numbers))
		return false;
	dot = strchr(numbers, '.');
	if (!dot)
		return false;
	*dot = '\0';
	if (parse_u32(numbers, 0, UINT32_MAX, &domid) < 0 ||
	    parse_u32(dot + 1, 0, UINT32_MAX, &devid) < 0)
		return false;
	*ret_domid = domid;
	*ret_devid = devid;
	return true;
}

static void take_attr(const struct nlattr *attr, struct tap_link *link)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_IFALIAS:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(link->alias, sizeof(link->alias), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			link->master = (int)mnl_attr_get_u32(attr);
		break;
	default:
		break;
	}
}

int tap_link_parse(const struct nlmsghdr *nlh, struct tap_link *ret)
{
	struct tap_link link = { 0 };
	const struct ifinfomsg *ifi;
	const struct nlattr *attr;

	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return -EBADMSG;
	ifi = mnl_nlmsg_get_payload(nlh);
	link.index = ifi->ifi_index;
	link.flags = ifi->ifi_flags;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		take_attr(attr, &link);
	}
	*ret = link;
	return 0;
}

static int on_link(const struct nlmsghdr *nlh, void *userdata)
{
	return tap_link_parse(nlh, userdata);
}

int tap_get(struct rtnl *rt, int index, const char *name, struct tap_link *ret)
{
	struct tap_link link = { 0 };
	struct ifinfomsg *ifi;
	struct rtnl_msg msg;
	int r;

	ifi = rtnl_msg_init(&msg, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	if (index == 0)
		mnl_attr_put_strz(&msg.header, IFLA_IFNAME, name);
	r = rtnl_get(rt, &msg, on_link, &link);
	if (r < 0)
		return r;
	if (link.index == 0)
		return -ENODEV;
	*ret = link;
	return 0;
}

static int open_tun(char *text, size_t size)
{
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), err = errno;

	if (fd >= 0)
		return fd;
	if (err == ENOENT || err == ENODEV || err == ENXIO)
		snprintf(text, size, "cannot open " TUN_DEVICE ": %s: modprobe tun", strerror(err));
	else
		snprintf(text, size, "cannot open " TUN_DEVICE ": %s", strerror(err));
	return -err;
}

int tap_probe(char *text, size_t size)
{
	int fd = open_tun(text, size);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int set_if(int fd, const char *name, int flags)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = (short)flags;
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

/* The tap that a descriptor belongs to, whatever its name is by now. */
static int get_own(struct rtnl *rt, int fd, struct tap_link *ret)
{
	struct ifreq ifr;
	int r = -ENODEV;

	for (unsigned int i = 0; i < RENAME_TRIES && r == -ENODEV; i++) {
		memset(&ifr, 0, sizeof(ifr));
		if (ioctl(fd, TUNGETIFF, &ifr) < 0)
			return -errno;
		ifr.ifr_name[IFNAMSIZ - 1] = '\0';
		r = tap_get(rt, 0, ifr.ifr_name, ret);
	}
	return r;
}

static struct ifinfomsg *change_msg(struct rtnl_msg *msg, uint16_t type, int index)
{
	struct ifinfomsg *ifi = rtnl_msg_init(msg, type, 0, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	return ifi;
}

/* Mark it as ours, with the address that no peer of a bridge learns, and without a link. */
static int dress(struct rtnl *rt, int index, uint32_t domid, uint32_t devid)
{
	char alias[TAP_ALIAS_SIZE];
	struct rtnl_msg msg;

	snprintf(alias, sizeof(alias), ALIAS_PREFIX "%u.%u", domid, devid);
	change_msg(&msg, RTM_NEWLINK, index);
	mnl_attr_put(&msg.header, IFLA_IFALIAS, strlen(alias), alias);
	mnl_attr_put(&msg.header, IFLA_ADDRESS, MAC_LEN, mac_of_ports.byte);
	mnl_attr_put_u8(&msg.header, IFLA_CARRIER, 0);
	return rtnl_change(rt, &msg);
}

int tap_make(struct rtnl *rt, const char *name, uint32_t domid, uint32_t devid,
	     struct tap_link *ret, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	struct tap_link link;
	int r;

	fd = open_tun(text, size);
	if (fd < 0) {
		r = fd;
		fd = -1;
		return r;
	}
	r = set_if(fd, name, TAP_FLAGS | IFF_TUN_EXCL);
	if (r == -EBUSY || r == -EEXIST) {
		snprintf(text, size,
			 "there is an interface %s already, and it is not ours: ip link delete %s",
			 name, name);
		return r;
	}
	/* Only the last step makes it outlive the descriptor. */
	if (r < 0 || (r = get_own(rt, fd, &link)) < 0 ||
	    (r = dress(rt, link.index, domid, devid)) < 0 ||
	    (r = tap_get(rt, link.index, NULL, &link)) < 0 ||
	    (r = ioctl(fd, TUNSETPERSIST, 1) < 0 ? -errno : 0) < 0) {
		errno = -r;
		snprintf(text, size, "cannot make the tap %s: %m%s", name,
			 r == -EPERM ? " (CAP_NET_ADMIN)" : "");
		return r;
	}
	*ret = link;
	return 0;
}

int tap_open_queue(struct rtnl *rt, int index, char *text, size_t size)
{
	struct tap_link link = { 0 }, own;
	int r = -ENODEV;

	for (unsigned int i = 0; i < RENAME_TRIES; i++) {
		_cleanup_close_ int fd = -1;

		r = tap_get(rt, index, NULL, &link);
		if (r < 0)
			break;
		r = open_tun(text, size);
		if (r < 0)
			return r;
		fd = r;
		r = set_if(fd, link.name, TAP_FLAGS);
		if (r < 0)
			break;
		r = get_own(rt, fd, &own);
		if (r < 0)
			break;
		if (own.index == index)
			return TAKE_FD(fd);
		/* It was renamed meanwhile, and this is a new one that ends with the descriptor. */
		r = -ENODEV;
	}
	errno = -r;
	snprintf(text, size, "cannot attach a queue to the tap %s: %m", link.name);
	return r;
}

int tap_plug(struct rtnl *rt, int index, int bridge, uint32_t mtu)
{
	struct ifinfomsg *ifi;
	struct rtnl_msg msg;

	ifi = change_msg(&msg, RTM_NEWLINK, index);
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	mnl_attr_put_u32(&msg.header, IFLA_MTU, mtu);
	mnl_attr_put_u32(&msg.header, IFLA_MASTER, (uint32_t)bridge);
	return rtnl_change(rt, &msg);
}

int tap_set_carrier(struct rtnl *rt, int index, bool on)
{
	struct rtnl_msg msg;

	change_msg(&msg, RTM_NEWLINK, index);
	mnl_attr_put_u8(&msg.header, IFLA_CARRIER, on);
	return rtnl_change(rt, &msg);
}

int tap_remove(struct rtnl *rt, int index)
{
	struct rtnl_msg msg;

	change_msg(&msg, RTM_DELLINK, index);
	return rtnl_change(rt, &msg);
}
