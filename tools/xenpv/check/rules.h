/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must be true of guests' configurations, one by one and all together. */
#pragma once

#include "xenpv/check/host.h"
#include "xenpv/config/domcfg.h"
#include "xenpv/config/findings.h"

/* Name, memory, CPUs, words of one guest. */
void check_settings(const struct domcfg *d, const struct xlconf *conf,
		    const struct check_host *host, struct findings *findings);

/* The disks of one guest: names, paths, kinds. */
void check_disks(const struct domcfg *d, const struct check_host *host, struct findings *findings);

/* Devices that two VBDs would write to. Errors: -ENOMEM. */
int check_sharing(const struct domcfgs *all, const struct check_host *host,
		  struct findings *findings);

/* Names, consoles and UUIDs used twice; the host's limits; memory. Errors: -ENOMEM. */
int check_together(const struct domcfgs *all, const struct check_host *host,
		   struct findings *findings);

/*
 * struct check - configurations on their way through all of these
 *
 * check_text() takes one, check_finish() judges them together. Errors: -ENOMEM.
 */
struct check {
	struct domcfgs domains;
	struct guests guests;
	struct findings findings;
	size_t n_files;
};

int check_text(struct check *c, const struct check_host *host, const char *file, const char *text);
int check_finish(struct check *c, const struct check_host *host);
void check_clear(struct check *c);
