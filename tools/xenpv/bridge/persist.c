// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/persist.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/barrier.h"
#include "xenpv/bridge/files.h"
#include "xenpv/bridge/ip.h"

#define PREFIX "05-xenpv-"
#define HEADER                                                                                     \
	"# Written by \"xenpv bridge create %s --persist\", removed by \"xenpv bridge delete\".\n"

DEFINE_CLEANUP(DIR *, closedir);

struct writer {
	const struct site *site;
	const struct blueprint *b;
	struct plan *plan;
};

/* Plan the file 05-xenpv-<bridge><suffix> */
__attribute__((format(printf, 3, 4))) static void put(const struct writer *w, const char *suffix,
						      const char *fmt, ...)
{
	char path[PATH_MAX], text[4096];
	va_list ap;
	int n;

	snprintf(path, sizeof(path), "%s/" PREFIX "%s%s", w->site->network, w->b->name, suffix);
	n = snprintf(text, sizeof(text), HEADER, w->b->name);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	plan_file(w->plan, path, text);
}

/* A [Network] section that wants no address of any kind. */
#define NO_ADDRESSES                                                                               \
	"LinkLocalAddressing=no\n"                                                                 \
	"IPv6AcceptRA=no\n"                                                                        \
	"LLDP=no\n"                                                                                \
	"EmitLLDP=no\n"

static void put_bridge(const struct writer *w)
{
	char alias[LINK_ALIAS_MAX];

	if (record_encode(&w->b->record, alias) < 0)
		return; /* was checked when the bridge was planned */
	put(w, ".netdev",
	    "[NetDev]\n"
	    "Name=%s\n"
	    "Kind=bridge\n"
	    "MACAddress=fe:ff:ff:ff:ff:ff\n"
	    "\n"
	    "[Bridge]\n"
	    "STP=no\n"
	    "ForwardDelaySec=0\n"
	    "MulticastSnooping=no\n",
	    w->b->name);
	put(w, ".link",
	    "[Match]\n"
	    "OriginalName=%s\n"
	    "\n"
	    "[Link]\n"
	    "Alias=%s\n"
	    "MACAddressPolicy=none\n",
	    w->b->name, alias);
	put(w, ".network",
	    "[Match]\n"
	    "Name=%s\n"
	    "\n"
	    "[Link]\n"
	    "ARP=no\n"
	    "Multicast=no\n"
	    "RequiredForOnline=no\n"
	    "\n"
	    "[Network]\n" NO_ADDRESSES "ConfigureWithoutCarrier=yes\n",
	    w->b->name);
}

static void put_port(const struct writer *w, const char *suffix, const char *names)
{
	put(w, suffix,
	    "[Match]\n"
	    "Name=%s\n"
	    "\n"
	    "[Link]\n"
	    "ARP=no\n"
	    "Multicast=no\n"
	    "RequiredForOnline=no\n"
	    "\n"
	    "[Network]\n"
	    "Bridge=%s\n" NO_ADDRESSES,
	    names, w->b->name);
}

static void put_veth(const struct writer *w, const char *dom0, const struct mac *mac, uint32_t mtu,
		     char port[IFNAMSIZ])
{
	char text[MAC_TEXT];

	port_of_dom0(w->b->number, port);
	put(w, "-dom0.netdev",
	    "[NetDev]\n"
	    "Name=%s\n"
	    "Kind=veth\n"
	    "MACAddress=%s\n"
	    "MTUBytes=%u\n"
	    "\n"
	    "[Peer]\n"
	    "Name=%s\n"
	    "MACAddress=fe:ff:ff:ff:ff:ff\n",
	    dom0, mac_format(mac, text), mtu, port);
}

static int put_xenbr(const struct writer *w, struct problem *p)
{
	const struct link *nic = w->b->nic;
	char port[IFNAMSIZ], ports[2 * IFNAMSIZ], mac[MAC_TEXT];

	/* Who makes a bond or a VLAN at boot looks for it under the name that it gave. */
	if (nic->kind[0] && strcmp(nic->kind, "veth") != 0)
		return problem_set(p, EXIT_REFUSED, -EOPNOTSUPP,
				   "%s: --persist cannot rename %s, a %s, at boot; leave out "
				   "--persist and run this command at boot, before guests start",
				   w->b->name, nic->name, nic->kind);
	put_veth(w, nic->name, &nic->mac, nic->mtu, port);
	put(w, "-nic.link",
	    "[Match]\n"
	    "%s=%s\n"
	    "OriginalName=!vif0.*\n"
	    "Type=ether\n"
	    "\n"
	    "[Link]\n"
	    "Name=%s\n"
	    "MACAddressPolicy=none\n"
	    "MACAddress=fe:ff:ff:ff:ff:ff\n",
	    nic->has_perm_mac ? "PermanentMACAddress" : "MACAddress",
	    mac_format(nic->has_perm_mac ? &nic->perm_mac : &nic->mac, mac), w->b->record.port);
	snprintf(ports, sizeof(ports), "%s %s", w->b->record.port, port);
	put_port(w, "-port.network", ports);
	return 0;
}

/*
 * networkd makes a VLAN because the file of the interface below asks for it. That file is
 * somebody's: a drop-in adds the line. Its name is what networkd says it uses.
 */
static int put_vlan(const struct writer *w, struct problem *p)
{
	const struct blueprint *b = w->b;
	_cleanup_free_ char *state = NULL;
	char path[PATH_MAX], text[512], *file, *end;
	int r;

	put(w, "-vlan.netdev",
	    "[NetDev]\n"
	    "Name=%s\n"
	    "Kind=vlan\n"
	    "\n"
	    "[VLAN]\n"
	    "Id=%u\n",
	    b->record.port, b->vlan);
	snprintf(path, sizeof(path), "/run/systemd/netif/links/%d", b->nic->index);
	r = file_read(path, FILE_TEXT_MAX, &state);
	file = r < 0 ? NULL : strstr(state, "NETWORK_FILE=");
	if (!file) {
		/* Not networkd's: it only has to make the VLAN and leave the rest as it is. */
		put(w, "-parent.network",
		    "[Match]\n"
		    "Name=%s\n"
		    "\n"
		    "[Link]\n"
		    "RequiredForOnline=no\n"
		    "\n"
		    "[Network]\n"
		    "VLAN=%s\n"
		    "KeepConfiguration=yes\n"
		    "LinkLocalAddressing=no\n"
		    "IPv6AcceptRA=no\n",
		    b->nic->name, b->record.port);
		return 0;
	}
	file += strlen("NETWORK_FILE=");
	end = strchr(file, '\n');
	if (end)
		*end = '\0';
	file = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	if (!*file || *file == '.')
		return problem_set(p, EXIT_FAILED, -EBADMSG,
				   "%s: cannot tell from %s which file configures %s", b->name,
				   path, b->nic->name);
	if (snprintf(path, sizeof(path), "%s/%s.d/xenpv-%s.conf", w->site->network, file,
		     b->name) >= (int)sizeof(path))
		return problem_set(p, EXIT_FAILED, -ENAMETOOLONG, "%s: %s: %m", b->name, file);
	snprintf(text, sizeof(text), HEADER "[Network]\nVLAN=%s\n", b->name, b->record.port);
	plan_file(w->plan, path, text);
	return 0;
}

static void format_network(const char *text, char *ret, size_t size)
{
	char address[INET6_ADDRSTRLEN];
	struct ip ip, network;

	if (ip_parse(text, &ip) < 0)
		return; /* was checked when the bridge was planned */
	network = ip_network(&ip);
	inet_ntop(network.family, network.byte, address, sizeof(address));
	snprintf(ret, size, "%s/%u", address, network.prefix);
}

static void put_intbr(const struct writer *w)
{
	const struct blueprint *b = w->b;
	char port[IFNAMSIZ], *text = NULL;
	size_t size;
	FILE *f;

	put_veth(w, b->lodev, &b->mac, 1500, port);
	put_port(w, "-port.network", port);
	f = open_memstream(&text, &size);
	if (!f) {
		w->plan->error = -ENOMEM;
		return;
	}
	for (unsigned int i = 0; i < b->record.n_ip; i++)
		fprintf(f, "Address=%s\n", b->record.ip[i]);
	for (unsigned int i = 0; i < b->record.n_ip; i++) {
		char network[INET6_ADDRSTRLEN + 4];

		format_network(b->record.ip[i], network, sizeof(network));
		fprintf(f,
			"\n[RoutingPolicyRule]\nIncomingInterface=lo\nTo=%s\nTable=main\n"
			"Priority=%d\n"
			"\n[RoutingPolicyRule]\nTo=%s\nType=unreachable\nPriority=%d\n",
			network, BARRIER_PRIORITY, network, BARRIER_PRIORITY + 1);
	}
	if (fclose(f)) {
		w->plan->error = -ENOMEM;
		free(text);
		return;
	}
	put(w, "-dom0.network",
	    "[Match]\n"
	    "Name=%s\n"
	    "\n"
	    "[Network]\n"
	    "IPv6AcceptRA=no\n"
	    "%s"
	    "\n[RoutingPolicyRule]\nIncomingInterface=%s\nFamily=both\nType=unreachable\n"
	    "Priority=%d\n",
	    b->lodev, text, b->lodev, BARRIER_PRIORITY + 2);
	free(text);
}

int persist_plan(const struct site *site, const struct blueprint *b, struct plan *plan,
		 struct problem *p)
{
	const struct writer w = { site, b, plan };
	int r = 0;

	put_bridge(&w);
	if (b->shape == SHAPE_XENBR) {
		r = put_xenbr(&w, p);
	} else if (b->shape == SHAPE_GEXTBR) {
		put_port(&w, "-port.network", b->record.port);
		if (b->vlan)
			r = put_vlan(&w, p);
	} else if (b->shape == SHAPE_INTBR) {
		put_intbr(&w);
	}
	return r;
}

/* 05-xenpv-<bridge>.<any> and 05-xenpv-<bridge>-<any> */
static bool is_file_of(const char *name, const char *bridge)
{
	size_t n = strlen(PREFIX), m = strlen(bridge);

	return !strncmp(name, PREFIX, n) && !strncmp(name + n, bridge, m) &&
	       (name[n + m] == '.' || name[n + m] == '-') && !strchr(name + n + m, '/');
}

/* Calls fn for every file of the bridge; stops when it returns non-zero, and returns that. */
static int each_file(const struct site *site, const char *bridge,
		     int (*fn)(const char *path, void *userdata), void *userdata)
{
	_cleanup_(closedirp) DIR *dir = opendir(site->network);
	const struct dirent *e;
	char path[PATH_MAX];
	int r;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		size_t n = strlen(e->d_name);

		if (n > 2 && !strcmp(e->d_name + n - 2, ".d")) {
			if (snprintf(path, sizeof(path), "%s/%s/xenpv-%s.conf", site->network,
				     e->d_name, bridge) >= (int)sizeof(path) ||
			    access(path, F_OK) < 0)
				continue;
		} else if (is_file_of(e->d_name, bridge)) {
			if (snprintf(path, sizeof(path), "%s/%s", site->network, e->d_name) >=
			    (int)sizeof(path))
				continue;
		} else {
			continue;
		}
		r = fn(path, userdata);
		if (r)
			return r;
	}
	return 0;
}

static int plan_removal(const char *path, void *userdata)
{
	plan_file(userdata, path, NULL);
	return 0;
}

int persist_remove_plan(const struct site *site, const char *bridge, struct plan *plan,
			struct problem *p)
{
	int r = each_file(site, bridge, plan_removal, plan);

	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%s: cannot list %s: %m", bridge,
				   site->network);
	return 0;
}

static int found(const char *path, void *userdata)
{
	(void)path;
	(void)userdata;
	return 1;
}

bool persist_exists(const struct site *site, const char *bridge)
{
	return each_file(site, bridge, found, NULL) > 0;
}
