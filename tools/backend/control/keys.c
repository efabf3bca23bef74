// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/keys.h"

#include <errno.h>
#include <stdio.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

int keys_number(struct keys *r, const char *key, uint32_t min, uint32_t max, uint32_t *ret)
{
	_cleanup_free_ char *value = NULL;
	int err;

	err = r->read(r->userdata, key, &value);
	if (err == -ENOENT)
		return 0;
	if (err < 0) {
		errno = -err;
		snprintf(r->error, r->error_size, "cannot read the frontend's %s: %m", key);
		return err;
	}
	if (parse_u32(value, min, max, ret) < 0) {
		snprintf(r->error, r->error_size,
			 "the frontend's %s = \"%.32s\" is not a number from %u to %u", key, value,
			 min, max);
		return -EINVAL;
	}
	return 1;
}

int keys_require(struct keys *r, const char *key, uint32_t min, uint32_t max, uint32_t *ret)
{
	int found = keys_number(r, key, min, max, ret);

	if (found == 0) {
		snprintf(r->error, r->error_size, "the frontend did not write %s", key);
		return -EINVAL;
	}
	return found < 0 ? found : 0;
}
