// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/image.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/parse.h"

static bool script_is_stock_block(const char *script)
{
	const char *base;

	if (!script || !*script)
		return true;
	base = strrchr(script, '/');
	return !strcmp(base ? base + 1 : script, "block");
}

static int choose_params(const char *params, struct image_choice *ret, char *error,
			 size_t error_size)
{
	static const char aio[] = "aio:"; /* xl 4.19's backendtype=tap, format=raw */

	if (!strncmp(params, aio, strlen(aio)))
		params += strlen(aio);
	if (*params == '\0') {
		snprintf(error, error_size,
			 "the drive is empty: an empty drive cannot be served, give it an image");
		return -EINVAL;
	}
	if (*params != '/') {
		snprintf(error, error_size,
			 "\"%s\" is not an absolute path: give the image's full path", params);
		return -EINVAL;
	}
	if (strlen(params) >= PATH_MAX) {
		snprintf(error, error_size, "path of %zu bytes is too long, at most %d are allowed",
			 strlen(params), PATH_MAX - 1);
		return -EINVAL;
	}
	ret->path = params;
	return 1;
}

static int choose_physical(const struct image_nodes *n, struct image_choice *ret, char *error,
			   size_t error_size)
{
	if (n->physical_device) {
		if (parse_devnum(n->physical_device, &ret->major, &ret->minor) < 0) {
			snprintf(error, error_size,
				 "physical-device = \"%s\" is not of the form major:minor",
				 n->physical_device);
			return -EINVAL;
		}
		ret->check_rdev = true;
	}
	if (n->physical_device_path) {
		if (*n->physical_device_path != '/' ||
		    strlen(n->physical_device_path) >= PATH_MAX) {
			snprintf(error, error_size,
				 "physical-device-path = \"%.200s\" is not an absolute path",
				 n->physical_device_path);
			return -EINVAL;
		}
		ret->path = n->physical_device_path;
		return 1;
	}
	if (n->physical_device) {
		snprintf(ret->devnode, sizeof(ret->devnode), "/dev/block/%u:%u", ret->major,
			 ret->minor);
		ret->path = ret->devnode;
		return 1;
	}
	return 0;
}

int image_choose(const struct image_nodes *nodes, struct image_choice *ret, char *error,
		 size_t error_size)
{
	memset(ret, 0, sizeof(*ret));
	if (!script_is_stock_block(nodes->script))
		return choose_physical(nodes, ret, error, error_size);
	if (!nodes->params) {
		snprintf(error, error_size, "node params is missing");
		return -EINVAL;
	}
	return choose_params(nodes->params, ret, error, error_size);
}

void image_parse_mode(const char *mode, bool *ret_readonly, bool *ret_shared)
{
	bool write = mode && strchr(mode, 'w');

	*ret_readonly = !write;
	*ret_shared = write && strchr(mode, '!');
}
