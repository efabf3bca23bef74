/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a domain configuration says of memory, CPUs, disks and consoles. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenpv/config/diskspec.h"
#include "xenpv/config/findings.h"
#include "xenpv/config/xlconf.h"

/* A number of the configuration; line 0: it is not set, or not a number that can be. */
struct number {
	uint64_t value;
	unsigned int line;
};

struct console {
	bool fixed; /* not "take any that is free" */
	uint32_t display;
	unsigned int line;
};

struct domcfg {
	char *file, *name;
	unsigned int name_line;
	bool hvm;
	struct number memory, maxmem, vcpus, maxvcpus; /* memory in MB */
	char *uuid;
	unsigned int uuid_line;
	struct diskspec *disk;
	size_t n_disks;
	struct console *console;
	size_t n_consoles;
	size_t n_vnifs;
};

struct domcfgs {
	struct domcfg *item;
	size_t n;
};

/* Report about one guest: "<guest>: ..." at a line of its file. */
#define DOMCFG_REPORT(d, severity, line, fmt, ...)                                                 \
	findings_add(findings, severity, (d)->file, line, "%s: " fmt, (d)->name, ##__VA_ARGS__)

/*
 * domcfgs_add - take a configuration
 * @bytes: length of its text
 *
 * What is wrong with a single setting goes to @findings, and the setting counts as not set.
 * The VNIFs are counted only; guests_add() judges them. Errors: -ENOMEM.
 */
int domcfgs_add(struct domcfgs *all, const char *file, size_t bytes, const struct xlconf *conf,
		struct findings *findings);
void domcfgs_clear(struct domcfgs *all);

/*
 * cpulist_parse - "1,3", "0-2,5", "0-7,^3", "all"
 * @cpus: how many CPUs "all" and a list that begins with ^ mean, CPULIST_MAX at most
 * @ret_mask: bit n for CPU n
 *
 * Errors: -EINVAL (no list), -ERANGE (a CPU beyond CPULIST_MAX), -ENOTSUP (a list by nodes).
 */
#define CPULIST_MAX 1024
int cpulist_parse(const char *text, uint32_t cpus, uint64_t ret_mask[CPULIST_MAX / 64]);
