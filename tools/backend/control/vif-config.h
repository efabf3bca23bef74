/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the toolstack's nodes of an interface mean, as libxl 4.17 writes them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mac.h"

/* The nodes as they stand in xenstore; NULL: not there. */
struct vif_nodes {
	const char *mac;
	const char *handle;
	const char *type;
	const char *rate;
	const char *vifname;
	const char *mtu;
};

struct vif_config {
	struct mac mac;
	bool emulated;       /* vif_ioemu: the device model has another interface of its own */
	uint64_t rate_bytes; /* what the guest may send in rate_us; 0: no limit */
	uint32_t rate_us;    /* 1..10000000, or 0 without a limit */
	uint32_t mtu;        /* of the tap; 0: as its bridge has it */
};

/* The longest interval of a limit, in microseconds. */
#define VIF_RATE_US_MAX 10000000

/* Of an interface that carries IPv4, and of any. */
#define VIF_MTU_MIN 68
#define VIF_MTU_MAX 65535

/*
 * vif_config_parse - read and check what an interface is to be
 * @devid: its number in the path, which `handle` has to be, too
 * @error: one line that names node and value
 *
 * A limit that cannot be read is refused rather than left out: whoever asked for one
 * does not want a guest without. Errors: -EINVAL with @error, and *ret untouched.
 */
int vif_config_parse(const struct vif_nodes *nodes, uint32_t devid, struct vif_config *ret,
		     char *error, size_t error_size);

/* Is it a name that the kernel accepts for an interface? */
bool vif_name_ok(const char *name);
