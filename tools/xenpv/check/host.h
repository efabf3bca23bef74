/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seam through which a check of configurations sees the host that is to run them. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "xenpv/bridge/rules.h"

enum path_kind {
	PATH_MISSING,
	PATH_BLOCK,
	PATH_FILE,
	PATH_NULL, /* /dev/null: an empty drive */
	PATH_OTHER,
};

struct path_facts {
	enum path_kind kind;
	dev_t dev;   /* of a block device itself, of a file the file system's */
	ino_t ino;   /* of a file */
	dev_t whole; /* the disk that a partition is on; of others == dev */
	/* what in dom0 has it in use: "mounted on /srv", "part of dm-3"; "" if nothing */
	char used[160];
	char lasting[160]; /* a name that does not change, below /dev/disk; "" if there is none */
};

struct check_host {
	uint64_t memory_mb;  /* installed; 0: not known */
	uint64_t dom0_mb;    /* dom0's memory; 0: not known */
	uint32_t cpus;       /* physical; 0: not known */
	uint32_t dom0_vcpus; /* 0: not known */
	struct host_facts network;
	/*
	 * What a path is. NULL if the host is not to be looked at. Returns 0 (a missing path is
	 * PATH_MISSING), or a negative errno if it cannot be told.
	 */
	int (*identify)(void *userdata, const char *path, struct path_facts *ret);
	void *userdata;
};

/* identify() for the host that the program runs on; no userdata. */
int path_identify(void *userdata, const char *path, struct path_facts *ret);
