/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carry reports into xenstore, and remember what is there.
 *
 * Nodes belong to sections. Publishing a section writes what changed since its last
 * report and removes what is not in it any more; a directory that becomes empty goes with
 * its last node. So a reporter only says what is true now.
 *
 * xenstored lets a guest own 1000 nodes, directories included, of which drivers and other
 * programs need some. The agent keeps within PUBLISH_NODES_MAX, with which xen-balloon's
 * dozen is still below 200: what does not fit is left out, and tried again with each report.
 * What is published without a section has PUBLISH_NODES_RESERVED for itself: data/updated, a
 * freeze and a shutdown are 15 nodes at most, with their directories, and have to be told
 * however many devices there are.
 */
#pragma once

#include "lib/xs.h"
#include "report.h"

#define PUBLISH_NODES_MAX      184
#define PUBLISH_NODES_RESERVED 16
#define PUBLISH_NODES_SECTIONS (PUBLISH_NODES_MAX - PUBLISH_NODES_RESERVED)

/* Kinds of refusal that are told apart in the log. */
enum refusal {
	REFUSAL_ACCESS, /* the toolstack keeps the node read-only */
	REFUSAL_QUOTA,  /* xenstored's limits for a guest */
	REFUSAL_OWN,    /* PUBLISH_NODES_MAX or _SECTIONS */
	REFUSAL_OTHER,
	REFUSAL_MAX
};

struct published_node;

/* Start with a zeroed one and set @xs; publisher_forget() frees what it holds. */
struct publisher {
	struct xs_conn *xs;           /* borrowed */
	bool refused[REFUSAL_MAX];    /* already logged */
	struct published_node *nodes; /* what xenstore holds, sorted by path */
	size_t n;
	size_t allocated;
};

/*
 * publish - write the entries of @report, in their order
 *
 * An entry without a value removes the node with all below it. An entry that xenstored
 * refuses is left out and the rest is written all the same: which nodes a guest may write
 * is the toolstack's decision, and none of them is vital. The first refusal of each kind
 * is logged. What xenstore is known to hold is not written again.
 *
 * Returns the number of nodes changed, or a negative errno: -ENOMEM, and errors for which
 * xsc_is_fatal() holds.
 */
int publish(struct publisher *publisher, const struct report *report);

/*
 * publish_section - as publish(), and remove the nodes of @section that @report lacks
 * @section: a number other than 0, which is that of plain publish()
 */
int publish_section(struct publisher *publisher, unsigned int section, const struct report *report);

/* What xenstore holds at @path as far as this publisher wrote it, or NULL. */
const char *publisher_value(const struct publisher *publisher, const char *path);

/* How many nodes were written, and directories made for them. */
size_t publisher_count(const struct publisher *publisher);

/* Xenstore may hold anything: everything will be written anew. */
void publisher_forget(struct publisher *publisher);
