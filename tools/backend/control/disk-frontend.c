// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/disk-frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

static int read_abi(struct keys *r, uint32_t *ret)
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

static int read_ring(struct keys *r, bool queues, uint32_t i, struct worker_connect *c)
{
	char prefix[24] = "", key[48];
	int err;

	if (queues)
		snprintf(prefix, sizeof(prefix), "queue-%u/", i);
	snprintf(key, sizeof(key), "%sevent-channel", prefix);
	err = keys_require(r, key, 1, UINT32_MAX, &c->evtchn[i]);
	if (err < 0)
		return err;

	/* A ring of one page is ring-ref; with ring-page-order=0 some write ring-ref0. */
	if (c->ring_pages == 1) {
		snprintf(key, sizeof(key), "%sring-ref", prefix);
		err = keys_number(r, key, 0, UINT32_MAX, &c->ring_ref[i][0]);
		if (err != 0)
			return err < 0 ? err : 0;
	}
	for (uint32_t p = 0; p < c->ring_pages; p++) {
		snprintf(key, sizeof(key), "%sring-ref%u", prefix, p);
		err = keys_require(r, key, 0, UINT32_MAX, &c->ring_ref[i][p]);
		if (err < 0)
			return err;
	}
	return 0;
}

int disk_frontend_parse(keys_read_fn read, void *userdata, const struct disk_limits *limits,
			struct worker_connect *ret, char *error, size_t error_size)
{
	struct keys r = { read, userdata, error, error_size };
	struct worker_connect c;
	uint32_t order = 0, persistent = 0, queues = 1;
	int err;

	memset(&c, 0, sizeof(c));
	err = read_abi(&r, &c.abi);
	if (err < 0)
		return err;
	err = keys_number(&r, "multi-queue-num-queues", 1, limits->max_queues, &queues);
	if (err < 0)
		return err;
	err = keys_number(&r, "ring-page-order", 0, limits->max_ring_page_order, &order);
	if (err < 0)
		return err;
	err = keys_number(&r, "feature-persistent", 0, 1, &persistent);
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
