/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /etc/xenpv/bridge.conf: what an administrator decides for all bridges. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "xenpv/bridge/link.h"
#include "xenpv/config/mac.h"
#include "xenpv/command.h"

#define SETTINGS_PATH    "/etc/xenpv/bridge.conf"
#define SETTINGS_RUNTIME "/run/xenpv"
#define SETTINGS_NETWORK "/etc/systemd/network"

struct settings {
	char *never;      /* interfaces that may never be on a bridge: patterns, MAC addresses */
	char *mac_prefix; /* of guests' addresses; "any" for no rule */
	struct mac prefix;
	size_t prefix_len; /* 0 for no rule */
};

/* Defaults, then the file @path with its drop-ins; NULL for SETTINGS_PATH. */
int settings_load(const char *path, struct settings *ret, struct problem *p);
void settings_clear(struct settings *s);

/*
 * settings_forbid - is this interface, or one that it is made of, never to be bridged?
 *
 * Looks below VLANs and into bonds. Returns the name of the one that is on the list, or NULL.
 */
const char *settings_forbid(const struct settings *s, const struct links *links,
			    const struct link *link);
