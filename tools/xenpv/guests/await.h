/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wait for a guest: watches on its nodes and a time limit, on one event loop. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "xenpv/command.h"
#include "xenpv/host/view.h"

#define AWAIT_WATCHES_MAX 8

struct await {
	struct sources s;
	sd_event *event;
	struct hv_domain domain; /* the guest as it was found */
	char *name;
	char home[32];  /* "/local/domain/<domid>" */
	uint64_t begin; /* microseconds, monotonic */
	bool late;      /* the time limit is over */
	bool interrupted;
	struct problem problem;
	/* looks at things anew: 0 go on, 1 done, or a negative errno with .problem set */
	int (*look)(struct await *a);
	void *userdata;
};

/*
 * await_open - connect, and find the guest
 *
 * Returns 0 or a negative errno with .problem set. await_close() also after a failure.
 */
int await_open(struct await *a, const char *guest);
void await_close(struct await *a);

/* Look again whenever this changes: a path below the guest's home, or one that begins with @ or /.
 */
int await_watch(struct await *a, const char *path);

/*
 * await_run - until look() is done, or the time is over
 * @limit_s: seconds
 *
 * look() is called once in any case, after each change, and a last time with .late or .interrupted
 * set, when what it returns ends the wait. Returns what it returned last.
 */
int await_run(struct await *a, uint32_t limit_s);

/* Seconds since await_open(). */
double await_seconds(const struct await *a);

/* A node below the guest's home, or NULL. */
char *await_read(const struct await *a, const char *key);

/* Is the guest in a state in which it can do anything? Else refuse in .problem. */
int await_able(struct await *a, const char *to_do_what);

/* The options --wait and --timeout. */
#define AWAIT_LIMIT_MAX 86400
bool await_limit(const char *path, const char *text, uint32_t otherwise, uint32_t *ret);
