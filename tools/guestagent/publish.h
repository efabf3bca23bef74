/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carry a report into xenstore. */
#pragma once

#include "lib/xs.h"
#include "report.h"

/* Kinds of refusal that are told apart in the log. */
enum refusal {
	REFUSAL_ACCESS, /* the toolstack keeps the node read-only */
	REFUSAL_QUOTA,  /* xenstored's limits for a guest */
	REFUSAL_OTHER,
	REFUSAL_MAX
};

struct publisher {
	struct xs_conn *xs;
	bool refused[REFUSAL_MAX]; /* already logged */
};

/*
 * publish - write the entries of @report, in their order
 *
 * An entry that xenstored refuses is left out and the rest is written all the same:
 * which nodes a guest may write is the toolstack's decision, and none of them is vital.
 * The first refusal of each kind is logged. Errors: only those for which xsc_is_fatal()
 * holds.
 */
int publish(struct publisher *publisher, const struct report *report);
