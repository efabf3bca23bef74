// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/site.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/shape.h"

/* Between two looks at the lock, in milliseconds. flock(2) has no limit of its own. */
#define LOCK_INTERVAL 50

static void lock_path(const struct site *site, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/bridge.lock", site->runtime);
}

int site_open_lock(struct site *site, struct problem *p)
{
	char path[PATH_MAX];

	lock_path(site, path);
	if (mkdir(site->runtime, 0755) < 0 && errno != EEXIST)
		return problem_set(p, EXIT_FAILED, -errno,
				   "cannot make %s: %m; run as root, or use --runtime-dir",
				   site->runtime);
	site->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (site->lock < 0)
		return problem_set(p, EXIT_FAILED, -errno,
				   "cannot open %s: %m; run as root, or use --runtime-dir", path);
	return 0;
}

int site_try_lock(struct site *site)
{
	return flock(site->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

void site_unlock(struct site *site)
{
	(void)flock(site->lock, LOCK_UN);
}

static int lock(struct site *site, struct problem *p)
{
	char path[PATH_MAX];
	int r = site_open_lock(site, p);

	if (r < 0)
		return r;
	lock_path(site, path);
	for (int waited = 0; (r = site_try_lock(site)) < 0; waited += LOCK_INTERVAL) {
		if (r != -EWOULDBLOCK)
			return problem_set(p, EXIT_FAILED, r, "cannot lock %s: %m", path);
		if (waited >= SITE_LOCK_S * 1000)
			return problem_set(
				p, EXIT_FAILED, -EBUSY,
				"%s: another command has been changing bridges for %d s; "
				"try again when it has ended",
				path, SITE_LOCK_S);
		poll(NULL, 0, LOCK_INTERVAL);
	}
	return 0;
}

int site_open(struct site *site, bool change, struct problem *p)
{
	int r;

	site->runtime = site->runtime ?: SETTINGS_RUNTIME;
	site->network = site->network ?: SETTINGS_NETWORK;
	r = settings_load(site->config, &site->settings, p);
	if (r < 0)
		return r;
	if (change) {
		r = lock(site, p);
		if (r < 0)
			return r;
	}
	r = rtnl_open(&site->rt);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "cannot open a netlink socket: %m");
	r = links_load(site->rt, &site->links);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "cannot list network interfaces: %m");
	return 0;
}

void site_close(struct site *site)
{
	links_clear(&site->links);
	rtnl_close(site->rt);
	site->rt = NULL;
	settings_clear(&site->settings);
	close_fd(&site->lock);
}

int site_end(struct site *site, int r, const struct problem *p)
{
	site_close(site);
	if (r >= 0)
		return r;
	problem_print(p);
	return p->status;
}

static const uint8_t *bytes_of(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET
		       ? (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr
		       : (const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
}

/* Any but IPv6 link-local ones, which the kernel gives to all interfaces. */
static bool take_address(const struct ifaddrs *ifa, struct ip *ret)
{
	static const uint8_t link_local[] = { 0xfe, 0x80 };
	struct ip ip = { 0 };

	if (!ifa->ifa_addr || !ifa->ifa_netmask ||
	    (ifa->ifa_addr->sa_family != AF_INET && ifa->ifa_addr->sa_family != AF_INET6))
		return false;
	ip.family = (uint8_t)ifa->ifa_addr->sa_family;
	memcpy(ip.byte, bytes_of(ifa->ifa_addr), ip_size(&ip));
	for (size_t i = 0; i < ip_size(&ip); i++)
		ip.prefix =
			(uint8_t)(ip.prefix + __builtin_popcount(bytes_of(ifa->ifa_netmask)[i]));
	*ret = ip;
	return ip.family == AF_INET || memcmp(ip.byte, link_local, sizeof(link_local)) != 0;
}

bool site_record(const struct site *site, const struct link *bridge, struct record *ret)
{
	struct ifaddrs *list = NULL;
	uint32_t number;

	if (record_of(&site->links, bridge, ret))
		return true;
	if (shape_parse(bridge->name, &number) != SHAPE_INTBR || getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next) {
		struct ip ip;

		if (!strcmp(ifa->ifa_name, ret->dom0) && ret->n_ip < RECORD_IPS &&
		    take_address(ifa, &ip))
			ip_format(&ip, ret->ip[ret->n_ip++]);
	}
	freeifaddrs(list);
	return false;
}

int site_bridge(const struct site *site, const char *name, const struct link **ret,
		struct record *ret_record, struct problem *p)
{
	const struct link *link = link_by_name(&site->links, name);
	uint32_t number;

	if (shape_parse(name, &number) == SHAPE_NONE)
		return problem_set(
			p, EXIT_USAGE, -EINVAL,
			"%s: is no name of a bridge; these are xenbrN, gextbrN, intbrN and "
			"gintbrN with N from 0 to %d",
			name, BRIDGES_MAX - 1);
	if (!link)
		return problem_set(p, EXIT_ABSENT, -ENODEV,
				   "%s: there is no such bridge; see \"xenpv bridge show\"", name);
	if (!link_is_bridge(link))
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: is an interface, but no bridge; rename it", name);
	site_record(site, link, ret_record);
	*ret = link;
	return 0;
}

void site_addresses_path(const struct site *site, const char *bridge, char *ret, size_t size)
{
	snprintf(ret, size, "%s/bridges/%s.addresses", site->runtime, bridge);
}
