// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vif-fast - a hotplug script for network interfaces, with the contract of "vif-bridge"
 *
 * libxl runs it as "vif-fast online|offline type_if=vif" with XENBUS_PATH and the name of
 * the interface in $vif. It gives the interface the name, MTU and bridge that the nodes
 * ask for, brings it up and reports hotplug-status. The stock script forks some eighty
 * times, which takes many seconds under emulation; it is tested by itself.
 */
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node.h"

static int set_name(int fd, char name[IFNAMSIZ], const char *wanted)
{
	struct ifreq ifr = { 0 };

	if (!wanted || !*wanted || strcmp(name, wanted) == 0)
		return 0;
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	snprintf(ifr.ifr_newname, IFNAMSIZ, "%s", wanted);
	if (ioctl(fd, SIOCSIFNAME, &ifr) < 0)
		return -errno;
	snprintf(name, IFNAMSIZ, "%s", wanted);
	return 0;
}

static int set_mtu(int fd, const char *name, const char *mtu)
{
	struct ifreq ifr = { 0 };

	if (!mtu)
		return 0;
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	ifr.ifr_mtu = atoi(mtu);
	return ioctl(fd, SIOCSIFMTU, &ifr) < 0 ? -errno : 0;
}

static int join_bridge(int fd, const char *name, const char *bridge)
{
	struct ifreq ifr = { 0 };

	if (!bridge || !*bridge)
		return 0;
	ifr.ifr_ifindex = (int)if_nametoindex(name);
	if (ifr.ifr_ifindex == 0)
		return -errno;
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", bridge);
	return ioctl(fd, SIOCBRADDIF, &ifr) < 0 && errno != EBUSY ? -errno : 0;
}

static int bring_up(int fd, const char *name)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

static int online(struct device *d, int fd, const char *vif)
{
	char *bridge = node_read(d, "bridge"), *mtu = node_read(d, "mtu");
	char name[IFNAMSIZ], what[64];
	int r;

	snprintf(name, sizeof(name), "%s", vif);
	r = set_name(fd, name, node_read(d, "vifname"));
	if (r >= 0)
		r = set_mtu(fd, name, mtu);
	if (r >= 0)
		r = join_bridge(fd, name, bridge);
	if (r >= 0)
		r = bring_up(fd, name);
	if (r < 0) {
		snprintf(what, sizeof(what), "%s on bridge %s", name, bridge ? bridge : "(none)");
		return node_fail(d, what, -r);
	}
	return node_write(d, "hotplug-status", "connected") < 0;
}

int main(int argc, char **argv)
{
	const char *vif = getenv("vif");
	struct device device;
	int fd;

	if (argc < 2 || !vif || device_open(&device) < 0) {
		fprintf(stderr, "usage: XENBUS_PATH=... vif=... vif-fast online|offline\n");
		return 2;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return node_fail(&device, "socket", errno);
	if (strcmp(argv[1], "online") == 0)
		return online(&device, fd, vif);
	/* A backend takes its interface away itself, and with it its place in the bridge. */
	return 0;
}
