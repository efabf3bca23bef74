// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/vif-config.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "lib/parse.h"

/* "<bytes>,<microseconds>" */
static int parse_rate(const char *s, uint64_t *ret_bytes, uint32_t *ret_us)
{
	const char *comma = strchr(s, ',');
	char bytes[24];
	uint64_t b;
	uint32_t us;

	if (!comma || (size_t)(comma - s) >= sizeof(bytes))
		return -EINVAL;
	memcpy(bytes, s, (size_t)(comma - s));
	bytes[comma - s] = '\0';
	/* Of nothing at all no packet could ever be made. */
	if (parse_u64(bytes, 1, UINT64_MAX, &b) < 0 ||
	    parse_u32(comma + 1, 1, VIF_RATE_US_MAX, &us) < 0)
		return -EINVAL;
	*ret_bytes = b;
	*ret_us = us;
	return 0;
}

bool vif_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	/* '%' would have the kernel choose a number */
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == '%' || !isgraph((unsigned char)*name))
			return false;
	return true;
}

int vif_config_parse(const struct vif_nodes *nodes, uint32_t devid, struct vif_config *ret,
		     char *error, size_t error_size)
{
	struct vif_config c = { 0 };
	uint32_t handle = devid;

	if (!nodes->mac) {
		snprintf(error, error_size, "there is no node mac");
		return -EINVAL;
	}
	if (mac_parse(nodes->mac, &c.mac) < 0 || mac_is_multicast(&c.mac) || mac_is_zero(&c.mac)) {
		snprintf(error, error_size,
			 "mac = \"%.32s\" is not the address of one interface (xx:xx:xx:xx:xx:xx)",
			 nodes->mac);
		return -EINVAL;
	}
	if (nodes->handle &&
	    (parse_u32(nodes->handle, 0, UINT32_MAX, &handle) < 0 || handle != devid)) {
		snprintf(error, error_size, "handle = \"%.32s\" is not the %u of its path",
			 nodes->handle, devid);
		return -EINVAL;
	}
	if (nodes->type && !strcmp(nodes->type, "vif_ioemu")) {
		c.emulated = true;
	} else if (nodes->type && strcmp(nodes->type, "vif")) {
		snprintf(error, error_size, "type = \"%.32s\" is neither vif nor vif_ioemu",
			 nodes->type);
		return -EINVAL;
	}
	if (nodes->rate && parse_rate(nodes->rate, &c.rate_bytes, &c.rate_us) < 0) {
		snprintf(error, error_size,
			 "rate = \"%.48s\" is not <bytes>,<microseconds>, of 1 and more, and of 1 "
			 "to %u",
			 nodes->rate, VIF_RATE_US_MAX);
		return -EINVAL;
	}
	if (nodes->vifname && *nodes->vifname && !vif_name_ok(nodes->vifname)) {
		snprintf(error, error_size, "vifname = \"%.32s\" is no name for an interface",
			 nodes->vifname);
		return -EINVAL;
	}
	if (nodes->mtu && parse_u32(nodes->mtu, VIF_MTU_MIN, VIF_MTU_MAX, &c.mtu) < 0) {
		snprintf(error, error_size, "mtu = \"%.32s\" is not a number from %u to %u",
			 nodes->mtu, VIF_MTU_MIN, VIF_MTU_MAX);
		return -EINVAL;
	}
	*ret = c;
	return 0;
}
