// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/persist.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/barrier.h"
#include "xenpv/bridge/files.h"
#include "xenpv/bridge/ip.h"
#include "xenpv/bridge/persist-names.h"

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
	const struct link *nic = w->b->nic;
	char mtu[32] = "";

	/* The administrator's file, which may say it, is not used any more. */
	if (nic && nic->mtu != ETHERNET_MTU)
		snprintf(mtu, sizeof(mtu), "MTUBytes=%u\n", nic->mtu);
	put(w, suffix,
	    "[Match]\n"
	    "Name=%s\n"
	    "\n"
	    "[Link]\n"
	    "ARP=no\n"
	    "Multicast=no\n"
	    "RequiredForOnline=no\n"
	    "%s"
	    "\n"
	    "[Network]\n"
	    "Bridge=%s\n" NO_ADDRESSES,
	    names, mtu, w->b->name);
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

/* Does a drop-in with this text have a VLAN made on the interface? Its name is in @ret then. */
static bool text_makes_vlan(const char *text, const char *parent, char ret[IFNAMSIZ])
{
	const char *word = strstr(text, "\nVLAN=");
	size_t n = strlen(parent), len, id;

	if (!word)
		return false;
	word += strlen("\nVLAN=");
	len = strcspn(word, "\n");
	if (len >= IFNAMSIZ || strncmp(word, parent, n) != 0 || word[n] != '.')
		return false;
	id = strspn(word + n + 1, "0123456789");
	if (id == 0 || n + 1 + id != len)
		return false;
	snprintf(ret, IFNAMSIZ, "%.*s", (int)len, word);
	return true;
}

/* The drop-ins in one folder. */
static int refuse_vlan_in(const struct writer *w, const char *folder, struct problem *p)
{
	const char *nic = w->b->nic->name;
	char path[PATH_MAX], vlan[IFNAMSIZ], name[IFNAMSIZ];
	_cleanup_(closedirp) DIR *dir = opendir(folder);
	const struct dirent *e;

	while (dir && (e = readdir(dir))) {
		_cleanup_free_ char *text = NULL;
		int n = -1, r;

		if (sscanf(e->d_name, "xenpv-%15[^./].conf%n", name, &n) != 1 || n < 0 ||
		    e->d_name[n] || !strcmp(name, w->b->name))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		r = file_read(path, FILE_TEXT_MAX, &text);
		if (r < 0)
			return r;
		if (text_makes_vlan(text, nic, vlan))
			return problem_set(p, EXIT_REFUSED, -EBUSY,
					   "%s: %s of %s would be made at boot on %s, which is "
					   "dom0's interface then (%s); delete %s, create %s, and "
					   "make %s anew with --netdev %s",
					   w->b->name, vlan, name, nic, path, name, w->b->name,
					   name, w->b->record.port);
	}
	return 0;
}

/* The NIC of a xenbr has another name after a boot, and whatever is to be made on it is elsewhere.
 */
static int refuse_vlans_on_nic(const struct writer *w, struct problem *p)
{
	_cleanup_(closedirp) DIR *dir = opendir(w->site->network);
	char folder[PATH_MAX];
	const struct dirent *e;
	int r = 0;

	if (!dir)
		r = errno == ENOENT ? 0 : -errno;
	while (dir && r >= 0 && (e = readdir(dir))) {
		size_t n = strlen(e->d_name), m = strlen(".network.d");

		if (n <= m || strcmp(e->d_name + n - m, ".network.d") != 0)
			continue;
		if (snprintf(folder, sizeof(folder), "%s/%s", w->site->network, e->d_name) >=
		    (int)sizeof(folder))
			r = -ENAMETOOLONG;
		else
			r = refuse_vlan_in(w, folder, p);
	}
	if (r < 0 && r != -EBUSY)
		return problem_set(p, EXIT_FAILED, r,
				   "%s: cannot read which VLANs are made on %s: %m", w->b->name,
				   w->b->nic->name);
	return r;
}

static int put_xenbr(const struct writer *w, struct problem *p)
{
	const struct link *nic = w->b->nic;
	char port[IFNAMSIZ], ports[2 * IFNAMSIZ], mac[MAC_TEXT];
	int r = refuse_vlans_on_nic(w, p);

	if (r < 0)
		return r;

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

static bool is_network_file(const char *name)
{
	size_t n = strlen(name), m = strlen(".network");

	return (!strncmp(name, PREFIX, strlen(PREFIX)) ||
		!strncmp(name, PARENT_PREFIX, strlen(PARENT_PREFIX))) &&
	       n > m && !strcmp(name + n - m, ".network");
}

/* Does a file of ours with this text configure the interface? Its first Name= is [Match]'s. */
static bool text_matches(const char *text, const char *name)
{
	const char *word = strstr(text, "\nName=");
	size_t n = strlen(name);

	if (!word)
		return false;
	for (word += strlen("\nName="); *word && *word != '\n'; word += strspn(word, " ")) {
		size_t len = strcspn(word, " \n");

		if (len == n && !strncmp(word, name, n))
			return true;
		word += len;
	}
	return false;
}

/* The file of ours that configures an interface: of several, networkd takes the first. "": none */
static int own_file(const struct site *site, const char *name, char ret[NAME_MAX + 1])
{
	_cleanup_(closedirp) DIR *dir = opendir(site->network);
	const struct dirent *e;
	char path[PATH_MAX];

	*ret = '\0';
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		_cleanup_free_ char *text = NULL;
		int r;

		if (!is_network_file(e->d_name) || (*ret && strcmp(e->d_name, ret) > 0))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", site->network, e->d_name) >=
		    (int)sizeof(path))
			return -ENAMETOOLONG;
		r = file_read(path, FILE_TEXT_MAX, &text);
		if (r < 0)
			return r;
		if (text_matches(text, name))
			strcpy(ret, e->d_name);
	}
	return 0;
}

/* The file that networkd says it uses for an interface; "" if it uses none. */
static int file_in_use(const struct link *link, char ret[NAME_MAX + 1])
{
	_cleanup_free_ char *state = NULL;
	char path[PATH_MAX], *file, *end;

	*ret = '\0';
	snprintf(path, sizeof(path), "/run/systemd/netif/links/%d", link->index);
	if (file_read(path, FILE_TEXT_MAX, &state) < 0)
		return 0;
	file = strstr(state, "NETWORK_FILE=");
	if (!file)
		return 0;
	file += strlen("NETWORK_FILE=");
	end = strchr(file, '\n');
	if (end)
		*end = '\0';
	file = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	if (!*file || *file == '.' || strlen(file) > NAME_MAX)
		return -EBADMSG;
	strcpy(ret, file);
	return 0;
}

/* Not networkd's: it only has to make VLANs and leave the rest as it is. For all VLANs on it. */
static int put_parent(const struct writer *w, char ret[NAME_MAX + 1])
{
	const char *parent = w->b->nic->name;
	char path[PATH_MAX], text[512];

	snprintf(ret, NAME_MAX + 1, PARENT_PREFIX "%s.network", parent);
	if (snprintf(path, sizeof(path), "%s/%s", w->site->network, ret) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	snprintf(text, sizeof(text),
		 "# Written by \"xenpv bridge create --persist\" for the VLANs on %s, removed with "
		 "the last of them.\n"
		 "[Match]\n"
		 "Name=%s\n"
		 "\n"
		 "[Link]\n"
		 "RequiredForOnline=no\n"
		 "\n"
		 "[Network]\n"
		 "KeepConfiguration=yes\n"
		 "LinkLocalAddressing=no\n"
		 "IPv6AcceptRA=no\n",
		 parent, parent);
	plan_file(w->plan, path, text);
	return 0;
}

/*
 * networkd makes a VLAN because the file of the interface below asks for it, and for each
 * interface it uses a single file. That is somebody's, or another bridge's: a drop-in adds the
 * line.
 */
static int put_vlan(const struct writer *w, struct problem *p)
{
	const struct blueprint *b = w->b;
	char path[PATH_MAX], text[512], file[NAME_MAX + 1];
	int r;

	put(w, "-vlan.netdev",
	    "[NetDev]\n"
	    "Name=%s\n"
	    "Kind=vlan\n"
	    "\n"
	    "[VLAN]\n"
	    "Id=%u\n",
	    b->record.port, b->vlan);
	/* Ours first: networkd may not have read it yet. */
	r = own_file(w->site, b->nic->name, file);
	if (r >= 0 && !*file)
		r = file_in_use(b->nic, file);
	if (r >= 0 && !*file)
		r = put_parent(w, file);
	if (r >= 0 && snprintf(path, sizeof(path), "%s/%s.d/xenpv-%s.conf", w->site->network, file,
			       b->name) >= (int)sizeof(path))
		r = -ENAMETOOLONG;
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r,
				   "%s: cannot tell which file for networkd configures %s: %m",
				   b->name, b->nic->name);
	snprintf(text, sizeof(text), HEADER "[Network]\nVLAN=%s\n", b->name, b->record.port);
	plan_file(w->plan, path, text);
	return 0;
}

/*
 * The file of this port comes before the one that has the VLANs made on it earlier: their lines
 * are to be in both.
 */
static int adopt_vlans(const struct writer *w)
{
	char from[PATH_MAX], path[PATH_MAX];
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *e;

	snprintf(from, sizeof(from), "%s/" PARENT_PREFIX "%s.network.d", w->site->network,
		 w->b->record.port);
	dir = opendir(from);
	while (dir && (e = readdir(dir))) {
		_cleanup_free_ char *text = NULL;
		int r;

		if (strncmp(e->d_name, "xenpv-", strlen("xenpv-")) != 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", from, e->d_name) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		r = file_read(path, FILE_TEXT_MAX, &text);
		if (r < 0)
			return r;
		if (snprintf(path, sizeof(path), "%s/" PREFIX "%s-port.network.d/%s",
			     w->site->network, w->b->name, e->d_name) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		plan_file(w->plan, path, text);
	}
	return 0;
}

static void format_network(const char *text, char ret[IP_TEXT])
{
	struct ip ip;

	if (ip_parse(text, &ip) < 0)
		return; /* was checked when the bridge was planned */
	ip = ip_network(&ip);
	ip_format(&ip, ret);
}

static void put_intbr(const struct writer *w)
{
	const struct blueprint *b = w->b;
	char port[IFNAMSIZ], *text = NULL;
	size_t size;
	FILE *f;

	put_veth(w, b->lodev, &b->mac, ETHERNET_MTU, port);
	put_port(w, "-port.network", port);
	f = open_memstream(&text, &size);
	if (!f) {
		w->plan->error = -ENOMEM;
		return;
	}
	for (unsigned int i = 0; i < b->record.n_ip; i++)
		fprintf(f, "Address=%s\n", b->record.ip[i]);
	for (unsigned int i = 0; i < b->record.n_ip; i++) {
		char network[IP_TEXT] = "";

		format_network(b->record.ip[i], network);
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
	if (r >= 0 && shape_outside(b->shape)) {
		r = adopt_vlans(&w);
		if (r < 0)
			return problem_set(p, EXIT_FAILED, r,
					   "%s: cannot read which VLANs are made on %s: %m",
					   b->name, b->record.port);
	}
	return r;
}
