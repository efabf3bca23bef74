// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

struct reader {
	frontend_read_fn read;
	void *userdata;
	char *error;
	size_t error_size;
};

/* Returns 1, or 0 when the key is missing and *ret keeps its value. */
static int read_number(struct reader *r, const char *key, uint32_t min, uint32_t max, uint32_t *ret)
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

static int require_number(struct reader *r, const char *key, uint32_t min, uint32_t max,
			  uint32_t *ret)
{
	int found = read_number(r, key, min, max, ret);

	if (found == 0) {
		snprintf(r->error, r->error_size, "the frontend did not write %s", key);
		return -EINVAL;
	}
	return found < 0 ? found : 0;
}

static int read_abi(struct reader *r, uint32_t *ret)
{
	_cleanup_free_ char *value = NULL;
	int err;

	err = r->read(r->userdata, "protocol", &value);
	if (err == -ENOENT) {
		*ret = WORKER_ABI_NATIVE;
		return 0;
	}
	if (err < 0) {
		errno = -err;
		snprintf(r->error, r->error_size, "cannot read the frontend's protocol: %m");
		return err;
	}
	if (!strcmp(value, "x86_64-abi"))
		*ret = WORKER_ABI_X86_64;
	else if (!strcmp(value, "x86_32-abi"))
		*ret = WORKER_ABI_X86_32;
	else {
		snprintf(r->error, r->error_size,
			 "the frontend's protocol = \"%.32s\" is neither x86_32-abi nor x86_64-abi",
			 value);
		return -EINVAL;
	}
	return 0;
}

static int read_ring(struct reader *r, bool queues, uint32_t i, struct worker_connect *c)
{
	char prefix[24] = "", key[48];
	int err;

	if (queues)
		snprintf(prefix, sizeof(prefix), "queue-%u/", i);
	snprintf(key, sizeof(key), "%sevent-channel", prefix);
	err = require_number(r, key, 1, UINT32_MAX, &c->evtchn[i]);
	if (err < 0)
		return err;

	/* A ring of one page is ring-ref; with ring-page-order=0 some write ring-ref0. */
	if (c->ring_pages == 1) {
		snprintf(key, sizeof(key), "%sring-ref", prefix);
		err = read_number(r, key, 0, UINT32_MAX, &c->ring_ref[i][0]);
		if (err != 0)
			return err < 0 ? err : 0;
	}
	for (uint32_t p = 0; p < c->ring_pages; p++) {
		snprintf(key, sizeof(key), "%sring-ref%u", prefix, p);
		err = require_number(r, key, 0, UINT32_MAX, &c->ring_ref[i][p]);
		if (err < 0)
			return err;
	}
	return 0;
}

int frontend_parse(frontend_read_fn read, void *userdata, const struct frontend_limits *limits,
		   struct worker_connect *ret, char *error, size_t error_size)
{
	struct reader r = { read, userdata, error, error_size };
	struct worker_connect c;
	uint32_t order = 0, persistent = 0, queues = 1;
	int err;

	memset(&c, 0, sizeof(c));
	err = read_abi(&r, &c.abi);
	if (err < 0)
		return err;
	err = read_number(&r, "multi-queue-num-queues", 1, limits->max_queues, &queues);
	if (err < 0)
		return err;
	err = read_number(&r, "ring-page-order", 0, limits->max_ring_page_order, &order);
	if (err < 0)
		return err;
	err = read_number(&r, "feature-persistent", 0, 1, &persistent);
	if (err < 0)
		return err;

	c.rings = queues;
	c.ring_pages = 1u << order;
	c.max_indirect = limits->max_indirect_segments;
	c.persistent = limits->persistent && persistent;
	for (uint32_t i = 0; i < c.rings; i++) {
		/* blkif.h: a single queue keeps its keys at the top level. */
		err = read_ring(&r, queues > 1, i, &c);
		if (err < 0)
			return err;
	}
	*ret = c;
	return 0;
}
