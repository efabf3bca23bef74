// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>

#include "lib/cleanup.h"

/* Far from what people choose by hand: our filters are found by it. */
#define GUARD_PRIORITY 0x7870u
#define GUARD_HANDLE   1u

static const struct sock_filter drop_all[] = {
	BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
};

/* Frames to 01:80:C2:00:00:0X; :00 the bridge forwards, as it does no spanning tree. */
static const struct sock_filter drop_link_local[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0180c200, 0, 4),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0x000f, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
	BPF_STMT(BPF_RET | BPF_K, (uint32_t)TC_ACT_UNSPEC),
};

static void put_header(struct rtnl_msg *msg, uint16_t type, uint16_t flags, int index,
		       uint32_t handle, uint32_t parent, uint32_t info)
{
	struct tcmsg *tcm = rtnl_msg_init(msg, type, flags, sizeof(*tcm));

	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = index;
	tcm->tcm_handle = handle;
	tcm->tcm_parent = parent;
	tcm->tcm_info = info;
}

struct find_qdisc {
	int index;
	bool found;
};

static int find_qdisc(const struct nlmsghdr *nlh, void *userdata)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct find_qdisc *find = userdata;

	if (nlh->nlmsg_type == RTM_NEWQDISC && mnl_nlmsg_get_payload_len(nlh) >= sizeof(*tcm) &&
	    tcm->tcm_ifindex == find->index && tcm->tcm_parent == TC_H_CLSACT)
		find->found = true;
	return 0;
}

int guard_has_qdisc(struct rtnl *rt, int index)
{
	struct find_qdisc find = { .index = index };
	int r = -EINTR;

	for (int i = 0; i < RTNL_DUMP_TRIES && r == -EINTR; i++) {
		struct rtnl_msg msg;

		put_header(&msg, RTM_GETQDISC, 0, index, 0, 0, 0);
		r = rtnl_dump(rt, &msg, find_qdisc, &find);
	}
	return r < 0 ? r : find.found;
}

int guard_qdisc(struct rtnl *rt, int index)
{
	struct rtnl_msg msg;

	put_header(&msg, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, TC_H_MAKE(TC_H_CLSACT, 0),
		   TC_H_CLSACT, 0);
	mnl_attr_put_strz(&msg.header, TCA_KIND, "clsact");
	return rtnl_change(rt, &msg);
}

int guard_qdisc_remove(struct rtnl *rt, int index)
{
	struct rtnl_msg msg;
	int r;

	put_header(&msg, RTM_DELQDISC, 0, index, TC_H_MAKE(TC_H_CLSACT, 0), TC_H_CLSACT, 0);
	r = rtnl_change(rt, &msg);
	return r == -ENOENT || r == -EINVAL || r == -ENODEV ? 0 : r;
}

static uint32_t hook(bool ingress)
{
	return TC_H_MAKE(TC_H_CLSACT, ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

static uint32_t filter_info(void)
{
	return TC_H_MAKE(GUARD_PRIORITY << 16, htons(ETH_P_ALL));
}

static int filter(struct rtnl *rt, int index, bool ingress, const struct sock_filter *program,
		  size_t n)
{
	struct nlattr *options;
	struct rtnl_msg msg;

	put_header(&msg, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index, GUARD_HANDLE,
		   hook(ingress), filter_info());
	mnl_attr_put_strz(&msg.header, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(&msg.header, TCA_OPTIONS);
	mnl_attr_put_u16(&msg.header, TCA_BPF_OPS_LEN, (uint16_t)n);
	mnl_attr_put(&msg.header, TCA_BPF_OPS, n * sizeof(*program), program);
	mnl_attr_put_u32(&msg.header, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(&msg.header, options);
	return rtnl_change(rt, &msg);
}

int guard_filter(struct rtnl *rt, int index, enum guard guard)
{
	int r, again;

	if (guard == GUARD_PORT)
		return filter(rt, index, true, drop_link_local, ELEMENTSOF(drop_link_local));
	r = filter(rt, index, true, drop_all, ELEMENTSOF(drop_all));
	if (r < 0 && r != -EEXIST)
		return r;
	again = filter(rt, index, false, drop_all, ELEMENTSOF(drop_all));
	return again < 0 ? again : r;
}

static int remove_filter(struct rtnl *rt, int index, bool ingress)
{
	struct rtnl_msg msg;
	int r;

	put_header(&msg, RTM_DELTFILTER, 0, index, GUARD_HANDLE, hook(ingress), filter_info());
	mnl_attr_put_strz(&msg.header, TCA_KIND, "bpf");
	r = rtnl_change(rt, &msg);
	return r == -ENOENT || r == -EINVAL || r == -ENODEV ? 0 : r;
}

int guard_filter_remove(struct rtnl *rt, int index, enum guard guard)
{
	int r = remove_filter(rt, index, true);

	if (r < 0 || guard == GUARD_PORT)
		return r;
	return remove_filter(rt, index, false);
}
