// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/barrier.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <sys/socket.h>
#include <unistd.h>

struct rule {
	uint8_t family;
	uint32_t priority;
	const char *in; /* interface, or NULL */
	const struct ip *to;
	bool unreachable; /* or table main */
};

static int set_rule(struct rtnl *rt, const struct rule *rule, bool add)
{
	struct fib_rule_hdr *frh;
	struct rtnl_msg msg;
	int r;

	frh = rtnl_msg_init(&msg, add ? RTM_NEWRULE : RTM_DELRULE,
			    add ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*frh));
	frh->family = rule->family;
	frh->action = rule->unreachable ? FR_ACT_UNREACHABLE : FR_ACT_TO_TBL;
	frh->table = rule->unreachable ? RT_TABLE_UNSPEC : RT_TABLE_MAIN;
	mnl_attr_put_u32(&msg.header, FRA_PRIORITY, rule->priority);
	/*
	 * Network managers remove rules that are not theirs; those said to be the
	 * kernel's they leave alone. Those of a boot are networkd's, so a removal does not
	 * ask whose they are.
	 */
	if (add)
		mnl_attr_put_u8(&msg.header, FRA_PROTOCOL, RTPROT_KERNEL);
	if (rule->in)
		mnl_attr_put_strz(&msg.header, FRA_IIFNAME, rule->in);
	if (rule->to) {
		frh->dst_len = rule->to->prefix;
		mnl_attr_put(&msg.header, FRA_DST, ip_size(rule->to), rule->to->byte);
	}
	/* The same rule is there more than once if networkd has added its own to ours. */
	do
		r = rtnl_change(rt, &msg);
	while (!add && r >= 0);
	if ((add && r == -EEXIST) || (!add && r == -ENOENT))
		return 0;
	/* a kernel that was started without IPv6 forwards none */
	if (rule->family == AF_INET6 && (r == -EAFNOSUPPORT || r == -EOPNOTSUPP))
		return 0;
	return r;
}

int barrier_set(struct rtnl *rt, const char *dev, const struct ip *ips, size_t n, bool add)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		struct ip network = ip_network(&ips[i]);
		struct rule own = { .family = network.family,
				    .priority = BARRIER_PRIORITY,
				    .in = "lo",
				    .to = &network };
		struct rule others = { .family = network.family,
				       .priority = BARRIER_PRIORITY + 1,
				       .to = &network,
				       .unreachable = true };

		r = set_rule(rt, &own, add);
		if (r >= 0)
			r = set_rule(rt, &others, add);
	}
	for (size_t i = 0; i < 2 && r >= 0; i++) {
		struct rule in = { .family = families[i],
				   .priority = BARRIER_PRIORITY + 2,
				   .in = dev,
				   .unreachable = true };

		r = set_rule(rt, &in, add);
	}
	return r;
}
