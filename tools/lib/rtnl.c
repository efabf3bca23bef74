// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/rtnl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/cleanup.h"

/* The kernel fills at most 32 KiB of a dump at once. */
#define RECEIVE_SIZE 32768

struct rtnl {
	struct mnl_socket *socket;
	uint32_t sequence;
	unsigned int port;
	char explanation[256];
	char buf[RECEIVE_SIZE];
};

void rtnl_close(struct rtnl *rt)
{
	if (!rt)
		return;
	if (rt->socket)
		mnl_socket_close(rt->socket);
	free(rt);
}

static int open_socket(int flags, unsigned int group_mask, struct rtnl **ret)
{
	_cleanup_(rtnl_closep) struct rtnl *rt = calloc(1, sizeof(*rt));

	if (!rt)
		return -ENOMEM;
	rt->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (!rt->socket)
		return -errno;
	if (mnl_socket_bind(rt->socket, group_mask, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	rt->port = mnl_socket_get_portid(rt->socket);
	*ret = TAKE_PTR(rt);
	return 0;
}

int rtnl_open(struct rtnl **ret)
{
	const struct timeval limit = { .tv_sec = RTNL_TIMEOUT_S };
	_cleanup_(rtnl_closep) struct rtnl *rt = NULL;
	int one = 1, r;

	r = open_socket(0, 0, &rt);
	if (r < 0)
		return r;
	if (setsockopt(mnl_socket_get_fd(rt->socket), SOL_SOCKET, SO_RCVTIMEO, &limit,
		       sizeof(limit)) < 0)
		return -errno;
	/* Only better messages; kernels without it are too old for the rest anyway. */
	(void)mnl_socket_setsockopt(rt->socket, NETLINK_EXT_ACK, &one, sizeof(one));
	*ret = TAKE_PTR(rt);
	return 0;
}

int rtnl_open_events(const unsigned int *groups, size_t n, struct rtnl **ret)
{
	_cleanup_(rtnl_closep) struct rtnl *rt = NULL;
	int r, size = 1 << 20;

	r = open_socket(SOCK_NONBLOCK, 0, &rt);
	if (r < 0)
		return r;
	/* Root may exceed the limit of plain SO_RCVBUF; whoever may not has fewer bytes. */
	(void)setsockopt(mnl_socket_get_fd(rt->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof(size));
	for (size_t i = 0; i < n; i++) {
		int group = (int)groups[i];

		if (mnl_socket_setsockopt(rt->socket, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			return -errno;
	}
	*ret = TAKE_PTR(rt);
	return 0;
}

int rtnl_fd(const struct rtnl *rt)
{
	return mnl_socket_get_fd(rt->socket);
}

const char *rtnl_explanation(const struct rtnl *rt)
{
	return rt->explanation;
}

void *rtnl_msg_init(struct rtnl_msg *msg, uint16_t type, uint16_t flags, size_t extra)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(msg->bytes);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	return mnl_nlmsg_put_extra_header(nlh, extra);
}

static int send_message(struct rtnl *rt, struct nlmsghdr *nlh)
{
	nlh->nlmsg_seq = ++rt->sequence;
	rt->explanation[0] = '\0';
	return mnl_socket_sendto(rt->socket, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

static ssize_t receive(struct rtnl *rt)
{
	ssize_t n;

	do
		n = mnl_socket_recvfrom(rt->socket, rt->buf, sizeof(rt->buf));
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

/* The text among the attributes that follow the copy of the request, linux/netlink.h. */
static void take_explanation(struct rtnl *rt, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*err);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += err->msg.nlmsg_len - NLMSG_HDRLEN;
	if (mnl_nlmsg_get_payload_len(nlh) < offset)
		return;
	mnl_attr_for_each(attr, nlh, offset)
	{
		if (mnl_attr_get_type(attr) != NLMSGERR_ATTR_MSG ||
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			continue;
		snprintf(rt->explanation, sizeof(rt->explanation), "%s", mnl_attr_get_str(attr));
	}
}

int rtnl_change(struct rtnl *rt, struct rtnl_msg *msg)
{
	int r;

	msg->header.nlmsg_flags |= NLM_F_ACK;
	r = send_message(rt, &msg->header);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n = receive(rt);
		int left = (int)n;

		if (n < 0)
			return (int)n;
		for (const struct nlmsghdr *nlh = (const struct nlmsghdr *)rt->buf;
		     mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

			/* an answer to a request that had timed out */
			if (nlh->nlmsg_seq != rt->sequence || nlh->nlmsg_type != NLMSG_ERROR ||
			    mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
				continue;
			take_explanation(rt, nlh);
			return err->error;
		}
	}
}

struct dump {
	rtnl_fn fn;
	void *userdata;
	int error;
};

static int dump_one(const struct nlmsghdr *nlh, void *userdata)
{
	struct dump *dump = userdata;

	dump->error = dump->fn(nlh, dump->userdata);
	return dump->error < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

static int ask(struct rtnl *rt, struct rtnl_msg *msg, uint16_t flags, rtnl_fn fn, void *userdata)
{
	struct dump dump = { .fn = fn, .userdata = userdata };
	int r;

	msg->header.nlmsg_flags |= flags;
	r = send_message(rt, &msg->header);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n = receive(rt);

		if (n < 0)
			return (int)n;
		r = mnl_cb_run(rt->buf, (size_t)n, rt->sequence, rt->port, dump_one, &dump);
		if (dump.error < 0)
			return dump.error;
		/* what is left of a dump that was given up */
		if (r < 0 && errno == EPROTO)
			continue;
		if (r < 0)
			return -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
}

int rtnl_dump(struct rtnl *rt, struct rtnl_msg *msg, rtnl_fn fn, void *userdata)
{
	return ask(rt, msg, NLM_F_DUMP, fn, userdata);
}

int rtnl_get(struct rtnl *rt, struct rtnl_msg *msg, rtnl_fn fn, void *userdata)
{
	/* The acknowledgement is what ends the answer. */
	return ask(rt, msg, NLM_F_ACK, fn, userdata);
}

int rtnl_receive(struct rtnl *rt, rtnl_fn fn, void *userdata)
{
	struct dump dump = { .fn = fn, .userdata = userdata };
	ssize_t n = mnl_socket_recvfrom(rt->socket, rt->buf, sizeof(rt->buf));

	if (n < 0)
		return -errno;
	if (mnl_cb_run(rt->buf, (size_t)n, 0, 0, dump_one, &dump) < 0)
		return dump.error < 0 ? dump.error : -errno;
	return 0;
}
