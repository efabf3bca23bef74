/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnetlink over libmnl: requests that change something, dumps, events.
 *
 * Every change goes through rtnl_change(), which is where the tests of
 * xenpv bridge let one fail.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

/* The kernel answers at once; this is for a kernel that is in trouble. */
#define RTNL_TIMEOUT_S 20

struct rtnl;

/* A message that is being built; the attributes of all our requests fit. */
struct rtnl_msg {
	union {
		char bytes[4096];
		struct nlmsghdr header;
	};
};

/* Errors: those of socket(2) and bind(2). */
int rtnl_open(struct rtnl **ret);
void rtnl_close(struct rtnl *rt);
static inline void rtnl_closep(struct rtnl **rt)
{
	rtnl_close(*rt);
}

/* Begin a message: type and flags of the header, and room for the family's own header. */
void *rtnl_msg_init(struct rtnl_msg *msg, uint16_t type, uint16_t flags, size_t extra);

/*
 * rtnl_change - have the kernel change something
 *
 * Returns 0 when the kernel has done it, else a negative errno, and nothing
 * was changed: the kernel's answer, or -ETIMEDOUT, after which nobody knows.
 */
int rtnl_change(struct rtnl *rt, struct rtnl_msg *msg);

/* What the kernel said beside the error of the last rtnl_change(), or "". */
const char *rtnl_explanation(const struct rtnl *rt);

/*
 * rtnl_dump - ask for all objects of a kind
 * @fn: called for each message; a negative value ends the dump and is returned
 *
 * -EINTR: the objects changed meanwhile, so the list may lack some. Begin again.
 */
typedef int (*rtnl_fn)(const struct nlmsghdr *nlh, void *userdata);
int rtnl_dump(struct rtnl *rt, struct rtnl_msg *msg, rtnl_fn fn, void *userdata);

/* rtnl_get - ask for one object: as rtnl_dump(), or the kernel's error, as -ENODEV */
int rtnl_get(struct rtnl *rt, struct rtnl_msg *msg, rtnl_fn fn, void *userdata);

/* How often a dump is begun again. */
#define RTNL_DUMP_TRIES 20

/*
 * Events: a second socket that belongs to groups. rtnl_receive() takes what is
 * there and does not wait: -EAGAIN if nothing is, -ENOBUFS if events were lost.
 */
int rtnl_open_events(const unsigned int *groups, size_t n, struct rtnl **ret);
int rtnl_fd(const struct rtnl *rt);
int rtnl_receive(struct rtnl *rt, rtnl_fn fn, void *userdata);
