// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/domains.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/xs.h"

void domains_open(struct domains *domains)
{
	if (xsc_open(NULL, &domains->xs) < 0)
		domains->xs = NULL;
}

void domains_close(struct domains *domains)
{
	if (domains->xs)
		xsc_close(domains->xs);
	domains->xs = NULL;
}

char *domains_name(const struct domains *domains, uint32_t domid)
{
	char dir[64], *name;

	snprintf(dir, sizeof(dir), "/local/domain/%u", domid);
	if (!domains->xs || xsc_read(domains->xs, XBT_NULL, dir, "name", &name) < 0)
		return NULL;
	for (char *c = name; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	return name;
}

/* relative: of the domain that we are in, which is the backend's */
static void backend_dir(uint32_t domid, uint32_t handle, char *ret, size_t size)
{
	snprintf(ret, size, "backend/vif/%u/%u", domid, handle);
}

bool domains_mac(const struct domains *domains, uint32_t domid, uint32_t handle, struct mac *ret)
{
	_cleanup_free_ char *text = NULL;
	char dir[64];

	backend_dir(domid, handle, dir, sizeof(dir));
	return domains->xs && xsc_read(domains->xs, XBT_NULL, dir, "mac", &text) >= 0 &&
	       mac_parse(text, ret) == 0;
}

int domains_set_bridge(const struct domains *domains, uint32_t domid, uint32_t handle,
		       const char *bridge)
{
	char dir[64];

	backend_dir(domid, handle, dir, sizeof(dir));
	if (!domains->xs || !xsc_exists(domains->xs, XBT_NULL, dir, "bridge"))
		return 0;
	return xsc_write(domains->xs, XBT_NULL, dir, "bridge", bridge);
}
