/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Freezing with stand-ins for the two system calls, whose state is shared with the processes
 * that make them. Four directories stand for file systems: a, b and c are frozen, in the order
 * c b a, and ro is not. The agent's directory is run/.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "agent-root.h"
#include "freeze.h"
#include "report.h"
#include "settings.h"

#define NOTE "#!/bin/sh\necho \"hook $1\" >>\"$XENPV_HOOKS/log\"\n"
#define ID   "0123abcd"
/* A disk that hangs answers after this at the latest, and is no test's way to succeed. */
#define HANG_MSEC 60000

struct shared {
	bool real;
	char fail[32]; /* directory that cannot be frozen */
	int error;
	char hang_freeze[32], hang_thaw[32]; /* whose calls do not return until let_go() */
	int release, hanging;
	pid_t pid;   /* of the process that froze last */
	pid_t watch; /* and of its parent */
	atomic_flag lock;
	char log[1024]; /* "freeze a;thaw a;", of calls that did something */
};
extern struct shared *shared;

/* One freeze with its loop. A test lists states that it waits for and what it does then. */
struct step {
	const char *state;
	void (*act)(void);
};

struct freezing {
	struct root *root;
	struct settings settings;
	sd_event *event;
	struct freeze *freeze;
	const struct step *step;
	struct report report;
	bool late;
	bool retry; /* see ask_until_frozen() */
};
extern struct freezing t;

/* Before all tests: 0 or a negative errno. */
int freezing_share(void);

int freezing_set_up(void **state);
int freezing_tear_down(void **state);

/* An executable file below the root. */
void hook(const char *path, const char *script);

/* A node of the last report, below FREEZE_PATH, or NULL. */
const char *node(const char *name);

void open_loop(void);
void close_loop(void);

/* Make @request and go through @steps; the last ones without an action end it. */
void run(const char *request, const struct step *steps);

void ask_thaw(void);

/* Ask anew, each time under another id, until one is not refused. */
void ask_until_frozen(void);

/* Until a call hangs; and let one that does, or will, go on. */
void await_hanging(void);
void let_go(void);
