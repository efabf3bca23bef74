/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every bridge command works with: the kernel's list, the settings, the lock. */
#pragma once

#include <stdbool.h>

#include "xenpv/bridge/link.h"
#include "xenpv/bridge/record.h"
#include "lib/rtnl.h"
#include "xenpv/bridge/settings.h"
#include "xenpv/command.h"

struct site {
	const char *config;  /* option --config, or NULL */
	const char *runtime; /* option --runtime-dir, or NULL; set by site_open() */
	const char *network; /* option --network-dir, or NULL; set by site_open() */
	struct rtnl *rt;
	struct links links;
	struct settings settings;
	int lock;
};

/* The options of these; part of the command's own table. */
#define SITE_OPTIONS(site)                                                                         \
	{                                                                                          \
		"config",        'c',    OPT_TEXT,                                                 \
		&(site)->config, "FILE", "read FILE instead of " SETTINGS_PATH                     \
	},                                                                                         \
		{ "runtime-dir",    0,     OPT_TEXT,                                               \
		  &(site)->runtime, "DIR", "use DIR instead of " SETTINGS_RUNTIME },               \
	{                                                                                          \
		"network-dir", 0, OPT_TEXT, &(site)->network, "DIR",                               \
			"use DIR instead of " SETTINGS_NETWORK                                     \
	}

#define SITE_INIT                                                                                  \
	{                                                                                          \
		.lock = -1                                                                         \
	}

/*
 * site_open - read settings, open the kernel's list
 * @change: wait until no other command changes bridges, at most SITE_LOCK_S seconds
 */
#define SITE_LOCK_S 60
int site_open(struct site *site, bool change, struct problem *p);
void site_close(struct site *site);

/*
 * site_end - close the site at the end of a command
 * @r: what came of it: an exit status, or a negative errno with @p set, which is printed
 *
 * Returns: the exit status.
 */
int site_end(struct site *site, int r, const struct problem *p);

/*
 * For who changes something now and then: the lock without the waiting. Not with @change.
 *
 * site_try_lock() returns -EWOULDBLOCK while another process changes bridges.
 */
int site_open_lock(struct site *site, struct problem *p);
int site_try_lock(struct site *site);
void site_unlock(struct site *site);

/*
 * site_record - record_of(), and of an intbr that has none, the addresses of dom0's interface
 *
 * Returns: false if it was guessed.
 */
bool site_record(const struct site *site, const struct link *bridge, struct record *ret);

/* The bridge of this name and its record; refuses other interfaces. */
int site_bridge(const struct site *site, const char *name, const struct link **ret,
		struct record *ret_record, struct problem *p);

/* <runtime>/bridges/<bridge>.addresses: what gextbr took from its NIC, see addressing.h. */
void site_addresses_path(const struct site *site, const char *bridge, char *ret, size_t size);
