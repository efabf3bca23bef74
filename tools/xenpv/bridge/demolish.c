// SPDX-License-Identifier: GPL-2.0-or-later
/* The way back of build.c, in mirrored order. */
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/build.h"
#include "xenpv/bridge/files.h"

void demolition_clear(struct demolition *d)
{
	addressing_clear(&d->addressing);
}

static const char *bool_text(bool on)
{
	return on ? "1" : "0";
}

static void restore_inet6(struct plan *plan, const char *dev, const struct record *record)
{
	char value[SYSCTL_VALUE];

	if (sysctl_read("ipv6", dev, "disable_ipv6", value) == 0)
		plan_sysctl(plan, "ipv6", dev, "disable_ipv6", bool_text(!record->inet6), value);
}

static int refuse_without_nic(const struct demolition *d, const struct link *port,
			      const struct link *dom0, struct problem *p)
{
	if (port && !port->master)
		return problem_set(p, EXIT_REFUSED, -ENODEV,
				   "%s: its NIC %s is no longer on it; put it back, or delete the "
				   "bridge nevertheless with --force",
				   d->bridge->name, port->name);
	return problem_set(p, EXIT_REFUSED, -ENODEV,
			   "%s: its NIC %s is gone; bring it back, or delete the bridge without it "
			   "with --force; then %s goes, too, with its addresses",
			   d->bridge->name, d->record.port[0] ? d->record.port : "(unknown)",
			   dom0 ? dom0->name : "dom0's interface");
}

static int demolish_xenbr(const struct site *site, struct demolition *d, struct plan *plan,
			  struct problem *p)
{
	const struct record *record = &d->record;
	const struct link *port = link_by_name(&site->links, record->port);
	const struct link *dom0 = record_dom0(&site->links, d->number);
	bool up = dom0 && (dom0->flags & IFF_UP);
	char away[IFNAMSIZ];
	uint8_t mode = port ? port->addr_gen_mode : 0;
	int r;

	if ((!port || port->master != d->bridge->index) && !d->force)
		return refuse_without_nic(d, port, dom0, p);
	/* There is nothing to give dom0's addresses to: they go with its interface. */
	if (!port || (port->master && port->master != d->bridge->index))
		return 0;
	if (dom0) {
		r = addressing_load(site->rt, dom0->index, dom0->name, &d->addressing, p);
		if (r < 0)
			return r;
		/* The NIC takes the name; what has it now goes under another until the end. */
		snprintf(away, sizeof(away), "dom0.%u", (unsigned int)d->number & 0xffff);
		if (up)
			plan_down(plan, dom0->name, &d->addressing);
		plan_rename(plan, dom0->name, away);
	}
	plan_flags(plan, port->name, IFF_UP, 0, port->flags);
	if (port->master)
		plan_master(plan, port->name, NULL, d->bridge->name);
	if (!mac_is_zero(&record->mac))
		plan_mac(plan, port->name, &record->mac, &port->mac);
	restore_inet6(plan, port->name, record);
	plan_flags(plan, port->name, IFF_NOARP | IFF_MULTICAST, record->flags, port->flags);
	plan_rename(plan, port->name, record->netdev);
	if (!dom0)
		return 0;
	if (port->has_inet6)
		plan_addr_gen_mode(plan, record->netdev, IN6_ADDR_GEN_MODE_NONE, mode);
	if (up)
		plan_flags(plan, record->netdev, IFF_UP, IFF_UP, 0);
	plan_give(plan, record->netdev, &d->addressing);
	if (port->has_inet6)
		plan_addr_gen_mode(plan, record->netdev, mode, IN6_ADDR_GEN_MODE_NONE);
	return 0;
}

static int load_addresses(const struct site *site, struct demolition *d, struct problem *p)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	int r;

	site_addresses_path(site, d->bridge->name, path, sizeof(path));
	r = file_read(path, FILE_TEXT_MAX, &text);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r >= 0)
		r = addressing_from_text(text, &d->addressing);
	if (r < 0)
		return problem_set(
			p, EXIT_REFUSED, r,
			"%s: cannot read the addresses of %s from %s: %m; remove the file "
			"and set them yourself",
			d->bridge->name, d->record.port, path);
	return 0;
}

/* Another NIC on a bridge of this name would be given them. */
static void forget_addresses(const struct site *site, const struct demolition *d, struct plan *plan)
{
	char path[PATH_MAX];

	site_addresses_path(site, d->bridge->name, path, sizeof(path));
	if (access(path, F_OK) == 0)
		plan_file(plan, path, NULL);
}

static int demolish_gextbr(const struct site *site, struct demolition *d, struct plan *plan,
			   struct problem *p)
{
	const struct record *record = &d->record;
	const struct link *port = link_by_name(&site->links, record->port);
	int r;

	/* The NIC may be gone, unplugged or in another place by now, and its addresses with it. */
	if (!port || port->master != d->bridge->index || record->made_vlan) {
		forget_addresses(site, d, plan);
		return 0;
	}
	r = load_addresses(site, d, p);
	if (r < 0)
		return r;
	plan_master(plan, port->name, NULL, d->bridge->name);
	plan_guard(plan, port->name, GUARD_PORT, false);
	if (record->made_qdisc)
		plan_qdisc(plan, port->name, false);
	restore_inet6(plan, port->name, record);
	plan_flags(plan, port->name, IFF_NOARP | IFF_MULTICAST | IFF_UP, record->flags,
		   port->flags);
	plan_give(plan, port->name, &d->addressing);
	forget_addresses(site, d, plan);
	return 0;
}

static void demolish_intbr(const struct demolition *d, struct plan *plan)
{
	const char *ips[RECORD_IPS];

	for (unsigned int i = 0; i < d->record.n_ip; i++)
		ips[i] = d->record.ip[i];
	if (d->record.dom0[0])
		plan_barrier(plan, d->record.dom0, ips, d->record.n_ip, false);
}

int demolish_plan(const struct site *site, struct demolition *d, struct plan *plan,
		  void (*last)(struct plan *plan, void *userdata), void *userdata,
		  struct problem *p)
{
	const struct link *port = link_by_name(&site->links, d->record.port);
	const char *doomed[3];
	char dom0_port[IFNAMSIZ];
	size_t n = 0;
	int r = 0;

	if (d->shape == SHAPE_XENBR)
		r = demolish_xenbr(site, d, plan, p);
	else if (d->shape == SHAPE_GEXTBR)
		r = demolish_gextbr(site, d, plan, p);
	else if (d->shape == SHAPE_INTBR)
		demolish_intbr(d, plan);
	if (r < 0)
		return r;
	last(plan, userdata);

	port_of_dom0(d->number, dom0_port);
	if (shape_dom0(d->shape) && link_by_name(&site->links, dom0_port))
		doomed[n++] = dom0_port;
	if (d->record.made_vlan && port && port->vlan_id)
		doomed[n++] = port->name;
	doomed[n++] = d->bridge->name;
	plan_delete(plan, doomed, n);
	return 0;
}
