// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenpv/bridge/persist.h"
#include "xenpv/bridge/shape.h"
#include "xenpv/bridge/site.h"

/* Bridges of the four shapes that networkd will make are as good as those that are there. */
static size_t list_bridges(const struct site *site, char (*names)[IFNAMSIZ], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < site->links.n && n < max; i++)
		if (link_is_bridge(&site->links.item[i]))
			strcpy(names[n++], site->links.item[i].name);
	for (int s = SHAPE_XENBR; s < _SHAPE_MAX; s++)
		for (unsigned int k = 0; k < BRIDGES_MAX && n < max; k++) {
			snprintf(names[n], IFNAMSIZ, "%s%u", shape_prefix((enum shape)s), k);
			if (!link_by_name(&site->links, names[n]) && persist_exists(site, names[n]))
				n++;
		}
	return n;
}

int facts_gather(const struct site *site, struct facts *ret)
{
	size_t max = site->links.n + (_SHAPE_MAX - 1) * BRIDGES_MAX, k = 0;
	struct host_facts *host = &ret->host;
	uint32_t domid, handle;
	int r;

	*ret = (struct facts){
		.host = { .prefix = site->settings.prefix,
			  .prefix_len = site->settings.prefix_len,
			  .prefix_text = site->settings.mac_prefix },
		.names = calloc(max, IFNAMSIZ),
		.list = calloc(max, sizeof(*ret->list)),
	};
	host->interfaces = calloc(site->links.n + 1, sizeof(*host->interfaces));
	if (!ret->names || !ret->list || !host->interfaces)
		return -ENOMEM;
	r = xl_defaults_load(XL_DEFAULTS_PATH, &ret->xl);
	if (r < 0)
		return r;
	host->default_bridge = ret->xl.bridge;
	host->default_script = ret->xl.script;
	host->n_bridges = list_bridges(site, ret->names, max);
	for (size_t i = 0; i < host->n_bridges; i++)
		ret->list[i] = ret->names[i];
	host->bridges = ret->list;
	for (size_t i = 0; i < site->links.n; i++) {
		const struct link *link = &site->links.item[i];

		if (mac_is_zero(&link->mac) || mac_equal(&link->mac, &mac_of_ports) ||
		    port_parse(link->name, &domid, &handle))
			continue;
		host->interfaces[k].name = link->name;
		host->interfaces[k++].mac = link->mac;
	}
	host->n_interfaces = k;
	return 0;
}

void facts_clear(struct facts *facts)
{
	free(facts->host.interfaces);
	free(facts->names);
	free(facts->list);
	xl_defaults_clear(&facts->xl);
	*facts = (struct facts){ 0 };
}
