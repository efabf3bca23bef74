// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/shape.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

static const struct {
	const char *prefix;
	bool outside, dom0;
} shapes[_SHAPE_MAX] = {
	[SHAPE_NONE] = { "", false, false },         [SHAPE_XENBR] = { "xenbr", true, true },
	[SHAPE_GEXTBR] = { "gextbr", true, false },  [SHAPE_INTBR] = { "intbr", false, true },
	[SHAPE_GINTBR] = { "gintbr", false, false },
};

bool shape_outside(enum shape shape)
{
	return shapes[shape].outside;
}

bool shape_dom0(enum shape shape)
{
	return shapes[shape].dom0;
}

const char *shape_prefix(enum shape shape)
{
	return shapes[shape].prefix;
}

/* A number as it is written: no leading zero, at most @max. */
static bool plain_number(const char *s, uint32_t max, uint32_t *ret)
{
	if (s[0] == '0' && s[1] != '\0')
		return false;
	return parse_u32(s, 0, max, ret) == 0;
}

enum shape shape_parse(const char *name, uint32_t *ret_number)
{
	for (int s = SHAPE_XENBR; s < _SHAPE_MAX; s++) {
		size_t n = strlen(shapes[s].prefix);

		if (!strncmp(name, shapes[s].prefix, n) &&
		    plain_number(name + n, BRIDGES_MAX - 1, ret_number))
			return (enum shape)s;
	}
	return SHAPE_NONE;
}

bool shape_resembles(const char *name)
{
	for (int s = SHAPE_XENBR; s < _SHAPE_MAX; s++) {
		size_t n = strlen(shapes[s].prefix);

		if (!strncmp(name, shapes[s].prefix, n) && isdigit((unsigned char)name[n]))
			return true;
	}
	return false;
}

bool port_parse(const char *name, uint32_t *ret_domid, uint32_t *ret_handle)
{
	char copy[IFNAMSIZ], *dot, *dash;
	uint32_t domid, handle;

	if (strncmp(name, "vif", 3) && strncmp(name, "tap", 3))
		return false;
	if (strlen(name) >= sizeof(copy))
		return false;
	strcpy(copy, name + 3);
	dash = strchr(copy, '-');
	if (dash) {
		if (strcmp(dash, "-emu"))
			return false;
		*dash = '\0';
	}
	dot = strchr(copy, '.');
	if (!dot)
		return false;
	*dot = '\0';
	/* domain ids below DOMID_FIRST_RESERVED of xen/xen.h */
	if (!plain_number(copy, 0x7fef, &domid) || !plain_number(dot + 1, UINT16_MAX, &handle))
		return false;
	*ret_domid = domid;
	*ret_handle = handle;
	return true;
}

void port_of_dom0(uint32_t number, char ret[IFNAMSIZ])
{
	snprintf(ret, IFNAMSIZ, "vif0.%u", (unsigned int)(number & 0xffff));
}
