// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/vdev.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

/* By kind: how many disks and partitions their numbers have room for (xen-vbd-interface(7)). */
static const struct {
	const char *prefix;
	uint32_t disks, partitions;
} kinds[] = {
	[VDEV_HD] = { "hd", 20, 63 },
	[VDEV_SD] = { "sd", 256, 15 },
	[VDEV_XVD] = { "xvd", 1u << 20, 255 },
};

/* a, b, ... z, aa, ab, ... */
static int letters(const char **p, uint32_t max, uint32_t *ret)
{
	uint32_t n = 0;

	if (!islower((unsigned char)**p))
		return -EINVAL;
	for (; islower((unsigned char)**p); (*p)++) {
		n = n * 26 + (uint32_t)(**p - 'a') + 1;
		if (n > max)
			return -ERANGE;
	}
	*ret = n - 1;
	return 0;
}

static int numbered(const char *p, struct vdev *ret)
{
	char digits[8];
	size_t n = strspn(p, "0123456789");
	int r;

	if (n == 0 || n >= sizeof(digits) || (p[n] && p[n] != 'p'))
		return -EINVAL;
	memcpy(digits, p, n);
	digits[n] = '\0';
	ret->kind = VDEV_NUMBERED;
	ret->partition = 0;
	r = parse_u32(digits, 0, (1u << 20) - 1, &ret->disk);
	if (r < 0 || !p[n])
		return r;
	return parse_u32(p + n + 1, 0, 255, &ret->partition);
}

int vdev_parse(const char *name, struct vdev *ret)
{
	struct vdev v = { 0 };
	int r;

	if (name[0] == 'd' && isdigit((unsigned char)name[1])) {
		r = numbered(name + 1, &v);
		if (r >= 0)
			*ret = v;
		return r;
	}
	for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
		size_t n = strlen(kinds[k].prefix);
		const char *p = name + n;

		if (strncmp(name, kinds[k].prefix, n) != 0)
			continue;
		v.kind = (enum vdev_kind)k;
		r = letters(&p, kinds[k].disks, &v.disk);
		if (r >= 0 && *p)
			r = parse_u32(p, 1, kinds[k].partitions, &v.partition);
		if (r >= 0)
			*ret = v;
		return r;
	}
	return -EINVAL;
}
