// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAGIC     "xenpv1"
#define TAP_ALIAS "xenpv-backendd vif "

int record_encode(const struct record *record, char ret[LINK_ALIAS_MAX])
{
	char text[2 * LINK_ALIAS_MAX], mac[MAC_TEXT];
	int n = snprintf(text, sizeof(text), MAGIC);

	if (record->netdev[0])
		n += snprintf(text + n, sizeof(text) - (size_t)n, " netdev=%s", record->netdev);
	if (record->port[0])
		n += snprintf(text + n, sizeof(text) - (size_t)n, " port=%s", record->port);
	if (record->dom0[0])
		n += snprintf(text + n, sizeof(text) - (size_t)n, " dom0=%s", record->dom0);
	if (!mac_is_zero(&record->mac))
		n += snprintf(text + n, sizeof(text) - (size_t)n, " mac=%s",
			      mac_format(&record->mac, mac));
	if (record->port[0])
		n += snprintf(text + n, sizeof(text) - (size_t)n, " was=%s%s%s%s%s%s",
			      record->flags & IFF_UP ? "u" : "",
			      record->flags & IFF_NOARP ? "" : "a",
			      record->flags & IFF_MULTICAST ? "m" : "", record->inet6 ? "6" : "",
			      record->made_vlan ? "v" : "", record->made_qdisc ? "q" : "");
	for (unsigned int i = 0; i < record->n_ip; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " ip=%s", record->ip[i]);
	if (n >= LINK_ALIAS_MAX)
		return -E2BIG;
	strcpy(ret, text);
	return 0;
}

static int take_name(const char *value, char ret[IFNAMSIZ])
{
	if (!link_name_ok(value))
		return -EINVAL;
	strcpy(ret, value);
	return 0;
}

static int take_was(const char *value, struct record *record)
{
	record->flags |= IFF_NOARP;
	for (; *value; value++) {
		switch (*value) {
		case 'u':
			record->flags |= IFF_UP;
			break;
		case 'a':
			record->flags &= ~(unsigned int)IFF_NOARP;
			break;
		case 'm':
			record->flags |= IFF_MULTICAST;
			break;
		case '6':
			record->inet6 = true;
			break;
		case 'v':
			record->made_vlan = true;
			break;
		case 'q':
			record->made_qdisc = true;
			break;
		default:
			return -EINVAL;
		}
	}
	return 0;
}

static int take_field(const char *key, const char *value, struct record *record)
{
	if (!strcmp(key, "netdev"))
		return take_name(value, record->netdev);
	if (!strcmp(key, "port"))
		return take_name(value, record->port);
	if (!strcmp(key, "dom0"))
		return take_name(value, record->dom0);
	if (!strcmp(key, "mac"))
		return mac_parse(value, &record->mac);
	if (!strcmp(key, "was"))
		return take_was(value, record);
	if (!strcmp(key, "ip")) {
		if (record->n_ip == RECORD_IPS || strlen(value) >= RECORD_IP_TEXT)
			return -EINVAL;
		strcpy(record->ip[record->n_ip++], value);
		return 0;
	}
	return -EINVAL;
}

int record_decode(const char *alias, struct record *ret)
{
	char copy[LINK_ALIAS_MAX], *save = NULL, *word;
	struct record record = { 0 };

	if (strlen(alias) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, alias);
	word = strtok_r(copy, " ", &save);
	if (!word || strcmp(word, MAGIC))
		return -EINVAL;
	while ((word = strtok_r(NULL, " ", &save))) {
		char *eq = strchr(word, '=');

		if (!eq)
			return -EINVAL;
		*eq = '\0';
		if (take_field(word, eq + 1, &record) < 0)
			return -EINVAL;
	}
	*ret = record;
	return 0;
}

const struct link *record_dom0(const struct links *links, uint32_t number)
{
	const struct link *port;
	char name[IFNAMSIZ];

	port_of_dom0(number, name);
	port = link_by_name(links, name);
	return port && port->lower_is_local ? link_by_index(links, port->lower) : NULL;
}

bool port_of_guest(const struct link *link, uint32_t *ret_domid, uint32_t *ret_handle)
{
	char name[IFNAMSIZ];

	if (port_parse(link->name, ret_domid, ret_handle))
		return *ret_domid != 0;
	if (strncmp(link->alias, TAP_ALIAS, strlen(TAP_ALIAS)))
		return false;
	snprintf(name, sizeof(name), "vif%.12s", link->alias + strlen(TAP_ALIAS));
	return port_parse(name, ret_domid, ret_handle) && *ret_domid != 0;
}

bool record_of(const struct links *links, const struct link *bridge, struct record *ret)
{
	const struct link *dom0;
	struct record record = { 0 };
	enum shape shape;
	uint32_t number, domid, handle;

	if (record_decode(bridge->alias, ret) == 0)
		return true;
	shape = shape_parse(bridge->name, &number);
	if (shape == SHAPE_NONE) {
		*ret = record;
		return false;
	}
	dom0 = shape_dom0(shape) ? record_dom0(links, number) : NULL;
	if (dom0)
		strcpy(record.dom0, dom0->name);
	for (size_t i = 0; i < links->n && shape_outside(shape); i++) {
		const struct link *port = &links->item[i];

		if (port->master != bridge->index || port_parse(port->name, &domid, &handle) ||
		    port_of_guest(port, &domid, &handle))
			continue;
		strcpy(record.port, port->name);
		strcpy(record.netdev, dom0 ? dom0->name : port->name);
		record.flags = IFF_UP | IFF_MULTICAST;
		record.inet6 = true;
		if (shape == SHAPE_XENBR)
			record.mac = port->has_perm_mac ? port->perm_mac
				     : dom0             ? dom0->mac
							: record.mac;
	}
	*ret = record;
	return false;
}

bool record_owns_port(const struct record *record, uint32_t number, const char *port)
{
	char dom0[IFNAMSIZ];

	port_of_dom0(number, dom0);
	return !strcmp(port, record->port) || !strcmp(port, dom0);
}
